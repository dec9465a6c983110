"""Push a proposal to the deployed branch itself, where `policy.direct` allows it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.plans.proposal import Progress, Proposal
from sgm_tui.operations.proposal import identity_of
from sgm_tui.operations.write_steps import WriteSteps, changes_of
from sgm_tui.permission import Consent

_ATTEMPTS = 5
"""How often a push is tried on a branch that keeps moving."""


async def push_directly(steps: WriteSteps, proposal: Proposal, consent: Consent) -> AsyncIterator[Progress]:
    """Push with compare-and-swap; if the branch has moved, the commit is made again on its new head.

    Raises:
        SgmError: the push was refused, or the server does not answer.
    """
    repository, changes = steps.repository, changes_of(proposal)
    identity = identity_of(changes)
    await steps.begin(identity, proposal, consent)
    for attempts_left in range(_ATTEMPTS - 1, -1, -1):
        head = await repository.fetch()
        writes = await steps.compute_writes(head, changes)
        if not writes:
            yield await steps.finish_unchanged(proposal, identity, head)
            return
        commit = await steps.commit(head, writes, proposal)
        await steps.note(identity, "push", branch=repository.branch, commit=commit)
        yield Progress("pushing", proposal, f"pushing {repository.branch}", commit=commit)
        try:
            await repository.push(commit, repository.branch, head, consent)
        except RefusedError:
            if attempts_left and await repository.fetch() != head:
                continue
            raise
        await steps.record("push", identity, proposal, commit=commit, direct=True)
        leftover = await steps.close_superseded(identity, proposal, commit)
        await steps.note(identity, "done", commit=commit)
        text = f"pushed {commit[:8]} to {repository.branch}" + (f" ({leftover})" if leftover else "")
        yield Progress("pushed", proposal, text, commit=commit)
        return
