"""Whether somebody closed a pull request for the very same change before: proposing it again needs a word of consent.

A branch is named after the content of its change, so the same change asked for again has the same branch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from sgm_tui.errors import SgmError
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, Proposal

_SECONDS = 10.0
"""A plan does not wait longer than that to be shown."""


class Closed(Protocol):
    """Where pull requests are looked up."""

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """The newest pull request of a branch of ours, if somebody closed it without merging it."""
        ...


async def with_closed_earlier(
    forge: Closed, proposals: Sequence[Proposal], open_branches: Collection[str]
) -> tuple[Proposal, ...]:
    """The proposals with the pull request somebody closed for the same change, or why that is unknown.

    Args:
        forge: where they are looked up.
        proposals: what would be proposed.
        open_branches: branches that are proposed now: what is open is only found again.
    """
    return tuple(await asyncio.gather(*(_with_one(forge, one, open_branches) for one in proposals)))


async def _with_one(forge: Closed, proposal: Proposal, open_branches: Collection[str]) -> Proposal:
    if proposal.direct or proposal.branch in open_branches:
        return proposal
    try:
        async with asyncio.timeout(_SECONDS):
            earlier = await forge.find_closed(proposal.branch)
    except SgmError as error:
        earlier = ClosedPullRequest(0, reason=error.message)
    except TimeoutError:
        earlier = ClosedPullRequest(0, reason=f"GitHub did not answer within {_SECONDS:.0f} s")
    return replace(proposal, closed_earlier=earlier)
