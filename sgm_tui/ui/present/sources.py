"""The second line: the freshness of every source, what is wrong, and which stages are locked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceId
from sgm_tui.ui.present.ages import ago
from sgm_tui.ui.present.fit import pad, shorten
from sgm_tui.ui.present.glyphs import ALERT, FRESH, OFF, STALE, WAITING
from sgm_tui.ui.present.silence import ORDER, silence, worth_saying
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.source import SourceHealth, SourceKind

_SIGNS: Mapping[str, Part] = {
    "fresh": (FRESH, Tone.GOOD),
    "waiting": (WAITING, Tone.BUSY),
    "stale": (STALE, Tone.BAD),
    "off": (OFF, Tone.QUIET),
}
_WITH_AGE = frozenset({"git", "forge"})
_APART = 2
"""The gap between the sources and the locked stages."""
_TELLING = 24
"""Fewer cells than these are not enough for a reason; signs are dropped first."""
_MANY = 8
"""More sources of a kind than these are counted by state instead of drawn one by one."""
_BY_STATE = ("fresh", "waiting", "off", "stale")
_WORST = ("off", "fresh", "waiting", "stale")


def source_line(snapshot: FleetSnapshot, width: int) -> Line:
    """Return the line in exactly `width` cells: signs of every kind, then what does not respond and why.

    With little room ages are dropped first, then kinds are summarized by state, then only problems remain.
    """
    locked = _forbidden(snapshot)
    room = max(0, width - 2 - sum(cell_len(text) for text, _ in locked) - (_APART if locked else 0))
    states = _state_parts(snapshot.sources, room, snapshot.generated_at)
    apart = " " * _APART if locked else ""
    return ((" ", Tone.TEXT), *pad(states, room), (apart, Tone.TEXT), *locked, (" ", Tone.TEXT))


def health_line(health: SourceHealth, now: datetime) -> Line:
    """Return one source in full, for the help and the cell's own page."""
    sign, tone = _SIGNS[health.state]
    since = ago(health.since if health.state == "stale" else health.seen_at, now)
    return (
        (f"{sign} ", tone),
        (f"{health.name:<22}", Tone.TEXT),
        (f"{health.state} {since}", tone),
        (f"  {health.short_reason or health.note}", Tone.QUIET),
    )


def _forbidden(snapshot: FleetSnapshot) -> list[Part]:
    """Return what may not be written: nothing at all, or which stages only after typing their name."""
    names = [stage.name for stage in snapshot.fleet.stages if stage.protected]
    words = ["read-only"] if snapshot.read_only else []
    words += [f"{', '.join(names)} locked"] if names else []
    return [("  ".join(words), Tone.PROTECTED)] if words else []


def _state_parts(sources: Sequence[SourceHealth], room: int, now: datetime) -> list[Part]:
    trouble, notes = silence(sources, now), _notes(sources)
    who = [(trouble.who, Tone.BAD)] if trouble else []
    reason = trouble.reason if trouble else notes[0] if notes else ""
    line: list[Part] = []
    telling = min(cell_len(reason) + 2, _TELLING) if reason else 0
    forms = ((_signs(sources, now), telling), (_signs(sources, None), telling))
    kinds = () if trouble and trouble.total else ((_by_state(sources), 0),)  # signs that are all the same say nothing
    for signs, least in (*forms, *kinds, (_counted(sources), 0)):
        line = [*signs, ("  ", Tone.TEXT), *who]
        if room - sum(cell_len(text) for text, _ in line) >= least:
            break
    remaining = room - sum(cell_len(text) for text, _ in line)
    if trouble and reason and remaining >= min(cell_len(reason) + 2, _TELLING // 2):
        line += [(f": {shorten(reason, remaining - 2)}", Tone.TEXT)]
    elif reason and not trouble:
        line += [(shorten(f"{ALERT} {reason}", remaining), Tone.ATTENTION)]
    return line


def _notes(sources: Iterable[SourceHealth]) -> list[str]:
    """Return the notes of fresh sources, each with its source."""
    noted = (one for one in sources if one.state == "fresh" and one.note)
    return [f"{one.source.scope or one.name}: {one.note}" for one in noted]


def _kinds(sources: Sequence[SourceHealth]) -> Iterator[tuple[SourceKind, list[SourceHealth]]]:
    for kind in ORDER:
        if worth_saying(kind, sources):
            yield kind, [one for one in sources if one.source.kind == kind]


def _signs(sources: Sequence[SourceHealth], now: datetime | None) -> list[Part]:
    """Return every kind with a sign for each of its sources; with ages if `now` is given."""
    parts: list[Part] = []
    for kind, group in _kinds(sources):
        parts += [("  ", Tone.TEXT)] if parts else []
        parts.append((f"{SourceId(kind)} ", Tone.QUIET))
        parts.extend(_counted(group) if len(group) > _MANY else [_SIGNS[one.state] for one in group])
        if any(one.state == "fresh" and one.note for one in group):
            parts.append((ALERT, Tone.ATTENTION))
        if all(one.state == "off" for one in group):
            parts.append((" off", Tone.QUIET))
        if now is not None and kind in _WITH_AGE and group[0].state == "fresh":
            parts.append((f" {ago(group[0].seen_at, now)}", Tone.QUIET))
    return parts


def _counted(group: Sequence[SourceHealth]) -> list[Part]:
    counts: Counter[str] = Counter(one.state for one in group)
    shown = [(f"{_SIGNS[state][0]}{counts[state]} ", _SIGNS[state][1]) for state in _BY_STATE if counts[state]]
    return [*shown[:-1], *((text.rstrip(), tone) for text, tone in shown[-1:])]


def _by_state(sources: Sequence[SourceHealth]) -> list[Part]:
    """Return a sign and the kinds in that state; a kind with one silent source counts as silent."""
    by_state: dict[str, list[str]] = {state: [] for state in _BY_STATE}
    for kind, group in _kinds(sources):
        by_state[max((one.state for one in group), key=_WORST.index)].append(str(SourceId(kind)))
    parts: list[Part] = []
    for state in _BY_STATE:
        if by_state[state]:
            parts += [("  ", Tone.TEXT)] if parts else []
            parts += [_SIGNS[state], (f" {' '.join(by_state[state])}", Tone.QUIET)]
    return parts
