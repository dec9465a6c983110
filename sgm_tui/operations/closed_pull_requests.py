"""Find pull requests for the same change that were closed unmerged: proposing it again needs consent.

A branch is named after the content of its change, so the same change has the same branch every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, Proposal

_TIMEOUT = 10.0
"""Seconds a preview waits for the forge."""


class ClosedPullRequestFinder(Protocol):
    """Looks up closed pull requests."""

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """Find the newest pull request of a branch of ours, if it was closed without being merged."""
        ...


async def add_closed_pull_requests(
    forge: ClosedPullRequestFinder, proposals: Sequence[Proposal], open_branches: Collection[str]
) -> tuple[Proposal, ...]:
    """Add to each proposal the closed pull request for the same change, or why it is unknown.

    Args:
        forge: looks up pull requests.
        proposals: the proposals of a preview.
        open_branches: branches with an open pull request; it is reused, so their proposals are not looked up.
    """
    return tuple(await asyncio.gather(*(_add_closed(forge, each, open_branches) for each in proposals)))


async def _add_closed(forge: ClosedPullRequestFinder, proposal: Proposal, open_branches: Collection[str]) -> Proposal:
    if proposal.direct or proposal.branch in open_branches:
        return proposal
    try:
        async with asyncio.timeout(_TIMEOUT):
            closed = await forge.find_closed(proposal.branch)
    except SgmError as error:
        closed = ClosedPullRequest(0, reason=error.message)
    except TimeoutError:
        closed = ClosedPullRequest(0, reason=f"GitHub did not answer within {_TIMEOUT:.0f} s")
    return replace(proposal, closed_earlier=closed)
