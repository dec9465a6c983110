"""A bug in a background task of the session is shown at once and the task runs again: no picture stands still."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sgm_tui import supervision
from sgm_tui.config.schema import Config, RepositoryConfig
from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import SourceAnswered, SourceUpdate
from sgm_tui.operations.drift_log import DriftLog
from sgm_tui.session import LiveSession
from sgm_tui.sources import Publish
from sgm_tui.supervision import StrayCancellationError, run_together
from sgm_tui.wiring import Connection, connection, open_session

PATIENCE = 60.0
GIT = SourceId("git")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed runs again at once."""
    monkeypatch.setattr(supervision, "RESTART_SECONDS", 0.0)
    monkeypatch.setattr(connection, "_SOURCE_RESTART_SECONDS", 0.0)


async def never() -> Config:
    await asyncio.Event().wait()
    raise AssertionError


async def cancelled_elsewhere() -> None:
    """Wait for a call that somebody else cancels."""
    call = asyncio.get_running_loop().create_future()
    call.cancel()
    await call


async def with_a_bug() -> None:
    raise KeyError("a bug")


DEFECTS = pytest.mark.parametrize(
    ("defect", "kind"), [(with_a_bug, KeyError), (cancelled_elsewhere, StrayCancellationError)]
)
Defect = Callable[[], Awaitable[None]]


class Shown:
    """What a front end was told."""

    def __init__(self, session: LiveSession) -> None:
        self.bugs: list[Exception] = []
        self.ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        session.tell_bug, session.end = self.bugs.append, self.ended.set_result

    @property
    def kinds(self) -> list[type[Exception]]:
        return [type(one) for one in self.bugs]


@contextlib.asynccontextmanager
async def connected(session: LiveSession, load: Callable[[], Awaitable[Config]]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Connection(session).run(load))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def once(defect: Defect, again: asyncio.Event, whole: Callable[[], Any]) -> Callable[[], Any]:
    """Fail at the first call."""
    calls = [0]

    async def run() -> Any:
        calls[0] += 1
        if calls[0] == 1:
            await defect()
        again.set()
        return await whole()

    return run


@DEFECTS
@pytest.mark.parametrize("name", ["publisher", "plan follower", "connection"])
async def test_a_background_task_that_fails_is_shown_and_runs_again(
    name: str, defect: Defect, kind: type[Exception]
) -> None:
    session, again, load = LiveSession(), asyncio.Event(), never
    shown = Shown(session)
    match name:
        case "publisher":
            session.store.run = once(defect, again, session.store.run)
        case "plan follower":
            session.follow_plan = once(defect, again, session.follow_plan)
        case _:
            load = once(defect, again, never)
    async with connected(session, load) as task:
        await asyncio.wait_for(again.wait(), PATIENCE)
        assert shown.kinds == [kind]
        assert not task.done()


async def test_a_publisher_that_keeps_failing_ends_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyError("a bug")

    session = LiveSession()
    shown = Shown(session)
    monkeypatch.setattr(session.store, "publish", fail)
    session.store.fail("")
    async with connected(session, never):
        assert isinstance(await asyncio.wait_for(shown.ended, PATIENCE), KeyError)
        assert "a bug in sgm: KeyError" in session.store.snapshot.problem


@pytest.mark.parametrize("part", ["publisher", "connection"])
async def test_a_command_that_waits_for_a_snapshot_ends_with_the_bug(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> Config:
        raise KeyError("a bug")

    session = LiveSession()
    if part == "publisher":
        monkeypatch.setattr(session.store, "run", with_a_bug)
    async with connected(session, fail if part == "connection" else never):
        snapshot = await asyncio.wait_for(session.settled(), PATIENCE)
    assert "a bug in sgm: KeyError" in snapshot.problem


async def test_a_bug_in_the_supervision_itself_ends_the_dashboard() -> None:
    async def fail() -> Config:
        raise KeyError("a bug")

    def fail_to_show(_: Exception) -> None:
        raise ValueError("a toast that cannot be shown")

    ended: list[Any] = []

    async def run() -> None:
        async with open_session(fail) as session:
            shown = Shown(session)
            session.tell_bug = fail_to_show
            ended.append(await asyncio.wait_for(shown.ended, PATIENCE))

    with pytest.raises(ExceptionGroup, match="unhandled errors") as raised:
        await run()
    assert [error.exceptions for error in ended] == [raised.value.exceptions]  # since 3.13 in another group


class Flawed:
    """A source that fails once in a way of its own, and then answers."""

    source = GIT

    def __init__(self, defect: Defect) -> None:
        self.defects = [defect]

    async def run(self, publish: Publish) -> None:
        if self.defects:
            await self.defects.pop()()
        publish(SourceAnswered(GIT))
        await asyncio.Event().wait()

    def refresh(self) -> None:
        """Nothing waits."""


class FlawedPart(Flawed):
    """The same, in one of two tasks of which the other goes on answering."""

    async def run(self, publish: Publish) -> None:
        async def beat() -> None:
            publish(SourceAnswered(GIT))
            await asyncio.Event().wait()

        async def follow() -> None:
            if self.defects:
                await asyncio.sleep(0)
                await self.defects.pop()()
            publish(SourceAnswered(GIT, "followed"))
            await asyncio.Event().wait()

        await run_together(follow(), beat())


@DEFECTS
@pytest.mark.parametrize("made", [Flawed, FlawedPart])
async def test_a_source_that_fails_is_stale_at_once_and_starts_again(
    made: type[Flawed], defect: Defect, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = LiveSession()
    shown, source, observed = Shown(session), made(defect), list[SourceUpdate]()
    again = asyncio.Event()

    def apply(observation: SourceUpdate) -> None:
        observed.append(observation)
        if not source.defects and isinstance(observation, SourceAnswered) and shown.bugs:
            again.set()

    monkeypatch.setattr(session.store, "apply", apply)
    task = asyncio.create_task(Connection(session)._guard(source))
    await asyncio.wait_for(again.wait(), PATIENCE)
    task.cancel()
    await asyncio.wait([task])
    reasons = [one.reason for one in observed if hasattr(one, "reason")]
    assert reasons == [f"a bug in sgm: {kind.__name__}"]
    assert len(shown.bugs) == 1


async def test_a_source_is_not_started_again_when_the_session_ends() -> None:
    session = LiveSession()
    shown, source = Shown(session), FlawedPart(with_a_bug)
    source.defects.clear()
    task = asyncio.create_task(Connection(session)._guard(source))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=PATIENCE)
    assert task.cancelled()
    assert shown.bugs == []


@DEFECTS
async def test_the_drift_follower_that_fails_runs_again_and_takes_no_source_along(
    defect: Defect, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(RepositoryConfig("https://github.com/acme/gitops.git"), (), state_directory=tmp_path)
    session, again, starts = LiveSession(), asyncio.Event(), list[str]()
    shown = Shown(session)

    class Steady(Flawed):
        async def run(self, publish: Publish) -> None:
            starts.append("source")
            await super().run(publish)

    async def start(connecting: Connection, config: Config, _: object, group: asyncio.TaskGroup) -> None:
        source = Steady(with_a_bug)
        source.defects.clear()
        connecting._start([source], group)
        await connecting._record_drift(config, group)

    async def follow(_: DriftLog, snapshots: AsyncIterator[FleetSnapshot]) -> None:
        starts.append("drift")
        if starts.count("drift") == 1:
            await asyncio.sleep(0.01)
            await defect()
        async for _snapshot in snapshots:
            again.set()

    async def load() -> Config:
        return config

    monkeypatch.setattr(Connection, "_start_sources", start)
    monkeypatch.setattr(DriftLog, "follow", follow)
    async with connected(session, load) as task:
        await asyncio.wait_for(again.wait(), PATIENCE)
        assert not task.done()
    assert shown.kinds == [kind]
    assert sorted(starts) == ["drift", "drift", "source"]


async def test_what_cannot_be_reached_at_the_start_is_no_bug() -> None:
    async def load() -> Config:
        raise UnreachableError("nobody there")

    session = LiveSession()
    shown = Shown(session)
    async with connected(session, load):
        snapshot = await asyncio.wait_for(session.settled(), PATIENCE)
    assert "nobody there" in snapshot.problem
    assert shown.bugs == []
