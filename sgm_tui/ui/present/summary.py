"""The first line: the fleet, its counts, and the time."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

from rich.cells import cell_len

from sgm_tui.fleet.cell import Journey, Verdict
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.cells import journey_tone
from sgm_tui.ui.present.fit import Piece, fit, pad
from sgm_tui.ui.present.glyphs import ALERT, JOURNEY, WAITING
from sgm_tui.ui.present.silence import unwatched_clusters
from sgm_tui.ui.present.tones import Line, Part, Tone

_LOUD = (Journey.FAILED, Journey.PAUSED, Journey.DRIFTED, Journey.UNKNOWN)
_MOVING = (Journey.ROLLING, Journey.SYNCING, Journey.MERGED, Journey.SOAKING)


def summary(snapshot: FleetSnapshot, width: int) -> Line:
    """Return the line in exactly `width` cells; the words of counts are dropped first, the name last."""
    clock = snapshot.generated_at.astimezone().strftime("%H:%M") if snapshot.fleet.clusters else ""
    room = max(0, width - len(clock) - 2)
    identity = _identity(snapshot)
    least = cell_len(identity[0].text) + 2
    counts: list[Part] = []
    for words in ({*_LOUD, *_MOVING}, {*_LOUD}, set[Journey]()):
        counts = _counts(snapshot, words)
        if sum(cell_len(text) for text, _ in counts) + least <= room:
            break
    needed = sum(cell_len(text) for text, _ in counts)
    identity_parts = fit(identity, max(room - needed, 0))
    return ((" ", Tone.TEXT), *identity_parts, *pad(counts, min(needed, room)), (clock, Tone.QUIET), (" ", Tone.TEXT))


def _identity(snapshot: FleetSnapshot) -> list[Piece]:
    pieces = [Piece(snapshot.repository or "sgm", Tone.STRONG)]
    if snapshot.branch:
        pieces.append(Piece(f"{snapshot.branch} {snapshot.revision[:7]}", Tone.QUIET, 3))
    if snapshot.services:
        services, clusters = len(snapshot.services), len(snapshot.fleet.clusters)
        size = f"· {_counted(services, 'service')} × {_counted(clusters, 'cluster')}"
        pieces.append(Piece(size, Tone.QUIET, 4))
    return pieces


def _counts(snapshot: FleetSnapshot, words: AbstractSet[Journey]) -> list[Part]:
    journeys = snapshot.journeys()
    parts = [
        _count(JOURNEY[journey], journeys[journey], journey.value if journey in words else "", journey_tone(journey))
        for journey in (*_LOUD, *_MOVING)
        if journeys[journey]
    ]
    if snapshot.last_seen is not None:
        parts.insert(
            0, (f"{WAITING} as of {_time_of(snapshot.last_seen.seen_at, snapshot.generated_at)}  ", Tone.UNKNOWN)
        )
    requests, firing, planned = len(snapshot.open_pull_requests), len(snapshot.firing), len(snapshot.plan.changes)
    if planned:
        parts.append(_count(JOURNEY[Journey.STAGED], planned, "planned", Tone.STAGED))
    if requests:
        parts.append(_count(JOURNEY[Journey.PROPOSED], requests, "PR" if requests == 1 else "PRs", Tone.STAGED))
    if firing:
        parts.append(_count(ALERT, firing, "alert" if firing == 1 else "alerts", Tone.ATTENTION))
    if unwatched_clusters(snapshot.sources):
        parts.append((f"{JOURNEY[Journey.UNKNOWN]} alerts unknown  ", Tone.UNKNOWN))
    unwell = sum(cell.verdict is not Verdict.GOOD for cell in snapshot.cells.values())
    if not parts and unwell:
        parts.append(_count(ALERT, unwell, "needs attention" if unwell == 1 else "need attention", Tone.ATTENTION))
    elif not parts and snapshot.cells:
        parts.append((f"{JOURNEY[Journey.SETTLED]} all settled  ", Tone.GOOD))
    return parts


def _time_of(moment: datetime, now: datetime) -> str:
    """Return the local time of a moment, with its date unless that is today."""
    local = moment.astimezone()
    return local.strftime("%H:%M" if local.date() == now.astimezone().date() else "%d %b %H:%M")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _count(sign: str, number: int, word: str, tone: Tone) -> Part:
    return (f"{sign} {number} {word}".rstrip() + "  ", tone)
