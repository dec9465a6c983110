"""Nothing blocking runs on the event loop: over a session's start and the walks a person takes.

What blocks is seen by its name (Python's audit events), not by how long it takes, so that a fast machine hides nothing
and a slow one invents nothing. How much a callback computes is measured in processor time, against a control.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import gc
import inspect
import os
import stat
import sys
import threading
import time
from asyncio import events
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from test_commands import Fleet

from sgm_tui.commands.common import load_config
from sgm_tui.config.schema import Config
from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import Override, WriteOptions
from sgm_tui.permission import Consent
from sgm_tui.session import LiveSession
from sgm_tui.wiring import open_session

pytestmark = pytest.mark.xdist_group("commands")

KEY = CellKey(ServiceName("checkout"), StageName("prod"), ClusterName("prod-eu1"))
PATIENCE = 120.0
LONGEST = 0.05
"""Seconds of processor time one callback may take, on a machine as fast as the control says."""
CONTROL = 0.008
"""Seconds the control takes on the machine on which LONGEST was chosen."""
BLOCKING = frozenset(
    {
        "open",
        "subprocess.Popen",
        "os.posix_spawn",
        "os.system",
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.scandir",
        "os.listdir",
        "os.truncate",
        "fcntl.flock",
        "fcntl.lockf",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "time.sleep",
        "sqlite3.connect",
    }
)
LIBRARIES_OWN = ("<frozen importlib", "/asyncio/unix_events.py", "/asyncio/base_subprocess.py")
"""Where importing a module late, or starting a child asynchronously, is what happens."""


@dataclass
class LoopWatch:
    """What one thread's event loop was kept from turning by."""

    thread: int = field(default_factory=threading.get_ident)
    blocked: list[str] = field(default_factory=list)
    longest: tuple[float, str] = (0.0, "")

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Note a blocking call of our thread; wrapping an open descriptor and releasing a lock never block."""
        if event not in BLOCKING or threading.get_ident() != self.thread or events._get_running_loop() is None:
            return
        if event == "open" and isinstance(args[0], int):
            return
        if event == "fcntl.flock" and args[1] == fcntl.LOCK_UN:
            return
        frames = []
        frame = inspect.currentframe()
        while frame is not None:
            frames.append((frame.f_code.co_filename, f"{frame.f_code.co_name}:{frame.f_lineno}"))
            frame = frame.f_back
        if not any(part in file for file, _ in frames for part in LIBRARIES_OWN):
            way = " < ".join(f"{Path(file).name} {name}" for file, name in frames[2:24])
            self.blocked.append(f"{event} {args[:1]!s:.80}: {way}")


_watch: LoopWatch | None = None


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if _watch is not None:
        _watch.hear(event, args)


sys.addaudithook(_hear)


@contextlib.contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopWatch]:
    """Watch the running loop's thread for the length of the block."""
    global _watch
    watch, run, fsync = LoopWatch(), events.Handle._run, os.fsync

    def timed(handle: events.Handle) -> None:
        begun = time.thread_time()
        run(handle)
        took = time.thread_time() - begun
        if took > watch.longest[0] and threading.get_ident() == watch.thread:
            watch.longest = (took, repr(handle))

    def synced(descriptor: int) -> None:
        watch.hear("time.sleep", ("fsync",))
        fsync(descriptor)

    gc.collect()
    gc.freeze()
    with monkeypatch.context() as patched:
        patched.setattr(events.Handle, "_run", timed)
        patched.setattr(os, "fsync", synced)
        _watch = watch
        try:
            yield watch
        finally:
            _watch = None
            gc.unfreeze()


def control() -> float:
    """Seconds of processor time a fixed piece of work takes here and now."""
    begun = time.thread_time()
    sum(number * number % 7 for number in range(100_000))
    return time.thread_time() - begun


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(tmp_path_factory.mktemp("loop"), speed=1)
    yield running
    running.end()


def loader(fleet: Fleet, change: Callable[[Config], Config]) -> Callable[[], Awaitable[Config]]:
    async def load() -> Config:
        arguments = argparse.Namespace(config=Path(fleet.ready["config"]), repo=None, read_only=False)
        return change(await load_config(arguments))

    return load


async def look(session: LiveSession) -> None:
    """What a person does who only looks."""
    await session.refresh()
    await session.why(KEY)
    pasts: tuple[PastVersion, ...] = await session.history.past_versions(KEY)
    await session.history.add_healthy_times(session.store.snapshot, pasts)
    await session.versions(KEY.service)
    await session.history.plan_revert(session.store.snapshot, KEY, None)
    await session.forecast_revert(KEY, pasts[1].version if len(pasts) > 1 else None)
    await session.waves()
    await session.recovery.list_unfinished()


async def write(session: LiveSession) -> None:
    """What a person does who promotes, looks at the plan, opens it, and closes it again."""
    change = await session.stage_promotion(KEY)
    assert isinstance(change, Change), change
    await session.sketch()
    terms = WriteOptions(Override("a test of the event loop"))
    preview = await session.services.promoter.preview(Plan((change,)), session.store.snapshot, terms)
    *_, last = [one async for one in session.submit(preview, Consent.to([KEY.stage]))]
    assert last.step == "opened", last
    async for snapshot in session.snapshots():
        mine = [one for one in snapshot.pull_requests if one.number == last.number]
        if mine:
            break
    await session.act_on_pull(mine[0].number, mine[0].head, "close")
    await session.mark_bad(KEY.service, Version("v0.0.1"), "a test of the event loop")
    await session.mark_bad(KEY.service, Version("v0.0.1"), "")
    await session.undo()


async def test_nothing_blocks_the_loop_from_the_start_of_a_session_to_its_end(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = control()
    with watched(monkeypatch) as watch:
        async with asyncio.timeout(PATIENCE), open_session(loader(fleet, lambda config: config)) as session:
            await session.settled()
            await look(session)
            await write(session)
    assert watch.blocked == [], "\n".join(watch.blocked)
    allowed = LONGEST * max(1.0, speed / CONTROL, control() / CONTROL)
    assert watch.longest[0] < allowed, watch.longest


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gh program that prints its token only when a line is written to the pipe."""
    pipe, program = tmp_path / "pipe", tmp_path / "gh"
    os.mkfifo(pipe)
    program.write_text(f"#!/bin/sh\nread token < {pipe}\necho $token\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return pipe


async def test_a_credential_program_that_takes_its_time_holds_nothing_up(
    fleet: Fleet, gh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await asyncio.to_thread(Path(fleet.ready["token_file"]).read_text, encoding="utf-8")

    def without_token_file(config: Config) -> Config:
        return replace(config, github=replace(config.github, token_file=None))

    with watched(monkeypatch) as watch:
        async with asyncio.timeout(PATIENCE), open_session(loader(fleet, without_token_file)) as session:
            for _ in range(50):
                await asyncio.sleep(0)  # The loop turns, though the program has not answered.
            await asyncio.to_thread(gh.write_text, f"{token.strip()}\n")
            snapshot = await session.settled()
    assert watch.blocked == [], "\n".join(watch.blocked)
    assert [one.state for one in snapshot.sources if one.source.kind == "forge"] == ["fresh"]
