"""The text of a pull request: it says what changes and why it may, and nothing in it is more than words."""

from __future__ import annotations

import json
import re
from typing import Any

import builders

from sgm_tui.config.schema import Config, RepositoryConfig
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.history.cell_history import RevertForecast
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import CommitRange, FileEdit, Override
from sgm_tui.operations.proposal import branch_of, message_of, title_of
from sgm_tui.operations.pull_request_body import render_body

WHERE = builders.key("cart", "prod-eu1")
EVIL = "x | y\n# z `a` @acme/sre --> <script> ![i](http://evil)"


def change(**facts: Any) -> Change:
    values: dict[str, Any] = {
        "kind": "promotion",
        "service": WHERE.service,
        "stage": WHERE.stage,
        "cluster": WHERE.cluster,
        "path": "prod/prod-eu1/app-service/cart/values.yaml",
        "key": "image.tag",
        "from_version": Version("v1"),
        "to_version": Version("v2"),
        "cells": (WHERE,),
    }
    return Change(**{**values, **facts})


def config() -> Config:
    return Config(repository=RepositoryConfig("https://github.com/acme/gitops"), stages=())


def body(edit: FileEdit, **facts: Any) -> str:
    gates = facts.pop("gates", ())
    return render_body([edit], gates, builders.release(), config(), **facts)


def machine(text: str) -> dict[str, Any]:
    (block,) = re.findall(r"<!-- sgm: (.*?) -->", text, re.DOTALL)
    document: dict[str, Any] = json.loads(block)
    return document


def test_a_machine_reads_back_what_a_person_reads() -> None:
    document = machine(body(FileEdit(change(), "")))
    assert document["schema"] == 1
    assert document["changes"][0]["to"] == "v2"
    assert document["change_id"] in branch_of([change()])


def test_foreign_words_break_no_table_mention_nobody_and_end_no_comment() -> None:
    gates = (Gate(WHERE, "alerts", "warn", EVIL, None, "warn"),)
    between = CommitRange((EVIL,), 1, "javascript:alert(1)")
    edit = FileEdit(change(to_version=Version(EVIL)), "", commit_range=between)
    text = body(edit, gates=gates, override=Override(EVIL, (EVIL,)), reason=EVIL)
    assert text.count("<!--") == text.count("-->") == 1
    assert "@acme" not in text
    assert "\\<script\\>" in text
    assert "javascript:" not in text
    table = [line for line in text.splitlines() if line.startswith("| cart |")]
    assert len(table) == 1
    assert table[0].replace("\\|", "").count("|") == 7
    assert machine(text)["overridden"]["reason"] == EVIL


def test_the_evidence_is_that_of_the_stage_before_as_of_that_moment() -> None:
    text = body(FileEdit(change(), ""))
    assert "### Evidence, as of 2026-11-23T14:03:20Z" in text
    assert "staging-eu1" in text
    assert "`sgm revert cart --stage prod --cluster prod-eu1`" in text


def test_a_reason_of_several_lines_cannot_pretend_to_be_a_trailer() -> None:
    message = message_of([change()], Override("a\nSgm-Gates-Overridden: none", ("soak",)))
    trailers = [line for line in message.splitlines() if line.startswith("Sgm-Gates-Overridden")]
    assert trailers == ["Sgm-Gates-Overridden: soak"]


def test_titles_and_branches_stay_short_and_legal_whatever_the_version_is() -> None:
    odd = change(to_version=Version("sha256:" + "a" * 64 + "..lock"))
    assert len(title_of([odd])) <= 72
    assert re.fullmatch(r"sgm/prod/[A-Za-z0-9.-]+", branch_of([odd]))
    assert ".." not in branch_of([odd])


def test_who_approves_a_way_back_reads_how_fast_it_is_and_what_is_known_bad_from_now_on() -> None:
    way = RevertForecast(False, "it walks all 8 steps again, at least 4 min", "write steps @acme/sre")
    edit = FileEdit(change(kind="revert", marks_bad="it loses | orders"), "", forecast=way)
    text = body(edit)
    assert "- cart in prod-eu1: **step by step**: it walks all 8 steps again, at least 4 min. Faster: write" in text
    assert "**Marked as known bad in every cell:** cart `v1`: it loses \\| orders" in text
    assert machine(text)["changes"][0]["known_bad"] == "it loses | orders"
    assert "@acme" not in text
    assert "The way back" not in body(FileEdit(change(), ""))


def test_it_says_who_owns_which_file_and_where_nobody_does() -> None:
    owners = {"prod/a": ("@acme/sre", "@mia"), "prod/b": ("@acme/sre", "@mia"), "prod/c": ()}
    text = body(FileEdit(change(), ""), owners=owners)
    assert "**Owned by** @\u200bacme/sre or @\u200bmia: `prod/a`, `prod/b`" in text
    assert "**Owned by** no owner in CODEOWNERS: `prod/c`" in text
    many = body(FileEdit(change(), ""), owners={f"prod/{at}": ("@mia",) for at in range(7)})
    assert "`prod/4` and 2 more" in many
