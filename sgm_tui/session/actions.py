"""Intents that act at once: on a pull request at GitHub, on a rollout in its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.model import CellKey
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.session.connected import ConnectedSession

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Rollout
    from sgm_tui.fleet.pull_request_actions import PullAction
    from sgm_tui.fleet.rollouts.actions import RolloutAction


class ActionIntents(ConnectedSession):
    """Actions on a pull request or a rollout, bound to the state that was shown."""

    async def act_on_pull(self, number: int, head: str, action: PullAction, consent: Consent = NO_CONSENT) -> str:
        """Act on a pull request if its head is still `head`; `consent` is for the protected stages it changes.

        Raises:
            SgmError: GitHub said no, it has moved meanwhile, or consent is missing.
        """
        self._may_write()
        pulls = (await self.wait_for_services()).pulls
        if pulls is None:
            raise SgmError("no pull requests: github.repository is not configured")
        request = next((one for one in self.store.snapshot.pull_requests if one.number == number), None)
        if request is None or request.head != head:
            raise RefusedError(f"#{number} has changed meanwhile: nothing was done", "Review it and try again.")
        outcome = await pulls.act(request, action, consent)
        await self.refresh()
        return outcome

    async def act_on_rollout(
        self, key: CellKey, rollout: Rollout, action: RolloutAction, reason: str = "", consent: Consent = NO_CONSENT
    ) -> str:
        """Act on a cell's rollout if it is still as shown; `consent` is for its stage if that is protected.

        Raises:
            SgmError: the cluster said no, it has moved meanwhile, or consent is missing.
        """
        self._may_write()
        outcome = await (await self.wait_for_services()).rollouts.act(key, rollout, action, reason, consent)
        await self.refresh()
        return outcome
