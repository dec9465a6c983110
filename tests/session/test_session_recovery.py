"""Going on with an unfinished write: what it proposes is no longer planned, and what it does not still is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import builders
import pytest

from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import FileEdit, Progress, ProgressStep, Proposal
from sgm_tui.fleet.plans.staging import plan_promotion
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.planning import Planning
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.session import LiveSession, WriteServices


def change(service: str, cluster: str) -> Change:
    found = plan_promotion(builders.release(), builders.key(service, cluster))
    assert isinstance(found, Change)
    return found


class Going:
    """A recovery that ends in one step."""

    def __init__(self, step: ProgressStep, *changes: Change) -> None:
        self._step = step
        self._proposal = Proposal(changes[0].stage, "b", "t", "", tuple(FileEdit(one, "") for one in changes))

    async def resume(self, operation: str, consent: Consent = NO_CONSENT) -> AsyncIterator[Progress]:
        yield Progress(self._step, self._proposal, operation)


@pytest.mark.parametrize(("step", "left"), [("opened", 1), ("adopted", 1), ("pushed", 1), ("failed", 2)])
async def test_what_going_on_has_written_leaves_the_plan(tmp_path: Path, step: ProgressStep, left: int) -> None:
    written, other = change("checkout", "prod-us1"), change("inventory", "staging-eu1")
    session = LiveSession()
    planning = Planning(PlanFile(tmp_path / "plan.json"), session.store.set_plan)
    await planning.change(lambda plan: plan.with_change(written, other))
    desk: Any = SimpleNamespace(recovery=Going(step, written), planning=planning)
    await session.connect(cast(WriteServices, desk))
    assert [one.step async for one in session.resume("1f3a")] == [step]
    assert len(session.store.plan.changes) == left
    assert PlanFile(tmp_path / "plan.json").update(lambda plan: plan) != Plan()
