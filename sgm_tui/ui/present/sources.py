"""The second line: how fresh every source is, what is wrong with those that are not, and which stages are locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.ages import ago
from sgm_tui.ui.present.fit import pad, shorten
from sgm_tui.ui.present.glyphs import ALERT, FRESH, OFF, STALE, WAITING
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.observation import SourceHealth, SourceKind

_SIGNS: Mapping[str, Part] = {
    "fresh": (FRESH, Tone.GOOD),
    "waiting": (WAITING, Tone.BUSY),
    "stale": (STALE, Tone.BAD),
    "off": (OFF, Tone.QUIET),
}
_ORDER: tuple[SourceKind, ...] = ("git", "argocd", "rollouts", "scaling", "metrics", "alerts", "forge")
_ONLY_WHEN_TROUBLED = frozenset({"scaling", "alerts"})
_NAMES = {"forge": "github"}
_WITH_AGE = frozenset({"git", "forge"})
_TIGHTER = ((60, True), (60, False), (40, False), (24, False), (16, False), (0, False))
"""Widths of a reason, and whether ages are shown; the first that fits."""
_APART = 2
"""Between the sources and the stages that are locked."""


def source_line(snapshot: FleetSnapshot, width: int) -> Line:
    """The line in exactly `width` cells: reasons are cut first, then ages go."""
    locked = _forbidden(snapshot)
    room = width - 1 - sum(cell_len(text) for text, _ in locked) - 1 - (_APART if locked else 0)
    line: list[Part] = []
    for reason_width, with_ages in _TIGHTER:
        line = _sources(snapshot.sources, snapshot.generated_at, reason_width, with_ages=with_ages)
        if sum(cell_len(text) for text, _ in line) <= room:
            break
    apart = " " * _APART if locked else ""
    return ((" ", Tone.TEXT), *pad(line, max(room, 0)), (apart, Tone.TEXT), *locked, (" ", Tone.TEXT))


def health_line(health: SourceHealth, now: datetime) -> Line:
    """One source in full, for the help and the cell's own page."""
    sign, tone = _SIGNS[health.state]
    since = ago(health.since if health.state == "stale" else health.seen_at, now)
    return (
        (f"{sign} ", tone),
        (f"{health.name:<22}", Tone.TEXT),
        (f"{health.state} {since}", tone),
        (f"  {health.reason or health.note}", Tone.QUIET),
    )


def _forbidden(snapshot: FleetSnapshot) -> list[Part]:
    """What may not be written: nothing at all, and which stages only after their name has been typed."""
    names = [stage.name for stage in snapshot.fleet.stages if stage.protected]
    words = ["read-only"] if snapshot.read_only else []
    words += [f"{', '.join(names)} locked"] if names else []
    return [("  ".join(words), Tone.PROTECTED)] if words else []


def _sources(sources: Iterable[SourceHealth], now: datetime, reason_width: int, *, with_ages: bool) -> list[Part]:
    listed = list(sources)
    stale = [one for one in listed if one.state == "stale"]
    if len(stale) > 1 and all(one.state in {"stale", "off"} for one in listed):
        return [(f"{STALE} ", Tone.BAD), ("everything is silent", Tone.BAD), *_trouble(stale[:1], now, reason_width)]
    parts: list[Part] = []
    for kind in _ORDER:
        group = [one for one in listed if one.source.kind == kind]
        if not group or (kind in _ONLY_WHEN_TROUBLED and all(one.state in {"fresh", "off"} for one in group)):
            continue
        parts.append((f"{_NAMES.get(kind, kind)} ", Tone.QUIET))
        parts.extend(_SIGNS[one.state] for one in group)
        if with_ages and kind in _WITH_AGE and group[0].state == "fresh":
            parts.append((f" {ago(group[0].seen_at, now)}", Tone.QUIET))
        parts.extend(_trouble(group, now, reason_width))
        parts.append(("  ", Tone.TEXT))
    return parts


def _trouble(group: list[SourceHealth], now: datetime, reason_width: int) -> list[Part]:
    """The first stale source of a kind by name, since when and why, and how many more; or what a fresh one notes."""
    stale = [one for one in group if one.state == "stale"]
    noted = next((one for one in group if one.state == "fresh" and one.note), None)
    if noted is not None and not stale:
        scope = f" {noted.source.scope}:" if noted.source.scope else ""
        text = f" {ALERT}{scope} {shorten(noted.note, reason_width)}"
        return [(text if reason_width else f" {ALERT}", Tone.ATTENTION)]
    if not stale:
        return [(" off", Tone.QUIET)] if all(one.state == "off" for one in group) else []
    first = stale[0]
    text = f" {first.source.scope}".rstrip() + f" stale {ago(first.since, now)}"
    more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
    if reason_width and first.reason:
        return [(text, Tone.BAD), (": " + shorten(first.reason, reason_width), Tone.TEXT), (more, Tone.BAD)]
    return [(text + more, Tone.BAD)]
