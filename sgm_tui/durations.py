"""Durations in YAML: Go's grammar, and what Argo Rollouts, Argo CD and sgm's own configuration add to it.

Go (time.ParseDuration) accepts h, m, s, ms, us and ns, but no days. Argo Rollouts and Argo CD's retry also accept a
plain number of seconds; sgm's own configuration accepts days. Prometheus has a grammar of its own (promql-parser reads
it). `durationpy` computes the value; the grammar is checked here, because it also accepts days, weeks and years.
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
    """A text is not a duration; the message says why."""


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


def pause_seconds(text: str) -> float:
    """Return the seconds of a canary's pause: a plain number of seconds, or a duration in Go's grammar.

    Mirrors RolloutPause.DurationSeconds: whole seconds, fractions are cut off.

    Raises:
        DurationError: Argo Rollouts would refuse it with InvalidSpec: it is neither, or negative.
    """
    seconds = float(int(number_or_go_seconds(text)))
    if seconds < 0:
        raise DurationError(f"{_quoted(text)} is a negative duration")
    return seconds


def number_or_go_seconds(text: str) -> float:
    """Return the seconds of a plain number of seconds, or of a duration in Go's grammar.

    Mirrors parseStringToDuration of Argo CD's retry back-off.

    Raises:
        DurationError: it is neither.
    """
    if len(text) <= _LONGEST_TEXT and _PLAIN.fullmatch(text) and abs(int(text)) <= _MOST_SECONDS:
        return float(text)
    return go_seconds(text)


def configured_seconds(text: str) -> float:
    """Return the seconds of a duration in sgm's own configuration: Go's grammar, and days in front (`1d`, `1d12h`).

    Raises:
        DurationError: it is neither, or negative.
    """
    stripped = text.strip()
    match = _DAYS.fullmatch(stripped) if len(stripped) <= _LONGEST_TEXT else None
    seconds_of_days = float(match["days"]) * _DAY_SECONDS if match is not None else 0.0
    remainder = match["rest"] if match is not None else stripped
    seconds = seconds_of_days + (go_seconds(remainder) if remainder or match is None else 0.0)
    if remainder[:1] in {"+", "-"} or seconds < 0:
        raise DurationError(f"{_quoted(text)} is not a duration: it has a sign")
    return seconds


def _mistake(text: str) -> str:
    """Return why Go refuses a text."""
    units = (match["unit"] for match in _UNIT.finditer(text[:_LONGEST_TEXT]))
    unknown = next((unit for unit in units if unit not in _UNITS), None)
    if unknown is not None and re.match(_NUMBER, text):
        return f"the unit {_quoted(unknown)} is unknown, use h, m, s, ms, us or ns"
    if re.fullmatch(_NUMBER, text):
        return "the unit is missing, use h, m, s, ms, us or ns"
    return "write it like 90s, 30m or 1h30m"


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _LONGEST_TEXT else f'"{text[:_LONGEST_TEXT]}…"'
