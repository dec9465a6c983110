"""Foreign text in Markdown says exactly itself."""

from __future__ import annotations

import re
from dataclasses import replace

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.fleet.markdown import markdown_text
from sgm_tui.report import tables

SPECIAL = "\\`*_{}[]<>|#~"


@pytest.mark.parametrize(
    "text",
    [
        "@acme/payments-team",
        "*bold* _em_ ~~gone~~ `code`",
        "https://evil.example/?q=1",
        "www.evil.example",
        "[click](https://evil.example)",
        "<img src=x>",
        "a | b",
        "#42 and :tada: and &amp;",
        "![x](y)",
        "--> end of a comment",
    ],
)
def test_nothing_in_it_is_markdown(text: str) -> None:
    written = markdown_text(text)
    assert not re.search(r"@\w|https?:|www\.|(?<!\\):tada:|(?<!\\)&amp;", written)
    assert not re.search(rf"(?<!\\)[{re.escape(SPECIAL[1:])}]", written)
    shown = re.sub(r"\\(.)", r"\1", written).replace("\u200b", "")
    assert shown == text, "a person reads what it says"


@given(st.text(st.sampled_from(f"{SPECIAL}@:/.&;!wahttps \n\t"), max_size=40))
def test_any_text_reads_as_itself_on_one_line(text: str) -> None:
    written = markdown_text(text)
    assert "\n" not in written
    assert re.sub(r"\\(.)", r"\1", written).replace("\u200b", "") == " ".join(text.split())


def test_the_status_as_markdown_mentions_and_links_nobody() -> None:
    shown = builders.release()
    key, cell = next(iter(shown.cells.items()))
    desired = replace(cell.facts.desired, version="@team *v1* https://x.example") if cell.facts.desired else None
    hostile = replace(cell, facts=replace(cell.facts, desired=desired, rollout=None))
    printed = tables.markdown(replace(shown, cells={**shown.cells, key: hostile}))
    assert "@team" not in printed
    assert "https:" not in printed
    assert "*v1*" not in printed
