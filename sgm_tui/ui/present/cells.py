"""A cell of the matrix as a line of any width: version, sign, then as many facts as fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.cell import Cell, Journey, Verdict, failing_version
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.rollouts.weights import percent_text
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.fit import Piece, fit, short_version
from sgm_tui.ui.present.glyphs import ALERT, ARROW, JOURNEY, SKEWED, WAITING, sparkline
from sgm_tui.ui.present.marks import NONE, Marks
from sgm_tui.ui.present.tones import Line, Part, Tone, tone_of

GLYPH_FIRST_BELOW = 12
"""Narrower cells show the sign first, so that a column of them can be scanned."""

_ABSENT = "·"
_TREND_WIDTH = 4
_WIDEST_OTHER = 14
"""The most terminal cells for the second version of a cell."""
_FRESHLY_SETTLED = timedelta(hours=1)
_AT_REST = frozenset({Journey.SETTLED, Journey.SOAKING, Journey.PROPOSED, Journey.STAGED})
_MOVING = frozenset({Journey.MERGED, Journey.SYNCING, Journey.ROLLING, Journey.PAUSED})
_URGENCY = (
    Journey.FAILED,
    Journey.DRIFTED,
    Journey.PAUSED,
    Journey.UNKNOWN,
    Journey.ROLLING,
    Journey.SYNCING,
    Journey.MERGED,
    Journey.SOAKING,
    Journey.PROPOSED,
    Journey.STAGED,
    Journey.SETTLED,
)


def urgency(cell: Cell) -> int:
    """Return how soon a person should look: 0 is now."""
    position = _URGENCY.index(cell.journey)
    return min(position, _URGENCY.index(Journey.PAUSED)) if cell.verdict is Verdict.ATTENTION else position


def wants_attention(cell: Cell) -> bool:
    """Return whether the attention filter (`f`) keeps the cell."""
    return cell.verdict is not Verdict.GOOD or cell.journey is not Journey.SETTLED


def by_urgency(journeys: Iterable[Journey]) -> list[Journey]:
    """Return the journeys, the most urgent first."""
    return sorted(journeys, key=_URGENCY.index)


def journey_tone(journey: Journey) -> Tone:
    """Return the usual tone of a journey, for a legend."""
    match journey:
        case Journey.FAILED:
            return Tone.BAD
        case Journey.PAUSED | Journey.DRIFTED:
            return Tone.ATTENTION
        case Journey.STAGED | Journey.PROPOSED:
            return Tone.STAGED
        case Journey.UNKNOWN:
            return Tone.UNKNOWN
        case Journey.SETTLED:
            return Tone.QUIET
        case _:
            return Tone.BUSY


def cell_line(cell: Cell, marks: Marks, now: datetime, width: int) -> Line:
    """Return the cell in exactly `width` terminal cells."""
    narrow = width < GLYPH_FIRST_BELOW
    tone = tone_of(cell)
    glyph = Piece(JOURNEY[cell.journey], tone)
    if narrow:
        return _narrow_line(cell, marks, glyph, width)
    room = width - 2 - sum(len(one.text) + 1 for one in _alarms(cell)[:1])
    version = Piece(short_version(_headline(cell), room), _version_tone(cell, tone))
    runs = [*_coming_from(cell), version, *_doubted(cell, glyph)]
    if cell.journey is Journey.FAILED and cell.live_version is None:
        runs = [glyph, version]  # nothing is known to run: the version is the one that fails
    pieces = [*runs, *_progress(cell, tone, now), *_extras(cell, marks, width)]
    return fit(pieces, width)


def _narrow_line(cell: Cell, marks: Marks, glyph: Piece, width: int) -> Line:
    """Return sign and version; a firing alert comes first, instead of a sign that means "settled".

    Only colour would say so otherwise, where the number of alerts does not fit.
    """
    lead = _doubted(cell, glyph)
    if _serves_badly(cell):
        alert = Piece(ALERT, Tone.ATTENTION)
        lead = [alert] if cell.journey is Journey.SETTLED else [*(one._replace(glued=True) for one in lead), alert]
    version = Piece(short_version(_headline(cell), width - len(lead) - 1), _version_tone(cell, glyph.tone))
    return fit([*lead, version, *_row_marks(cell, marks)], width)


def _doubted(cell: Cell, glyph: Piece) -> list[Piece]:
    """Return the sign, followed by that of the unknown if a source this cell depends on does not respond."""
    if not cell.facts.unavailable_kinds or cell.journey is Journey.UNKNOWN:
        return [glyph]
    return [glyph._replace(glued=True), Piece(JOURNEY[Journey.UNKNOWN], Tone.UNKNOWN)]


def absent_sign(snapshot: FleetSnapshot) -> Part:
    """Return what stands where there is no cell; before git has been read, whether there is one is unknown."""
    is_known = bool(snapshot.revision) or not snapshot.silence_reason("git")
    return (_ABSENT, Tone.QUIET) if is_known else (JOURNEY[Journey.UNKNOWN], Tone.UNKNOWN)


def last_seen_line(versions: Sequence[Version], width: int) -> Line:
    """Return what an earlier run saw of a cell, or of a folded stage: nothing about it is confirmed yet."""
    sign = Piece(WAITING, Tone.UNKNOWN)
    shown = f"{versions[0]}" if len(versions) == 1 else f"{len(versions)}"
    if not shown:
        return fit([sign], width)
    version = Piece(short_version(Version(shown), width - 2), Tone.UNKNOWN)
    return fit([sign, version] if width < GLYPH_FIRST_BELOW else [version, sign], width)


def folded_line(cells: Sequence[Cell], width: int) -> Line:
    """Return a folded stage of one row: its journeys counted, the most urgent first."""
    counts = Counter(cell.journey for cell in cells)
    tones = {cell.journey: tone_of(cell) for cell in sorted(cells, key=urgency, reverse=True)}
    shown = by_urgency(counts)
    pieces = [Piece(f"{JOURNEY[journey]}{counts[journey]}", tones[journey], rank) for rank, journey in enumerate(shown)]
    if alerting := sum(map(_serves_badly, cells)):
        pieces.insert(1, Piece(f"{ALERT}{alerting}", Tone.ATTENTION, 1))
    return fit(pieces, width)


def progress_words(cell: Cell) -> tuple[str, str]:
    """Return step and weight of a rollout in progress, such as ("3/8", "30%"); "" if there is none."""
    rollout = cell.facts.rollout
    if rollout is None:
        return "", ""
    step = f"{rollout.step}/{rollout.steps}" if rollout.steps and rollout.step is not None else ""
    weight = rollout.actual_weight if rollout.actual_weight is not None else rollout.set_weight
    if rollout.strategy == "BlueGreen":
        return step, f"{rollout.updated}/{rollout.desired} updated" if rollout.desired else ""
    return step, percent_text(weight) if weight is not None else ""


def failure_word(cell: Cell) -> str:
    """Return what failed, in one word."""
    facts = cell.facts
    if facts.desired is not None and facts.desired.version is None:
        return "git"
    application, rollout = facts.application, facts.rollout
    if application is not None and application.operation is not None and application.operation.failing:
        return "sync"
    if application is not None and any(condition.is_error for condition in application.conditions):
        return "error"
    if rollout is not None and rollout.aborted:
        return "abort"
    if rollout is not None and rollout.phase != "Degraded" and rollout.desired > 0 and rollout.ready <= 0:
        return "down"
    return "degraded"


def _headline(cell: Cell) -> Version | None:
    if cell.journey in _MOVING:
        return cell.new_version or cell.desired_version or cell.live_version
    return cell.live_version or cell.desired_version


def _version_tone(cell: Cell, tone: Tone) -> Tone:
    if cell.journey in {Journey.STAGED, Journey.PROPOSED}:
        return Tone.QUIET
    if cell.journey is Journey.SETTLED:
        return Tone.QUIET if cell.verdict is Verdict.GOOD else Tone.TEXT
    return tone if cell.journey is Journey.UNKNOWN else Tone.TEXT


def _coming_from(cell: Cell) -> list[Piece]:
    """Return the version that is being replaced, before an arrow."""
    new, old = _headline(cell), cell.live_version
    if cell.journey not in _MOVING or old is None or old == new:
        return []
    return [Piece(f"{short_version(old, _WIDEST_OTHER)}{ARROW}", Tone.QUIET, 3, glued=True)]


def _progress(cell: Cell, tone: Tone, now: datetime) -> list[Piece]:
    passed = Piece(age(now - cell.since), Tone.QUIET, 5)
    step, weight = progress_words(cell)
    facts = cell.facts
    match cell.journey:
        case Journey.SETTLED:
            return [passed] if now - cell.since < _FRESHLY_SETTLED else []
        case Journey.STAGED:
            return [Piece(f"{facts.staged}", tone, 1), Piece("planned", tone, 4)]
        case Journey.PROPOSED:
            proposed = [proposal for proposal in facts.pending if proposal.version != cell.desired_version]
            return [Piece(f"{proposal.version}", tone, 2) for proposal in proposed[:1]] + [
                Piece(f"#{proposal.number}", tone, 1) for proposal in proposed[:1]
            ]
        case Journey.MERGED:
            return [Piece("merged", tone, 1), passed]
        case Journey.SYNCING:
            return [Piece("sync", tone, 1), passed]
        case Journey.SOAKING:
            return [Piece("soak", tone, 2), passed]
        case Journey.ROLLING | Journey.PAUSED if "rollouts" in facts.unavailable_kinds:
            return [passed]  # Argo CD says so; the step is what was seen last
        case Journey.ROLLING | Journey.PAUSED:
            gate = [Piece("gate", tone, 6)] if _waits_for_a_person(cell) else []
            return [Piece(step, tone, 2), Piece(weight, tone, 1), *gate, passed]
        case Journey.FAILED:
            failing = failing_version(cell) if cell.live_version is not None else None
            shown = [Piece(short_version(failing, _WIDEST_OTHER), tone, 1)] if failing is not None else []
            return [*shown, Piece(failure_word(cell), tone, 2), passed]
        case Journey.DRIFTED:
            return [Piece("drift", tone, 1), passed]
        case Journey.UNKNOWN:
            return [] if facts.loading else [Piece(age(now - cell.since), tone, 1)]


def _waits_for_a_person(cell: Cell) -> bool:
    rollout = cell.facts.rollout
    return cell.journey is Journey.PAUSED and rollout is not None and rollout.pause_seconds is None


def _extras(cell: Cell, marks: Marks, width: int) -> list[Piece]:
    pieces = [*_alarms(cell), *_row_marks(cell, marks)]
    metrics = cell.facts.metrics
    is_fresh = "metrics" not in cell.facts.stale_kinds
    if metrics is not None and metrics.trend and is_fresh and cell.journey is not Journey.UNKNOWN and width >= 16:
        pieces.insert(0, Piece(sparkline(metrics.trend, _TREND_WIDTH), Tone.QUIET, 7))
    return pieces


def _alarms(cell: Cell) -> list[Piece]:
    """Return the firing alerts and the errors; the first is never dropped, for a canary's weight is no reason to."""
    firing = _firing(cell)
    pieces = [Piece(f"{ALERT}{firing}", Tone.ATTENTION)] if firing else []
    errors = cell.facts.excessive_errors
    if errors is not None:
        pieces.append(Piece(f"{'' if firing else ALERT}{errors:.0%}", Tone.ATTENTION, 2 if firing else 0))
    return pieces


def _serves_badly(cell: Cell) -> bool:
    return _firing(cell) > 0 or cell.facts.excessive_errors is not None


def _firing(cell: Cell) -> int:
    return sum(alert.state == "firing" for alert in cell.facts.alerts)


def _row_marks(cell: Cell, marks: Marks) -> list[Piece]:
    pieces: list[Piece] = []
    if marks is NONE or cell.journey is Journey.UNKNOWN:
        return pieces
    if marks.skewed and cell.journey is not Journey.DRIFTED:
        pieces.append(Piece(SKEWED, Tone.ATTENTION, 3))
    if marks.distance and cell.journey in _AT_REST:
        pieces.append(Piece(marks.distance, Tone.TEXT, 4))
    return pieces
