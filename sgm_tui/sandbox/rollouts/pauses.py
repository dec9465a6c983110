"""Pauses and aborts that a reconciliation decides, applied to the status at its end."""

from __future__ import annotations

import math
from typing import Any

from sgm_tui.durations import pause_seconds
from sgm_tui.sandbox.kubernetes.timestamps import Timestamps
from sgm_tui.sandbox.rollouts.objects import Rollout

CANARY_PAUSE = "CanaryPauseStep"
BLUE_GREEN_PAUSE = "BlueGreenPause"
INCONCLUSIVE = "InconclusiveAnalysisRun"


class Pauses:
    """Pauses to add, remove or clear, and an abort to begin or end."""

    def __init__(self, rollout: Rollout, marks: Timestamps) -> None:
        self._rollout = rollout
        self._marks = marks
        self.added: list[str] = []
        self.removed: set[str] = set()
        self.cleared = False
        self.abort_message: str | None = None
        """Why the reconciliation aborts the update; None if it does not."""
        self.abort_ended = False

    @property
    def aborted(self) -> bool:
        """Return whether the update is aborted."""
        return not self.abort_ended and (self.abort_message is not None or self._rollout.aborted)

    def resume(self) -> None:
        """Clear pauses and abort, for an update that restarts or has finished."""
        self.cleared = True
        self.abort_ended = True

    def started(self, pause: dict[str, str]) -> float:
        """Return when a pause began, in whole seconds as the real controller counts, which ends it that much early."""
        return math.floor(self._marks.moment(self._rollout.uid, pause["reason"], pause["startTime"]))

    def remaining(self, pause: dict[str, str], duration: float) -> float:
        """Return the virtual seconds until a pause ends; not positive if it has."""
        return self.started(pause) + duration - self._marks.now

    def step_is_over(self, step: dict[str, Any]) -> bool:
        """Return whether a pause step is complete: its time is over, or a person resumed it."""
        pause = self._rollout.pause(CANARY_PAUSE)
        if pause is None:
            return self._rollout.controller_pause
        duration = step.get("duration")
        return duration is not None and self.remaining(pause, pause_seconds(str(duration))) <= 0.0

    def switch_is_free(self) -> bool:
        """Return whether a blue-green update need not wait (any longer) before it switches."""
        strategy = self._rollout.blue_green or {}
        pause = self._rollout.pause(BLUE_GREEN_PAUSE)
        if self.added:
            return False
        if self._rollout.preview_passed:
            return True
        if strategy.get("autoPromotionEnabled", True):
            wait = float(strategy.get("autoPromotionSeconds", 0))
            return wait == 0.0 or (pause is not None and self.remaining(pause, wait) <= 0.0)
        return self._rollout.controller_pause and pause is None

    def apply(self, status: dict[str, Any]) -> None:
        """Write the abort and pause fields."""
        if self.abort_message is not None or (not self.abort_ended and self._rollout.aborted):
            status["abort"] = True
            status["abortedAt"] = self._rollout.status.get("abortedAt") or self._marks.stamp()
            return
        for part in ("abort", "abortedAt"):
            status.pop(part, None)
        if self.cleared:
            return
        pauses = [one for one in self._rollout.pauses if one["reason"] not in self.removed]
        reasons = {one["reason"] for one in self._rollout.pauses}
        controller_pause = self._rollout.controller_pause
        for reason in self.added:
            if reason not in reasons:
                pauses.append({"reason": reason, "startTime": self._marks.note(self._rollout.uid, reason)})
                controller_pause = True
        if pauses:
            status["controllerPause"] = controller_pause
            status["pauseConditions"] = pauses
