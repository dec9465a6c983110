"""What another process holds is waited for beside the event loop, and what is on disk is there before the step."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import builders
import pytest
from holder import held_elsewhere

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.planning import Planning
from sgm_tui.operations.pull_requests import PullRequests
from sgm_tui.operations.state_files import run_in_thread

TURNS = 200
"""Of the loop; it would not make one while something blocks it."""


class Forge:
    """Closes pull requests, and notes what the journal held when it was asked to."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.seen: list[str] = []

    async def close(self, number: int) -> str:
        self.seen = [json.loads(line)["step"] for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return f"#{number} is closed"


async def turns(task: asyncio.Task[object]) -> bool:
    """Let the loop turn; whether the task still waits after that."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return not task.done()


async def test_a_journal_that_another_process_holds_keeps_the_step_back_and_not_the_loop(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    forge = Forge(file)
    pulls = PullRequests(forge, Journal(file), Audit(tmp_path / "audit.jsonl"))
    with held_elsewhere(file) as let_go:
        closing = asyncio.create_task(pulls.act(builders.pull_request(42, "feat: x"), "close"))
        assert await turns(closing)
        assert forge.seen == []
        await asyncio.to_thread(let_go)
        assert await closing == "#42 is closed"
    assert forge.seen == ["act"]
    assert [one["action"] for one in Audit(tmp_path / "audit.jsonl").records()] == ["close"]


async def test_an_audit_that_another_process_holds_is_waited_for_and_the_record_is_not_lost(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    loop, written = asyncio.get_running_loop(), asyncio.Event()

    def record() -> None:
        audit.record("push", operation="1f3a")
        loop.call_soon_threadsafe(written.set)

    with held_elsewhere(audit.file) as let_go:
        recording = asyncio.create_task(run_in_thread(record))
        assert await turns(recording)
        recording.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recording
        await asyncio.to_thread(let_go)
        async with asyncio.timeout(60):
            await written.wait()
    assert audit.records()[0]["operation"] == "1f3a"
    assert audit.verify() is None


async def test_changes_of_the_plan_are_made_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    shown: list[Plan] = []
    planning = Planning(PlanFile(tmp_path / "plan.json"), shown.append)
    first, second = (builders.promotion(builders.key(name, "prod-eu1"), "v2") for name in ("cart", "search"))
    with held_elsewhere(tmp_path / "plan.json") as let_go:
        asked = [
            asyncio.create_task(planning.change(lambda plan: plan.with_change(first))),
            asyncio.create_task(planning.change(lambda plan: plan.with_change(second))),
            asyncio.create_task(planning.change(lambda plan: plan.before_last_step())),
        ]
        assert await turns(asked[0])
        await asyncio.to_thread(let_go)
        await asyncio.gather(*asked)
    assert [len(plan.changes) for plan in shown] == [1, 2, 1]
    assert [one.service for one in shown[-1].changes] == ["cart"]


async def test_a_mark_that_another_process_holds_back_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    marks = KnownBad(tmp_path / "bad.json")
    with held_elsewhere(tmp_path / "bad.json") as let_go:
        marking = asyncio.create_task(run_in_thread(marks.mark, ServiceName("cart"), Version("v2"), "leaks"))
        assert await turns(marking)
        await asyncio.to_thread(let_go)
        await marking
    assert "leaks" in marks.of(ServiceName("cart"))[Version("v2")]


async def test_what_cannot_be_written_is_told_to_who_waits_for_it(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(RefusedError):
        await run_in_thread(Journal(blocker / "journal.jsonl").note, "1f3a", "push")
