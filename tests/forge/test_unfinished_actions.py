"""An action on a pull request whose process died is listed, and ended by what GitHub says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_supersede import CART, FIRST, Desk, KilledError, _desk, opened

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.pull_request_actions import PullAction
from sgm_tui.operations.pull_recovery import check_outcome
from sgm_tui.operations.pull_requests import PullRequests


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as made:
        yield made


async def killed(desk: Desk, point: str, action: PullAction) -> PullRequest:
    """An action on a pull request of ours whose process dies."""
    request = await opened(desk, FIRST)
    desk.journal.point = point
    with pytest.raises(KilledError):
        await PullRequests(desk.lab.forge, desk.journal, desk.audit).act(request, action)
    desk.journal.point = ""
    return request


async def resumed(desk: Desk) -> str:
    (one,) = await desk.recovery.list_unfinished()
    assert (one.advice, one.stages) == ("resume", (CART.stage,))
    (progress,) = [step async for step in desk.recovery.resume(one.operation)]
    assert progress.step == "done"
    assert await desk.recovery.list_unfinished() == ()
    assert desk.audit.verify() is None
    return progress.text


async def test_what_did_not_happen_is_done_to_the_head_that_was_seen(desk: Desk) -> None:
    request = await killed(desk, "after act", "close")
    assert await resumed(desk) == f"#{request.number} is closed"
    assert desk.lab.state.pulls[request.number].closed is not None
    assert [one["action"] for one in desk.audit.records()][-1] == "close"


async def test_what_happened_is_recorded_and_not_done_again(desk: Desk) -> None:
    request = await killed(desk, "after act", "close")
    await desk.lab.forge.close(request.number)
    assert "done" in await resumed(desk)
    assert [one["action"] for one in desk.audit.records()][-1] == "close"


async def test_what_was_recorded_is_not_recorded_twice(desk: Desk) -> None:
    await killed(desk, "before done", "close")
    assert "done" in await resumed(desk)
    assert [one["action"] for one in desk.audit.records()].count("close") == 1


async def test_what_can_never_happen_any_more_is_discarded(desk: Desk) -> None:
    request = await killed(desk, "after act", "merge")
    await desk.lab.forge.close(request.number)
    (one,) = await desk.recovery.list_unfinished()
    assert (one.advice, one.found) == ("discard", f"pull request #{request.number} (closed)")
    with pytest.raises(RefusedError, match="nothing was done"):
        _ = [step async for step in desk.recovery.resume(one.operation)]
    await desk.recovery.discard(one.operation)
    assert await desk.recovery.list_unfinished() == ()


async def test_a_no_of_the_server_leaves_nothing_unfinished(desk: Desk) -> None:
    request = await opened(desk, FIRST)
    moved = replace(request, head="0" * 40)
    with pytest.raises(RefusedError, match="new commits"):
        await PullRequests(desk.lab.forge, desk.journal, desk.audit).act(moved, "merge")
    assert desk.journal.unfinished() == {}


SEEN = PullRequest(7, "", "", "", "b", "aaa", "open")


@pytest.mark.parametrize(
    ("action", "now", "happened"),
    [
        ("merge", replace(SEEN, state="merged"), "yes"),
        ("merge", SEEN, "no"),
        ("merge", replace(SEEN, head="bbb"), "never"),
        ("close", replace(SEEN, state="merged"), "never"),
        ("approve", replace(SEEN, approved=True), "yes"),
        ("approve", replace(SEEN, approved=True, head="bbb"), "never"),
        ("auto-merge", replace(SEEN, state="merged"), "yes"),
        ("auto-merge", SEEN, "no"),
        ("stop-auto-merge", SEEN, "yes"),
        ("stop-auto-merge", replace(SEEN, auto_merge=True), "no"),
        ("update", replace(SEEN, head="bbb"), "yes"),
    ],
)
def test_whether_it_happened_is_told_from_the_pull_request(action: PullAction, now: PullRequest, happened: str) -> None:
    assert check_outcome(action, now, "aaa") == happened
