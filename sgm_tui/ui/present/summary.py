"""The first line: what fleet this is, what is going on in it, and what time it is."""

from __future__ import annotations

from rich.cells import cell_len

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.fit import Piece, fit
from sgm_tui.ui.present.glyphs import ALERT, JOURNEY
from sgm_tui.ui.present.tones import Line, Tone

_TELLING = (
    (Journey.FAILED, Tone.BAD, 0),
    (Journey.PAUSED, Tone.ATTENTION, 1),
    (Journey.DRIFTED, Tone.ATTENTION, 1),
    (Journey.UNKNOWN, Tone.UNKNOWN, 1),
    (Journey.ROLLING, Tone.BUSY, 2),
    (Journey.SYNCING, Tone.BUSY, 3),
    (Journey.MERGED, Tone.BUSY, 3),
    (Journey.SOAKING, Tone.BUSY, 3),
)


def summary(snapshot: FleetSnapshot, width: int) -> Line:
    """The line in exactly `width` cells; counts outlive names when it is narrow."""
    clock = snapshot.generated_at.astimezone().strftime("%H:%M") if snapshot.fleet.clusters else ""
    room = width - len(clock) - 2
    counts = _counts(snapshot)
    identity = _identity(snapshot)
    needed = sum(cell_len(piece.text) + 2 for piece in counts)
    left = fit([Piece("", Tone.TEXT), *identity], max(min(room - needed, room), 0))
    right = fit(counts, min(room, needed)) if counts else ()
    return ((" ", Tone.TEXT), *left, *right, (clock, Tone.QUIET), (" ", Tone.TEXT))


def _identity(snapshot: FleetSnapshot) -> list[Piece]:
    pieces = [Piece(snapshot.repository or "sgm", Tone.STRONG)]
    if snapshot.branch:
        pieces.append(Piece(f"{snapshot.branch} {snapshot.revision[:7]}", Tone.QUIET, 3))
    if snapshot.fleet.clusters:
        size = f"· {len(snapshot.services)} services × {len(snapshot.fleet.clusters)} clusters"
        pieces.append(Piece(size, Tone.QUIET, 4))
    return pieces


def _counts(snapshot: FleetSnapshot) -> list[Piece]:
    journeys = snapshot.journeys()
    pieces = [
        Piece(f"{JOURNEY[journey]} {journeys[journey]} {journey.value} ", tone, rank)
        for journey, tone, rank in _TELLING
        if journeys[journey]
    ]
    if snapshot.plan.changes:
        pieces.append(Piece(f"+ {len(snapshot.plan.changes)} planned ", Tone.STAGED, 2))
    if requests := len(snapshot.open_pull_requests):
        pieces.append(
            Piece(f"{JOURNEY[Journey.PROPOSED]} {requests} {'PR' if requests == 1 else 'PRs'} ", Tone.STAGED, 2)
        )
    if firing := len(snapshot.firing):
        pieces.append(Piece(f"{ALERT} {firing} {'alert' if firing == 1 else 'alerts'} ", Tone.ATTENTION, 1))
    if not pieces and snapshot.cells:
        pieces.append(Piece(f"{JOURNEY[Journey.SETTLED]} all settled ", Tone.GOOD))
    return pieces
