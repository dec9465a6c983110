"""How each change of a plan stands, and why the plan as a whole cannot be written."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from sgm_tui.fleet.gate import Gate, GateLevel, GateResult
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.proposal import AdoptedChange, FileEdit, Override, Preview, Proposal
from sgm_tui.fleet.plans.standing import explain_refusal, standings, tally, tally_of, why_not_written
from sgm_tui.report.changes import text


def change(service: str) -> Change:
    where = builders.key(service, "prod-eu1")
    path = f"prod/prod-eu1/app-service/{service}/values.yaml"
    versions = Version("v1"), Version("v2")
    return Change("promotion", where.service, where.stage, where.cluster, path, "image.tag", *versions, (where,))


CHANGES = tuple(map(change, ("cart", "catalog", "checkout")))


def gate(service: str, result: GateResult, level: GateLevel = "block", name: str = "soak") -> Gate:
    return Gate(builders.key(service, "prod-eu1"), name, result, f"{service} has not soaked", None, level)


def proposal(changes: tuple[Change, ...] = CHANGES, **facts: object) -> Proposal:
    edits = tuple(FileEdit(one, "") for one in changes)
    return replace(Proposal(changes[0].stage, "branch", "title", "", edits), **facts)


@pytest.mark.parametrize(
    ("gates", "words", "text"),
    [
        ((), ["passing", "passing", "passing"], "3 changes, none blocked"),
        ((gate("cart", "pass"), gate("catalog", "pass")), ["passing", "passing", "passing"], "3 changes, none blocked"),
        ((gate("catalog", "block"),), ["passing", "blocked", "passing"], "3 changes, 1 blocked"),
        ((gate("catalog", "unknown"),), ["passing", "unknown", "passing"], "3 changes, 1 unknown"),
        ((gate("cart", "unknown"), gate("cart", "block", name="sli"), gate("checkout", "unknown")),
         ["blocked", "passing", "unknown"], "3 changes, 1 blocked, 1 unknown"),
        ((gate("cart", "block", "warn"), gate("catalog", "unknown", "warn"), gate("checkout", "warn")),
         ["warning", "warning", "warning"], "3 changes, none blocked"),
    ],
)  # fmt: skip
def test_each_change_is_marked_by_its_own_gates_and_counted(
    gates: tuple[Gate, ...], words: list[str], text: str
) -> None:
    stands = standings(CHANGES, Preview("base", (proposal(gates=gates),)))
    assert [one.standing for one in stands] == words
    assert tally(stands).text == text


def test_the_first_change_that_blocks_is_named_with_its_worst_gate() -> None:
    gates = (gate("checkout", "unknown", name="sli"), gate("checkout", "block"), gate("catalog", "unknown"))
    preview = Preview("base", (proposal(gates=gates),))
    assert why_not_written(CHANGES, preview) == "catalog prod-eu1: soak: catalog has not soaked\nand 1 more"
    assert standings(CHANGES, preview)[2].reason == "soak: checkout has not soaked"
    assert standings(CHANGES, preview)[2].heading == CHANGES[0].path


def test_what_is_overridden_stops_no_more_and_what_cannot_be_says_so() -> None:
    stopped = proposal(gates=(gate("cart", "block"), gate("catalog", "block", "never", "image")))
    over = replace(stopped, override=Override("incident 4711", ("soak", "image")))
    stands = standings(CHANGES, Preview("base", (over,)))
    assert [(one.standing, one.overridable) for one in stands] == [
        ("warning", False),
        ("blocked", False),
        ("passing", False),
    ]
    assert standings(CHANGES, Preview("base", (stopped,)))[0].overridable


def test_a_later_wave_of_the_plan_never_blocks_its_first() -> None:
    first = proposal(CHANGES[:1], waves=2, gates=(gate("cart", "pass"),))
    later = proposal(CHANGES[1:], wave=1, waves=2, gates=(gate("catalog", "block"), gate("checkout", "block", "never")))
    preview = Preview("base", (first, later))
    assert [one.standing for one in standings(CHANGES, preview)] == ["passing", "queued", "queued"]
    assert why_not_written(CHANGES, preview) == ""
    assert [one.refused for one in preview.proposals] == [False, False]
    opened = replace(later, wave=0, waves=1)
    assert opened.refused, "when its turn comes it is judged like any other"


def test_what_cannot_be_written_and_what_is_there_already_are_told_apart() -> None:
    refused = Refusal(CHANGES[0].path, "git has v3, not v1")
    already = Refusal(CHANGES[1].path, "#3 by mia already brings v2", nothing=True, number=3)
    preview = Preview("base", (), (refused, already), (AdoptedChange(CHANGES[1], 3, "b", "mia"),))
    assert [one.standing for one in standings(CHANGES[:2], preview)] == ["blocked", "nothing"]
    assert why_not_written(CHANGES[:2], preview) == "git has v3, not v1"
    assert "already has all of it" in why_not_written(CHANGES[1:2], replace(preview, refusals=(already,)))


def test_a_plan_without_a_way_to_write_it_says_so_on_every_change() -> None:
    preview = Preview("base", (proposal(unwritable="github.repository is not configured"),))
    assert {one.standing for one in standings(CHANGES, preview)} == {"blocked"}
    assert "github.repository is not configured" in why_not_written(CHANGES, preview)


def test_a_revert_of_one_service_is_not_blocked_by_the_gates_of_another() -> None:
    other = replace(change("payments"), service=ServiceName("payments"))
    preview = Preview("base", (proposal(gates=(gate("cart", "block"),)), proposal((other,))))
    assert standings((other,), preview)[0].standing == "passing"


def test_the_command_line_prints_the_total_above_several_changes() -> None:
    gates = (gate("catalog", "block"), gate("checkout", "unknown"))
    preview = Preview("base", (proposal(gates=gates),), (Refusal("prod/x.yaml", "git has v3, not v1"),))
    assert tally_of(preview).text == "4 changes, 2 blocked, 1 unknown"
    assert text(preview, builders.NOW).startswith("4 changes, 2 blocked, 1 unknown\n\nprod: pull request")
    assert text(Preview("base", (proposal(CHANGES[:1]),)), builders.NOW).startswith("prod: pull request")


def test_whoever_presses_the_key_is_told_why_nothing_is_opened_and_where() -> None:
    assert "nothing is staged" in explain_refusal((), None).reason
    assert "could not be compared" in explain_refusal(CHANGES, None).reason
    nothing = explain_refusal(CHANGES, Preview("base"))
    assert (nothing.title, nothing.at) == ("nothing to write", None)
    blocked = explain_refusal(CHANGES, Preview("base", (proposal(gates=(gate("catalog", "block"),)),)))
    assert (blocked.title, blocked.at, blocked.heading) == ("not opened: 3 changes, 1 blocked", 1, CHANGES[0].path)
    assert blocked.reason.endswith("press o to override the gates, with a reason")
    assert "more" not in blocked.reason
    mixed = (gate("catalog", "block"), gate("catalog", "block", "never", "image"))
    assert "overrides" not in explain_refusal(CHANGES, Preview("base", (proposal(gates=mixed),))).reason
    firm = explain_refusal(CHANGES, Preview("base", (proposal(gates=(gate("catalog", "block", "never"),)),)))
    assert "overrides" not in firm.reason


def test_what_git_has_already_is_not_counted_as_a_change() -> None:
    already = Refusal("prod/x.yaml", "already at v2", nothing=True)
    assert tally_of(Preview("base", (proposal(CHANGES[:1]),), (already,))).text == "1 change, none blocked"
