"""What a person can do to a rollout, why not, and the exact patches that do it: those of `kubectl argo rollouts`.

Narrower than the plugin in one thing: promoting only resumes a paused rollout. Of one that is not paused the plugin
skips the running step, an analysis too; no key press does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sgm_tui.fleet.facts import Rollout
from sgm_tui.fleet.rollouts.objects import RolloutObject
from sgm_tui.fleet.versions import is_same_image

RolloutAction = Literal["promote", "abort", "retry", "pause", "restart"]

ACTION_EFFECTS: Mapping[RolloutAction, str] = {
    "promote": "resume it",
    "abort": "abort it: all traffic and pods return to the stable version",
    "retry": "retry the aborted update from its first step",
    "pause": "pause it at its current step until someone resumes it",
    "restart": "restart its pods, some at a time",
}
_UNDER_WAY = frozenset({"Progressing", "Paused"})


@dataclass(frozen=True, slots=True)
class Patch:
    """One merge patch."""

    subresource: str
    """"status", or "" for the object itself."""
    body: Mapping[str, Any]


def refusal_reason(rollout: Rollout | None, action: RolloutAction) -> str:
    """Why an action cannot be done now; "" when it can."""
    if rollout is None:
        return "there is no Rollout here"
    moves = rollout.phase in _UNDER_WAY and not rollout.aborted
    match action:
        case "promote":
            waits = rollout.phase == "Paused" and not rollout.aborted
            return "" if waits else "the rollout is not paused"
        case "abort":
            if rollout.aborted:
                return "the rollout is already aborted"
            return "" if moves and rollout.current_hash != rollout.stable_hash else "no update is in progress"
        case "retry":
            return "" if rollout.aborted else "the rollout is not aborted"
        case "pause":
            return "" if moves and rollout.phase != "Paused" else "no update is in progress"
        case "restart":
            return ""


def consequence(rollout: Rollout, action: RolloutAction, wanted: str) -> str:
    """What a person has to know before; "" when there is nothing. `wanted` is the version in git."""
    if action == "promote" and rollout.pause_seconds is not None:
        return f"It resumes automatically after {rollout.pause_seconds:g} s."
    if action == "abort" and wanted and not _is_same(wanted, rollout.stable_version):
        return f"git still has {wanted}; the cell stays failed until you revert (v) or retry."
    return ""


def outcome(rollout: Rollout, action: RolloutAction) -> str:
    """Return what has happened to a rollout that was in this state, in the past tense or the progressive."""
    step = f"step {rollout.step}/{rollout.steps}" if rollout.steps and rollout.step is not None else ""
    match action:
        case "promote":
            return f"resumed past {step}" if step else "resumed"
        case "abort":
            return f"aborted: traffic and pods return to {rollout.stable_version or 'the stable version'}"
        case "retry":
            return f"retrying {rollout.spec_version or rollout.new_version or 'the update'} from its first step"
        case "pause":
            return f"paused at {step}" if step else "paused"
        case "restart":
            return "restarting its pods"


def patches(seen: RolloutObject, action: RolloutAction, now: datetime) -> tuple[Patch, ...]:
    """What is sent, in this order (protocols B5)."""
    match action:
        case "promote":
            return _promotion(seen)
        case "abort" | "retry":
            return (Patch("status", {"status": {"abort": action == "abort"}}),)
        case "pause":
            return (Patch("", {"spec": {"paused": True}}),)
        case "restart":
            return (Patch("", {"spec": {"restartAt": f"{now:%Y-%m-%dT%H:%M:%SZ}"}}),)


def _promotion(seen: RolloutObject) -> tuple[Patch, ...]:
    """Return what resumes a Rollout that waits.

    The step index moves only where the analysis of the current *step* is inconclusive (the plugin's isInconclusive): a
    background analysis, an experiment or a blue-green's analysis that came to no result is looked at anew where it is.
    """
    found: list[Patch] = []
    skips = seen.strategy == "Canary" and seen.steps and seen.step_analysis_phase == "Inconclusive"
    if skips and seen.pause_reasons and seen.controller_pause:
        following = min((seen.step_index or 0) + 1, len(seen.steps))
        over = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following}
        found.append(Patch("status", {"status": over}))
    elif seen.pause_reasons:
        found.append(Patch("status", {"status": {"pauseConditions": None}}))
    if seen.paused:
        found.append(Patch("", {"spec": {"paused": False}}))
    return tuple(found)


def _is_same(version: str | None, other: str | None) -> bool:
    return bool(version and other) and is_same_image(str(version), str(other))


def has_moved(then: Rollout, now: Rollout) -> bool:
    """Whether it is another update, or at another gate, than the one that was asked about."""
    other_version = bool(then.spec_version and now.spec_version) and not _is_same(then.spec_version, now.spec_version)
    other_update = other_version or then.current_hash != now.current_hash
    at_gate = then.phase == now.phase == "Paused"
    other_gate = at_gate and (then.step, then.pause_reason) != (now.step, now.pause_reason)
    return then.uid != now.uid or other_update or then.aborted != now.aborted or other_gate
