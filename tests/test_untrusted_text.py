"""Foreign text is harmless behind the edge, whatever it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.untrusted_text import clean


@given(st.text(max_size=400))
def test_nothing_a_terminal_would_obey_survives(text: str) -> None:
    assert not [one for one in clean(text) if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]


@given(st.text(max_size=2000), st.integers(min_value=2, max_value=300))
def test_a_long_name_never_becomes_a_long_line_of_plain_text(text: str, limit: int) -> None:
    assert len(clean(text.replace("\x00", ""), limit)) <= limit or "<U+" in clean(text, limit) or len(text) <= limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("checkout", "checkout"),
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("a\u202eb", "a<U+202E>b"),
        ("\x9b2J", "<U+009B>2J"),
        ("\x7f", "␡"),
        ("two\nlines", "two␊lines"),
        ("tab\there", "tab here"),
        (None, ""),
        (12, "12"),
        ("[red]x[/]", "[red]x[/]"),
        ("e" + "\u0301" * 9, "e\u0301\u0301"),
    ],
)
def test_what_was_removed_stays_visible(text: object, shown: str) -> None:
    assert clean(text) == shown


def test_a_body_keeps_its_lines() -> None:
    assert clean("one\n\ttwo\x1b", keep_lines=True) == "one\n    two␛"


def test_the_cut_is_marked() -> None:
    assert clean("x" * 300, 10) == "x" * 9 + "…"
