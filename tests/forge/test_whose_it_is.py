"""What closes or deletes asks GitHub who opened it: anybody who pushes can write our name, block and trailer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from origin import DEV, STARTED, with_version
from test_github import BRANCH, Lab, _lab, nothing, proposal
from test_supersede import FIRST, SECOND, Desk, _desk, comments, opened

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.forge.github import GithubForge

FORGED = "sgm/dev/cart-v3.0.0-0123456789ab"
BLOCK = '<!-- sgm: {"change_id": "0123456789ab"} -->'


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as made:
        yield made


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as made:
        yield made


async def forged(desk: Desk, login: str = "mia") -> PullRequest:
    """A pull request with our branch name, our block and our trailer, opened by somebody else."""
    data = with_version(desk.lab.origin.read("main", DEV) or b"", FIRST)
    desk.lab.origin.commit(FORGED, {DEV: data}, "feat: mine\n\nSgm-Change-Id: 0123456789ab", at=STARTED)
    desk.lab.state.pulls.open(FORGED, "feat: mine", body=BLOCK, login=login)
    (request,) = await desk.look()
    return request


def nobody_knows_who(lab: Lab) -> None:
    """GitHub refuses to say who the token is, as it does to those of apps."""
    words = "Resource not accessible by integration"
    lab.answers["GET", "user"] = [web.json_response({"message": words}, status=403) for _ in range(20)]


async def test_a_forged_pull_request_of_ours_is_not_superseded(desk: Desk) -> None:
    theirs = await forged(desk)
    assert (theirs.marked, theirs.ours) == (True, False)
    (blocked,) = await desk.promote(SECOND, supersede=True)
    assert blocked.step == "blocked"
    assert "somebody else opened it" in blocked.text
    assert desk.lab.state.pulls[theirs.number].closed is None


async def test_what_is_superseded_all_the_same_is_refused_by_who_opened_it(desk: Desk) -> None:
    theirs = await forged(desk)
    said = await desk.lab.forge.supersede(theirs.number, theirs.head, "#99")
    assert said == f"#{theirs.number} stays open: mia opened it"
    assert comments(desk, theirs.number) == []
    assert desk.lab.state.pulls[theirs.number].closed is None


async def test_the_same_marks_of_our_own_account_are_ours(desk: Desk) -> None:
    assert (await forged(desk, login="operator")).ours


async def test_where_github_does_not_say_who_we_are_nothing_is_ours(desk: Desk) -> None:
    nobody_knows_who(desk.lab)
    old = await opened(desk)
    assert (old.marked, old.ours, old.unknown) == (True, False, frozenset({"ours"}))
    (blocked,) = await desk.promote(SECOND, supersede=True)
    assert "GitHub does not say who this token is" in blocked.text
    assert "is unknown" in await desk.lab.forge.supersede(old.number, old.head, "#99")
    said = await desk.lab.forge.close(old.number)
    assert said == f"#{old.number} is closed; its branch stays: GitHub does not say who this token is"
    assert old.branch in desk.lab.origin.heads()


async def test_who_we_are_is_asked_once(lab: Lab) -> None:
    for _ in range(3):
        await lab.forge.list_open()
        await lab.forge.list_recent(nothing)
    assert [path.rpartition("/")[2] for _, path in lab.requests].count("user") == 1


async def test_closing_a_pull_request_of_somebody_else_leaves_a_branch_that_is_called_like_ours(lab: Lab) -> None:
    head = lab.push(FORGED)
    number = lab.state.pulls.open(FORGED, "feat: theirs", login="mia").number
    assert await lab.forge.close(number) == f"#{number} is closed; its branch stays: mia opened it"
    assert lab.origin.heads()[FORGED] == head


async def test_closing_the_pull_request_of_a_fork_leaves_our_branch_of_the_same_name(lab: Lab) -> None:
    head = lab.push()
    pull = lab.state.pulls.open(BRANCH, "feat: from a fork", login="operator")
    pull.fork = "operator/gitops"
    assert await lab.forge.close(pull.number) == f"#{pull.number} is closed"
    assert lab.origin.heads()[BRANCH] == head


async def test_the_pull_request_of_a_fork_is_not_the_one_of_our_branch(lab: Lab) -> None:
    lab.push()
    pull = lab.state.pulls.open(BRANCH, "feat: from a fork of the same owner")
    pull.fork = "acme/gitops-fork"
    assert await lab.forge.find_open(BRANCH) is None


async def test_a_branch_that_was_merged_is_left_to_github(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.pass_time(600)
    await lab.forge.merge(request.number, head)
    lab.requests.clear()
    assert await lab.forge.close(request.number) == f"#{request.number} is already merged"
    assert {method for method, _ in lab.requests} == {"GET"}


async def test_another_token_is_asked_anew_who_it_is(lab: Lab) -> None:
    forge = GithubForge(lab.config, "ghp_expired", lab.state.clock.wall, read_token=lambda: "ghp_thetokenofthistest")
    head = lab.push()
    request, _, _ = await forge.open(proposal(), head)
    assert await forge.close(request.number) == f"#{request.number} is closed"
    assert BRANCH not in lab.origin.heads()
