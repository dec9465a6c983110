"""Two who change the same place at one moment: one gets it, the other is told who.

What was polled is seconds old, so the forge is asked itself just before a push; and because two machines can pass
each other even there, once more when the pull request is open: of two of sgm's the one with the lower number stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Progress, Proposal
from sgm_tui.fleet.policy import Policy
from sgm_tui.operations.rivals import Claim, Commits, claims, stops
from sgm_tui.threads import Lane, run_in


class Clone(Commits, Protocol):
    """The clone, as far as others' pull requests are brought into it."""

    async def fetch(self) -> str:
        """Bring everything here; the head of the branch."""
        ...


class Opened(Protocol):
    """Where pull requests are."""

    async def list_open(self) -> tuple[PullRequest, ...]:
        """Every open one against the deployed branch, as it is now; `marked` as sgm's, `ours` if we opened it."""
        ...


class Contest:
    """Who else changes what a proposal changes, asked at the moment it counts."""

    def __init__(self, policy: Policy, clone: Clone, forge: Opened) -> None:
        self._policy = policy
        self._clone = clone
        self._forge = forge

    async def others(self, proposal: Proposal) -> tuple[PullRequest, ...]:
        """Every other open pull request now; none where the policy, or a person with a reason, lets them be."""
        if not self._changes(proposal):
            return ()
        taken = {one.number for one in proposal.supersedes}
        return tuple(one for one in await self._forge.list_open() if one.number not in taken)

    async def before(self, proposal: Proposal, head: str, others: Sequence[PullRequest]) -> Progress | None:
        """How it ends without being pushed, for another one changes the same place; None where none does.

        Args:
            proposal: what is to be pushed.
            head: the deployed branch, fetched after `others` were asked for.
            others: the open pull requests.
        """
        found = await self._claims(proposal, head, others)
        crossing = next((one for one in found if not _same(one)), None)
        if crossing is not None:
            return Progress("blocked", proposal, f"{_wants(crossing)}: merge or close it", url=crossing.request.url)
        brought = {one.change for one in found}
        if not brought:
            return None
        first = found[0].request
        if len(brought) < len(proposal.edits):
            return Progress("blocked", proposal, f"{_wants(found[0])} meanwhile: stage the rest again", url=first.url)
        text = f"#{first.number} by {first.author} already proposes it"
        return Progress("adopted", proposal, text, first.number, first.url, first.head)

    async def older(self, proposal: Proposal, opened: PullRequest, seen: Iterable[PullRequest]) -> Claim | None:
        """The pull request marked as sgm's that was opened first and changes the same place; None where there is none.

        Args:
            proposal: what was opened.
            opened: its pull request.
            seen: those that `before` has judged.

        Raises:
            SgmError: nobody can tell.
        """
        known = {(one.number, one.head) for one in seen}
        first = [
            one
            for one in await self.others(proposal)
            if one.marked and one.number < opened.number and (one.number, one.head) not in known
        ]
        if not first:
            return None
        found = await self._claims(proposal, await self._clone.fetch(), first)
        return min(found, key=lambda one: one.request.number, default=None)

    async def _claims(self, proposal: Proposal, head: str, others: Sequence[PullRequest]) -> list[Claim]:
        rivals = [one for one in others if one.branch != proposal.branch]
        return await run_in(Lane.GIT_WRITES, claims, self._clone, head, rivals, self._changes(proposal))

    def _changes(self, proposal: Proposal) -> list[Change]:
        """What nobody else may be changing."""
        if proposal.override is not None and "pull-request" in proposal.override.gates:
            return []
        return [edit.change for edit in proposal.edits if stops(self._policy, edit.change)]


def lost_to(claim: Claim, proposal: Proposal, closed: str) -> Progress:
    """What is told of a pull request that was closed again (`closed`, in words) because another one was first."""
    winner = claim.request
    if _same(claim) and len(proposal.edits) == 1:
        text = f"#{winner.number} by {winner.author} was opened first and proposes the same change: {closed}"
        return Progress("adopted", proposal, text, winner.number, winner.url, winner.head)
    return Progress("refused", proposal, f"{_wants(claim)} and was opened first: {closed}", url=winner.url)


def not_known(error: SgmError) -> str:
    """What is left to be said where nobody can tell whether another one was first."""
    return f"could not check for a concurrent pull request: {error.message}"


def _same(claim: Claim) -> bool:
    return claim.whole and claim.version == claim.change.to_version


def _wants(claim: Claim) -> str:
    change, request = claim.change, claim.request
    return f"#{request.number} by {request.author} proposes {change.service} {claim.version} in {change.place}"
