"""Durations as people write them in YAML: Go's grammar, read in one place, and what each reader of it adds.

Go (time.ParseDuration) knows h, m, s, ms, us and ns and no day. Argo Rollouts and Argo CD's retry take a plain number
for seconds besides; sgm's own configuration takes days. Prometheus has a grammar of its own (promql-parser reads it).
"""

from __future__ import annotations

import re

import durationpy

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PARTS = re.compile(rf"(?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h))+")
_DAYS = re.compile(rf"(?P<days>{_NUMBER})d(?P<rest>.*)")
_UNIT = re.compile(rf"{_NUMBER}(?P<unit>[^0-9.\s]+)")
_PLAIN = re.compile(r"[+-]?[0-9]+")
_UNITS = frozenset({"ns", "us", "µs", "μs", "ms", "s", "m", "h"})
_LONGEST_TEXT = 64
_LONGEST_SECONDS = (2**63 - 1) / 1e9
"""Go counts nanoseconds in 64 bits: 292 years."""
_MOST_SECONDS = 2**31 - 1
"""Argo Rollouts counts the seconds of a pause in 32 bits."""
_DAY_SECONDS = 86_400.0


class DurationError(ValueError):
    """A text that is not a duration; the message says why."""


def go_seconds(text: str) -> float:
    """Return the seconds of a duration in Go's grammar: `90s`, `1h30m`, `1.5h`, `100us`, `-5s`, `0`.

    Mirrors time.ParseDuration.

    Raises:
        DurationError: Go would refuse it.
    """
    sign, unsigned = (text[0], text[1:]) if text[:1] in {"+", "-"} else ("", text)
    if unsigned == "0":
        return 0.0
    if len(text) > _LONGEST_TEXT or not _PARTS.fullmatch(unsigned):
        raise DurationError(f"{_quoted(text)} is not a duration: {_mistake(unsigned)}")
    try:
        seconds = float(durationpy.from_str(unsigned).total_seconds())
    except ValueError as error:
        raise DurationError(f"{_quoted(text)} is not a duration: {error}") from None
    if seconds > _LONGEST_SECONDS:
        raise DurationError(f"{_quoted(text)} is longer than 292 years")
    return -seconds if sign == "-" else seconds


def pause_seconds(written: str) -> float:
    """Return the seconds of a canary's pause: a plain number of seconds, or a duration in Go's grammar.

    Mirrors RolloutPause.DurationSeconds: whole seconds, the rest is cut off.

    Raises:
        DurationError: Argo Rollouts would refuse it with InvalidSpec: it is neither, or negative.
    """
    seconds = float(int(number_or_go_seconds(written)))
    if seconds < 0:
        raise DurationError(f"{_quoted(written)} is a negative duration")
    return seconds


def number_or_go_seconds(written: str) -> float:
    """Return the seconds of a plain number of seconds, or of a duration in Go's grammar.

    Mirrors parseStringToDuration of Argo CD's retry back-off.

    Raises:
        DurationError: it is neither.
    """
    if len(written) <= _LONGEST_TEXT and _PLAIN.fullmatch(written) and abs(int(written)) <= _MOST_SECONDS:
        return float(written)
    return go_seconds(written)


def configured_seconds(text: str) -> float:
    """Return the seconds of a duration in sgm's own configuration: Go's grammar, and days in front (`1d`, `1d12h`).

    Raises:
        DurationError: it is neither, or negative.
    """
    written = text.strip()
    days = _DAYS.fullmatch(written) if len(written) <= _LONGEST_TEXT else None
    whole_days = float(days["days"]) * _DAY_SECONDS if days is not None else 0.0
    rest = days["rest"] if days is not None else written
    seconds = whole_days + (go_seconds(rest) if rest or days is None else 0.0)
    if rest[:1] in {"+", "-"} or seconds < 0:
        raise DurationError(f"{_quoted(text)} is not a duration: it has a sign")
    return seconds


def _mistake(text: str) -> str:
    """Say what Go dislikes about a text."""
    unknown = next((one["unit"] for one in _UNIT.finditer(text[:_LONGEST_TEXT]) if one["unit"] not in _UNITS), None)
    if unknown is not None and re.match(_NUMBER, text):
        return f"the unit {_quoted(unknown)} is unknown, use h, m, s, ms, us or ns"
    if re.fullmatch(_NUMBER, text):
        return "the unit is missing, use h, m, s, ms, us or ns"
    return "write it like 90s, 30m or 1h30m"


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _LONGEST_TEXT else f'"{text[:_LONGEST_TEXT]}…"'
