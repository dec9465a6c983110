"""Each kind of blocking call has threads of its own: reads that hang keep no write waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sgm_tui.config.schema import Config, GithubConfig, RepositoryConfig
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.forge.github import GithubForge
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.planning import Planning
from sgm_tui.operations.state_files import run_in_thread
from sgm_tui.threads import Lane, run_in

HANGING = 20
PATIENCE = 60.0
"""Seconds after which a test that would hang for ever fails; no test takes them otherwise."""

CONFIG = Config(
    repository=RepositoryConfig(url="https://127.0.0.1:1/acme/gitops.git"),
    stages=(),
    github=GithubConfig(repository="acme/gitops", api_url="http://127.0.0.1:1"),
)


@pytest.fixture
async def hanging() -> AsyncIterator[Callable[[Callable[[], Any]], None]]:
    """Start calls that hang until the test ends."""
    tasks: list[asyncio.Task[Any]] = []

    def start(call: Callable[[], Any]) -> None:
        tasks.extend(asyncio.ensure_future(call()) for _ in range(HANGING))

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Gate:
    """What a hanging call waits for; it says how many hang."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)

    def wait(self, *_: object, **__: object) -> Any:
        self.entered.release()
        self.open.wait(PATIENCE)


@pytest.fixture
def gate() -> Any:
    one = Gate()
    yield one
    one.open.set()


async def test_twenty_slow_github_reads_do_not_delay_the_journal_audit_or_plan(
    tmp_path: Path, hanging: Callable[..., None], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = GithubForge(CONFIG, "")
    monkeypatch.setattr(forge._listing, "list_recent", gate.wait)
    hanging(lambda: forge.list_recent(lambda _: None))
    await asyncio.to_thread(gate.entered.acquire)
    shown: list[Plan] = []
    async with asyncio.timeout(PATIENCE):
        await run_in_thread(Journal(tmp_path / "journal.jsonl").note, "op", "commit")
        await run_in_thread(Audit(tmp_path / "audit.jsonl").record, "push")
        await Planning(PlanFile(tmp_path / "plan.json"), shown.append).change(lambda plan: plan)
    assert (len(shown), len(Audit(tmp_path / "audit.jsonl").records())) == (1, 1)
    assert list(Journal(tmp_path / "journal.jsonl").unfinished()) == ["op"]


async def test_a_write_to_github_does_not_wait_behind_its_reads(
    hanging: Callable[..., None], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = GithubForge(CONFIG, "")
    monkeypatch.setattr(forge._listing, "list_recent", gate.wait)
    monkeypatch.setattr(forge._actions, "close", lambda number: f"#{number} is closed")
    hanging(lambda: forge.list_recent(lambda _: None))
    await asyncio.to_thread(gate.entered.acquire)
    async with asyncio.timeout(PATIENCE):
        assert await forge.close(7) == "#7 is closed"


async def test_a_push_does_not_wait_behind_a_fetch_that_hangs(
    tmp_path: Path, hanging: Callable[..., None], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository("https://127.0.0.1:1/acme/gitops.git", "main", tmp_path)
    monkeypatch.setattr(repository, "_fetch", gate.wait)
    pushed: list[tuple[str, ...]] = []
    monkeypatch.setattr(repository._process, "run", lambda *arguments, **_: pushed.append(arguments) or b"")
    hanging(repository.fetch)
    await asyncio.to_thread(gate.entered.acquire)
    async with asyncio.timeout(PATIENCE):
        await repository.push("a" * 40, "sgm/x", "")
    assert [one[0] for one in pushed] == ["push"]


@pytest.mark.parametrize("busy", list(Lane), ids=lambda lane: lane.name)
async def test_no_kind_of_blocking_call_keeps_another_kind_waiting(
    busy: Lane, hanging: Callable[..., None], gate: Gate
) -> None:
    hanging(lambda: run_in(busy, gate.wait))
    await asyncio.to_thread(gate.entered.acquire)
    async with asyncio.timeout(PATIENCE):
        for lane in Lane:
            if lane is not busy:
                assert await run_in(lane, lambda name=lane.name: name) == lane.name
