"""The actions on a rollout: why one is refused, its consequence, and its patches, those of `kubectl argo rollouts`.

One action is narrower than the plugin's: promote only resumes a paused rollout. The plugin skips the running step of a
rollout that is not paused, even an analysis; no key press does that.
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
    """Return why an action cannot be done now; "" when it can."""
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


def consequence(rollout: Rollout, action: RolloutAction, desired: str) -> str:
    """Return what a person has to know before an action; "" when nothing. `desired` is the version in git."""
    if action == "promote" and rollout.pause_seconds is not None:
        return f"It resumes automatically after {rollout.pause_seconds:g} s."
    if action == "abort" and desired and not _is_same(desired, rollout.stable_version):
        return f"git still has {desired}; the cell stays failed until you revert (v) or retry."
    return ""


def outcome(rollout: Rollout, action: RolloutAction) -> str:
    """Return what an action did to a rollout that was in this state, in the past tense or the progressive."""
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


def patches(rollout: RolloutObject, action: RolloutAction, now: datetime) -> tuple[Patch, ...]:
    """Return the patches of an action in the order in which they are sent (protocols B5)."""
    match action:
        case "promote":
            return _promotion_patches(rollout)
        case "abort" | "retry":
            return (Patch("status", {"status": {"abort": action == "abort"}}),)
        case "pause":
            return (Patch("", {"spec": {"paused": True}}),)
        case "restart":
            return (Patch("", {"spec": {"restartAt": f"{now:%Y-%m-%dT%H:%M:%SZ}"}}),)


def _promotion_patches(rollout: RolloutObject) -> tuple[Patch, ...]:
    """Return the patches that resume a paused Rollout.

    The step index moves only where the analysis of the current *step* is inconclusive (the plugin's isInconclusive): a
    background analysis, an experiment or a blue-green's analysis that was inconclusive is evaluated again in place.
    """
    result: list[Patch] = []
    skips = rollout.strategy == "Canary" and rollout.steps and rollout.step_analysis_phase == "Inconclusive"
    if skips and rollout.pause_reasons and rollout.controller_pause:
        following = min((rollout.step_index or 0) + 1, len(rollout.steps))
        skip_step = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following}
        result.append(Patch("status", {"status": skip_step}))
    elif rollout.pause_reasons:
        result.append(Patch("status", {"status": {"pauseConditions": None}}))
    if rollout.paused:
        result.append(Patch("", {"spec": {"paused": False}}))
    return tuple(result)


def _is_same(version: str | None, other: str | None) -> bool:
    return bool(version and other) and is_same_image(str(version), str(other))


def has_moved(then: Rollout, now: Rollout) -> bool:
    """Return whether the rollout is at another update or another gate than when the action was requested."""
    other_version = bool(then.spec_version and now.spec_version) and not _is_same(then.spec_version, now.spec_version)
    other_update = other_version or then.current_hash != now.current_hash
    at_gate = then.phase == now.phase == "Paused"
    other_gate = at_gate and (then.step, then.pause_reason) != (now.step, now.pause_reason)
    return then.uid != now.uid or other_update or then.aborted != now.aborted or other_gate
