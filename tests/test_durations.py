"""One reader of durations: Go's grammar, and what Argo Rollouts, Argo CD and sgm's own files take besides."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.durations import DurationError, configured_seconds, go_seconds, number_or_go_seconds, pause_seconds

GO = [
    ("0", 0), ("-0", 0), ("30s", 30), ("1h30m", 5400), ("1.5h", 5400), ("100us", 0.0001), ("100µs", 0.0001),
    ("500ms", 0.5), (".5s", 0.5), ("5.s", 5), ("1h1h", 7200), ("-1m", -60), ("+1m", 60),
]  # fmt: skip
NOT_GO = [
    ("1d", 'the unit "d" is unknown'), ("2w", 'the unit "w" is unknown'), ("1y", 'the unit "y" is unknown'),
    ("1mm", 'the unit "mm" is unknown'), ("1H", 'the unit "H" is unknown'), ("30", "the unit is missing"),
    ("abc5s", "write it like"), ("5sabc", 'the unit "sabc" is unknown'), ("1h x 2m", "write it like"),
    ("1m 30s", "write it like"), (" 30s", "write it like"), ("", "write it like"), (".s", "write it like"),
    ("1.2.3s", "write it like"), ("٣s", "write it like"), ("1e3s", 'the unit "e" is unknown'),
    ("--1s", "write it like"),
    ("99999999999h", "not a duration"), ("2562048h", "longer than 292 years"), ("9" * 5000, "not a duration"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), GO)
def test_gos_grammar_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    assert go_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "says"), NOT_GO)
def test_what_go_refuses_says_why(text: str, says: str) -> None:
    with pytest.raises(DurationError, match=re.escape(says)):
        go_seconds(text)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("60", 60), ("+5", 5), ("0", 0), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0), ("1999ms", 1), ("100us", 0)],
)
def test_the_pause_of_a_canary_is_whole_seconds_as_argo_rollouts_counts_them(written: str, seconds: float) -> None:
    assert pause_seconds(written) == seconds


@pytest.mark.parametrize("written", ["1d", "abc5s", "soon", "", "-5", "-1s", "1.5", "3000000000", "²"])
def test_a_pause_that_argo_rollouts_would_refuse_is_refused(written: str) -> None:
    with pytest.raises(DurationError, match="duration"):
        pause_seconds(written)


@pytest.mark.parametrize(("text", "seconds"), [("5", 5), ("2m", 120), ("1h", 3600)])
def test_argo_cds_back_off_takes_a_plain_number_for_seconds(text: str, seconds: float) -> None:
    assert number_or_go_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d", 86_400), ("1.5d", 129_600), ("1d12h", 129_600), (" 2h ", 7200), ("100us", 0.0001)]
)
def test_sgms_own_files_may_name_days(text: str, seconds: float) -> None:
    assert configured_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "30", "-1h", "1d-1h", "+1h", "1w", "abc5s", "d"])
def test_sgms_own_files_name_nothing_else(text: str) -> None:
    with pytest.raises(DurationError):
        configured_seconds(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_is_refused_as_none(text: str) -> None:
    for read in (go_seconds, pause_seconds, number_or_go_seconds, configured_seconds):
        with contextlib.suppress(DurationError):
            assert isinstance(read(text), float)
