"""A bug in a background task of the session is shown at once and the task runs again: no picture stands still."""

from __future__ import annotations

import asyncio

import pytest

from sgm_tui import wiring
from sgm_tui.config import Config
from sgm_tui.session import LiveSession
from sgm_tui.wiring import Connection


async def never() -> Config:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(("part", "name"), [("store", "publish"), ("session", "follow_plan")])
async def test_a_background_task_that_fails_is_shown_and_runs_again(
    monkeypatch: pytest.MonkeyPatch, part: str, name: str
) -> None:
    monkeypatch.setattr(wiring, "_RESTART_SECONDS", 0.0)
    session = LiveSession()
    owner = session.store if part == "store" else session
    whole, calls, again, shown = getattr(owner, name), [0], asyncio.Event(), []

    def fail_once() -> object:
        calls[0] += 1
        if calls[0] == 1:
            raise KeyError("a bug")
        again.set()
        return whole()

    setattr(owner, name, fail_once)
    session.tell_bug = shown.append
    task = asyncio.create_task(Connection(session).run(never))
    await asyncio.wait_for(again.wait(), 30)
    assert [type(one) for one in shown] == [KeyError]
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_a_publisher_that_keeps_failing_ends_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_RESTART_SECONDS", 0.0)
    session = LiveSession()
    ended = asyncio.get_running_loop().create_future()

    def fail() -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(session.store, "publish", fail)
    session.end = ended.set_result
    session.store.fail("")
    task = asyncio.create_task(Connection(session).run(never))
    assert isinstance(await asyncio.wait_for(ended, 60), KeyError)
    assert "a bug in sgm: KeyError" in session.store.snapshot.problem
    task.cancel()
    await asyncio.wait([task])
