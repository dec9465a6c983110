"""A rollout as text and bars: steps, weight, ReplicaSets and analysis."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sgm_tui.fleet.images import parse_image
from sgm_tui.fleet.rollouts.weights import percent_text
from sgm_tui.ui.present.ages import ago
from sgm_tui.ui.present.fit import wrapped
from sgm_tui.ui.present.glyphs import CURRENT, DONE, EMPTY, FULL, TODO
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import AnalysisRun, ReplicaSet, Rollout

_MESSAGE_LINES = 4
"""The most lines of a controller's message, which says why something failed."""
_PHASES = {"Healthy": Tone.GOOD, "Progressing": Tone.BUSY, "Paused": Tone.ATTENTION, "Degraded": Tone.BAD}
_ANALYSIS = {"Successful": Tone.GOOD, "Running": Tone.BUSY, "Pending": Tone.BUSY, "Inconclusive": Tone.ATTENTION}
_SETS = {"Healthy": Tone.GOOD, "Progressing": Tone.BUSY, "ScaledDown": Tone.QUIET, "ReplicaFailure": Tone.BAD}


def phase_lines(rollout: Rollout, width: int) -> list[Line]:
    """Return strategy, phase and the controller's message, on lines of its own if it is long."""
    phase: Line = (
        (f"{rollout.strategy} ", Tone.TEXT),
        (rollout.phase, _PHASES.get(rollout.phase, Tone.UNKNOWN)),
    )
    used = len(rollout.strategy) + len(rollout.phase) + 3
    if len(rollout.message) <= width - used:
        return [(*phase, (f"  {rollout.message}" if rollout.message else "", Tone.TEXT))]
    return [phase, *(((line, Tone.TEXT),) for line in wrapped(rollout.message, width, _MESSAGE_LINES))]


def bar(fraction: float, width: int, tone: Tone) -> Line:
    """Return a progress bar in `width` cells."""
    full = max(0, min(width, round(fraction * width)))
    return ((FULL * full, tone), (EMPTY * (width - full), Tone.QUIET))


def weight_line(rollout: Rollout, width: int) -> Line:
    """Show the new version's share of the traffic, and the target share where it differs."""
    weight = rollout.actual_weight if rollout.actual_weight is not None else rollout.set_weight
    if weight is None:
        fraction = rollout.updated / rollout.desired if rollout.desired else 0.0
        words = f" {rollout.updated}/{rollout.desired} updated"
    else:
        fraction = weight / 100
        target = rollout.set_weight
        words = f" {percent_text(weight)}"
        if target is not None and target != weight:
            words = f" weight {percent_text(weight)} (target {percent_text(target)})"
    return (*bar(fraction, width, _PHASES.get(rollout.phase, Tone.BUSY)), (words, Tone.TEXT))


def step_line(rollout: Rollout, width: int) -> Line:
    """Return the steps in one line with the current one marked; only those around it if there are too many."""
    names = [_brief(step.text) for step in rollout.canary_steps]
    at = rollout.step if rollout.step is not None else len(names)
    parts: list[Part] = []
    first = 0
    while first < at and sum(len(name) + 3 for name in names[first : at + 3]) > width:
        first += 1
    if first:
        parts.append((f"…{first} done  ", Tone.QUIET))
    for index, name in enumerate(names[first:], first):
        parts.extend(_step(index, at, name, rollout))
        parts.append(("  ", Tone.TEXT))
    return tuple(parts)


def step_list(rollout: Rollout) -> list[Line]:
    """Return one step a line."""
    at = rollout.step if rollout.step is not None else len(rollout.canary_steps)
    return [tuple(_step(index, at, step.text, rollout)) for index, step in enumerate(rollout.canary_steps)]


def set_line(replica_set: ReplicaSet, tag: str) -> Line:
    """Return one ReplicaSet: its role in the rollout, its pods and its image."""
    roles = [name for name in ("stable", "canary", "active", "preview") if getattr(replica_set, name)]
    return (
        (f"rev {replica_set.revision} ", Tone.QUIET),
        (f"{'/'.join(roles) or 'old':<7} ", Tone.TEXT),
        (tag, Tone.STRONG),
        (f"  {replica_set.ready}/{replica_set.desired} ", Tone.TEXT),
        (replica_set.status, _SETS.get(replica_set.status, Tone.UNKNOWN)),
    )


def analysis_lines(run: AnalysisRun, now: datetime, width: int, current: str = "") -> list[Line]:
    """Return one AnalysisRun: its phase, measurements and message.

    A run of other pods than those of the hash `current` names its revision: its failure is not theirs.
    """
    revision = f"rev {run.revision} " if current and run.hash != current else ""
    counts = ", ".join(
        f"{count} {word}"
        for count, word in (
            (run.successful, "passed"),
            (run.failed, "failed"),
            (run.inconclusive, "inconclusive"),
            (run.error, "errors"),
        )
        if count
    )
    tone = _ANALYSIS.get(run.phase, Tone.BAD if run.phase in {"Failed", "Error"} else Tone.UNKNOWN)
    lines: list[Line] = [
        (
            (f"{revision}{run.kind.lower()} analysis ", Tone.QUIET if revision else Tone.TEXT),
            (run.phase or "not started", tone),
            (f"  {counts}" if counts else "", Tone.TEXT),
            (f"  {ago(run.started_at, now)}" if run.started_at else "", Tone.QUIET),
        )
    ]
    message_tone = Tone.BAD if tone is Tone.BAD else Tone.TEXT
    lines.extend(((line, message_tone),) for line in wrapped(run.message, width, _MESSAGE_LINES))
    return lines


def tag_of(image: str) -> str:
    """Return the tag of an image reference, or the beginning of its digest where it has no tag."""
    reference = parse_image(image)
    if reference.digest and not reference.tag:
        return reference.digest.removeprefix("sha256:")[:10]
    return reference.tag or reference.version


def _step(index: int, at: int, name: str, rollout: Rollout) -> list[Part]:
    if index < at:
        return [(f"{DONE} ", Tone.GOOD), (name, Tone.QUIET)]
    if index == at:
        tone = _PHASES.get(rollout.phase, Tone.BUSY)
        return [(f"{CURRENT} ", tone), (name, Tone.STRONG)]
    return [(f"{TODO} ", Tone.QUIET), (name, Tone.QUIET)]


def _brief(name: str) -> str:
    kind, _, value = name.partition(": ")
    match kind:
        case "setWeight":
            return f"{value}%"
        case "pause":
            return f"pause {value}".rstrip()
        case _:
            return name
