"""Resume, abort, retry, pause or restart a rollout: the one that a person saw, or none.

Nothing of it is resumed after a crash: a patch is bound to the revision that was read, so it was applied or it was
not, and the cell says which. The audit has both that it was asked for and how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sgm_tui.errors import ConflictError, RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.model import CellKey, ClusterName
from sgm_tui.fleet.rollouts.actions import Patch, RolloutAction, has_moved, outcome, patches, refusal_reason
from sgm_tui.fleet.rollouts.derivation import derive
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.permission import NO_CONSENT, Consent

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Rollout
    from sgm_tui.live.rollout_actor import Current, RolloutActor

_TRIES = 3
"""A controller may write between our reading and our patch; what a person saw is compared anew each time."""


class RolloutActions:
    """Acts on the rollouts of every cluster."""

    def __init__(self, actors: Mapping[ClusterName, RolloutActor], audit: Audit) -> None:
        self._actors = actors
        self._audit = audit

    async def act(
        self, key: CellKey, seen: Rollout, action: RolloutAction, reason: str = "", consent: Consent = NO_CONSENT
    ) -> str:
        """Do it to the rollout that was seen; what happened, in words.

        Raises:
            RefusedError: it has moved meanwhile, or there is nothing to do.
            SgmError: the cluster said no, or did not answer.
        """
        facts = _facts(key, seen, reason)

        async def record(outcome: str) -> None:
            title = f"{key} {facts['version']}: {outcome}"
            await run_in_thread(self._audit.record, f"rollout-{action}", title=title, **facts)

        await record("asked for")
        try:
            await self._carry_out(key, seen, action, consent)
        except SgmError as error:
            await record(f"failed: {error.sentence}")
            raise
        await record("done")
        return f"{key.service} {key.cluster}: {outcome(seen, action)}"

    async def _carry_out(self, key: CellKey, seen: Rollout, action: RolloutAction, consent: Consent) -> None:
        actor = self._actors[key.cluster]
        current = await actor.read(seen.namespace, seen.name)
        left = _judged(key, seen, current, action)
        sent, tries = False, _TRIES
        while left:
            try:
                current = await actor.patch(current, left[0], consent)
            except ConflictError:
                tries -= 1
                if not tries:
                    raise
                current = await actor.read(seen.namespace, seen.name)
                # What has been sent changed what a person saw: only before that is it compared again.
                left = left if sent else _judged(key, seen, current, action)
            except UnreachableError as error:
                said = "The action may still have been applied: check the cell."
                raise UnreachableError(error.message, said) from error
            else:
                left, sent = left[1:], True


def _judged(key: CellKey, seen: Rollout, current: Current, action: RolloutAction) -> tuple[Patch, ...]:
    """What is to be sent.

    Raises:
        RefusedError: it is not what was seen any more, or there is nothing to do.
    """
    now = derive(current.rollout)
    if has_moved(seen, now):
        raise RefusedError(f"{key} has changed meanwhile: nothing was done", "Check the cell and try again.")
    if why := refusal_reason(now, action):
        raise RefusedError(f"{key}: {why}: nothing was done", "Check the cell and try again.")
    return patches(current.rollout, action, datetime.now(UTC))


def _facts(key: CellKey, seen: Rollout, reason: str) -> dict[str, Any]:
    return {
        "services": [key.service],
        "stage": key.stage,
        "stages": [key.stage],
        "clusters": [key.cluster],
        "rollout": f"{seen.namespace}/{seen.name}",
        "version": seen.new_version or seen.stable_version or "",
        "reason": reason,
    }
