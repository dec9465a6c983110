"""The duration of an update: `status.duration`, which newer controllers write."""

from __future__ import annotations

from typing import Any

from sgm_tui.sandbox.rollouts.conditions import ABORTED, INVALID_SPEC, Status
from sgm_tui.sandbox.rollouts.reconciliation import Round

_WAITS_FOR_A_PERSON = frozenset({"InconclusiveAnalysisRun", "InconclusiveExperiment"})

Duration = dict[str, Any]


def duration_of(look: Round, status: Status) -> Duration | None:
    """Return the duration to write to this status."""
    previous: Duration | None = status.get("duration")
    if any(one["type"] == INVALID_SPEC for one in status.get("conditions", ())):
        return previous
    changed = _is_another_update(look)
    done = _is_done(look, status)
    running = previous is not None and "rolloutStartedAt" in previous and "finishedAt" not in previous
    duration = dict(previous) if previous is not None else None
    if running and duration is not None:
        duration = _ended(look, duration, changed=changed, done=done)
        if "finishedAt" in duration and done:
            return duration
    begins = (changed and not done) or _is_retry(look)
    if begins and (duration is None or ("finishedAt" in duration and not done)):
        duration = {"rolloutStartedAt": look.shop.marks.note(look.rollout.uid, "started")}
    if duration is None or "finishedAt" in duration:
        return duration
    return _with_waiting(look, status, duration)


def _ended(look: Round, duration: Duration, *, changed: bool, done: bool) -> Duration:
    if changed:
        if look.is_rollback:
            duration["completionStatus"] = "FastRolledBack" if look.is_fast_rollback else "RolledBack"
        else:
            duration = _finished(look, duration, "Superseded")
    if "finishedAt" not in duration:
        if done:
            return _finished(look, duration, duration.get("completionStatus", "Promoted"))
        if look.pauses.aborted:
            return _finished(look, duration, duration.get("completionStatus", "Aborted"))
    return duration


def _finished(look: Round, duration: Duration, how: str) -> Duration:
    return {**_resumed(look, duration), "completionStatus": how, "finishedAt": look.shop.marks.stamp()}


def _resumed(look: Round, duration: Duration) -> Duration:
    """Return the total time spent waiting for a person."""
    since = duration.get("manualPauseStartedAt")
    if since is None:
        return duration
    waited = look.shop.marks.now - look.shop.marks.moment(look.rollout.uid, "waiting", since)
    without_pause = {key: value for key, value in duration.items() if key != "manualPauseStartedAt"}
    return {
        **without_pause,
        "totalManualPauseDurationSeconds": int(waited) + without_pause.get("totalManualPauseDurationSeconds", 0),
    }


def _with_waiting(look: Round, status: Status, duration: Duration) -> Duration:
    waits = look.rollout.paused or any(_needs_a_person(look, one) for one in status.get("pauseConditions") or ())
    if waits and "manualPauseStartedAt" not in duration:
        return {**duration, "manualPauseStartedAt": look.shop.marks.note(look.rollout.uid, "waiting")}
    return duration if waits else _resumed(look, duration)


def _needs_a_person(look: Round, pause: dict[str, str]) -> bool:
    reason = pause["reason"]
    if reason == "CanaryPauseStep":
        step = look.rollout.step
        return step is not None and step.get("pause") is not None and "duration" not in step["pause"]
    if reason == "BlueGreenPause":
        return not (look.rollout.blue_green or {}).get("autoPromotionEnabled", True)
    return reason in _WAITS_FOR_A_PERSON


def _is_another_update(look: Round) -> bool:
    return not look.rollout.current_hash or look.update_changed


def _is_done(look: Round, status: Status) -> bool:
    promoted = status.get("stableRS", "") == status.get("currentPodHash", "")
    return promoted and look.new is not None and look.new.available >= look.rollout.replicas


def _is_retry(look: Round) -> bool:
    progressing = look.rollout.condition("Progressing")
    return not look.pauses.aborted and progressing is not None and progressing["reason"] == ABORTED
