"""Resume, abort, retry, pause or restart a rollout, if it is still as a person saw it.

An action is never resumed after a crash: a patch is bound to the revision that was read, so it was applied or it was
not, and the cell shows which. The audit has both the request and its outcome.
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
"""Attempts to patch: a controller may write between our read and our patch. Each attempt compares the rollout again."""


class RolloutActions:
    """Acts on the rollouts of every cluster."""

    def __init__(self, actors: Mapping[ClusterName, RolloutActor], audit: Audit) -> None:
        self._actors = actors
        self._audit = audit

    async def act(
        self, key: CellKey, shown: Rollout, action: RolloutAction, reason: str = "", consent: Consent = NO_CONSENT
    ) -> str:
        """Act on the rollout of a cell as it was `shown` to a person; return what was done, as a sentence.

        Raises:
            RefusedError: it has changed since, or there is nothing to do.
            SgmError: the cluster refuses, or does not answer.
        """
        facts = _audit_facts(key, shown, reason)

        async def record(outcome: str) -> None:
            title = f"{key} {facts['version']}: {outcome}"
            await run_in_thread(self._audit.record, f"rollout-{action}", title=title, **facts)

        await record("asked for")
        try:
            await self._patch(key, shown, action, consent)
        except SgmError as error:
            await record(f"failed: {error.sentence}")
            raise
        await record("done")
        return f"{key.service} {key.cluster}: {outcome(shown, action)}"

    async def _patch(self, key: CellKey, shown: Rollout, action: RolloutAction, consent: Consent) -> None:
        actor = self._actors[key.cluster]
        current = await actor.read(shown.namespace, shown.name)
        pending = _compute_patches(key, shown, current, action)
        has_sent, tries = False, _TRIES
        while pending:
            try:
                current = await actor.patch(current, pending[0], consent)
            except ConflictError:
                tries -= 1
                if not tries:
                    raise
                current = await actor.read(shown.namespace, shown.name)
                # Our first patch changes what the person saw, so the rollout is compared only before it.
                pending = pending if has_sent else _compute_patches(key, shown, current, action)
            except UnreachableError as error:
                hint = "The action may still have been applied: check the cell."
                raise UnreachableError(error.message, hint) from error
            else:
                pending, has_sent = pending[1:], True


def _compute_patches(key: CellKey, shown: Rollout, current: Current, action: RolloutAction) -> tuple[Patch, ...]:
    """Return the patches of an action.

    Raises:
        RefusedError: the rollout is not as it was shown, or there is nothing to do.
    """
    now = derive(current.rollout)
    if has_moved(shown, now):
        raise RefusedError(f"{key} has changed meanwhile: nothing was done", "Check the cell and try again.")
    if why := refusal_reason(now, action):
        raise RefusedError(f"{key}: {why}: nothing was done", "Check the cell and try again.")
    return patches(current.rollout, action, datetime.now(UTC))


def _audit_facts(key: CellKey, shown: Rollout, reason: str) -> dict[str, Any]:
    return {
        "services": [key.service],
        "stage": key.stage,
        "stages": [key.stage],
        "clusters": [key.cluster],
        "rollout": f"{shown.namespace}/{shown.name}",
        "version": shown.new_version or shown.stable_version or "",
        "reason": reason,
    }
