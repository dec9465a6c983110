"""Merging exactly what was seen, once: through a moving base, a merge queue, and answers that got lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from aiohttp import web
from origin import DEV, FILES, STARTED, with_version
from test_github import BRANCH, Lab, _lab, proposal

from sgm_tui.errors import RefusedError, UnreachableError

BASE_MOVED = "Base branch was modified. Review and try the merge again."
NEW = with_version(FILES[DEV], "v9.0.0")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as made:
        yield made


async def ready(lab: Lab) -> tuple[int, str]:
    """A pull request of ours nothing is in the way of: its number and head."""
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.pass_time(600)
    lab.requests.clear()
    return request.number, head


def sent(lab: Lab) -> list[tuple[str, str]]:
    return [(method, path.rpartition("/")[2]) for method, path in lab.requests if method != "GET"]


async def test_a_commit_pushed_while_it_is_merged_is_not_merged(lab: Lab) -> None:
    number, head = await ready(lab)

    def push() -> None:
        lab.push(version="v9.9.9")
        lab.pass_time(600)

    lab.before["PUT", "merge"] = [push]
    with pytest.raises(RefusedError, match="Head branch was modified"):
        await lab.forge.merge(number, head)
    assert lab.origin.read(lab.origin.head(), DEV) == FILES[DEV]
    assert sent(lab) == [("PUT", "merge")]


async def test_a_commit_pushed_while_it_is_brought_up_to_date_is_not_merged_into(lab: Lab) -> None:
    number, head = await ready(lab)
    lab.origin.commit("main", {"other.txt": b"x"}, "chore: beside", at=STARTED)

    def push() -> None:
        lab.push(version="v9.9.9")
        lab.pass_time(600)

    lab.before["PUT", "update-branch"] = [push]
    with pytest.raises(RefusedError):
        await lab.forge.update_branch(number, head)
    assert not lab.origin.contains(lab.origin.head(BRANCH), lab.origin.head())


@pytest.mark.parametrize("status", [405, 409])
async def test_a_base_that_moved_meanwhile_is_tried_once_more(lab: Lab, status: int) -> None:
    number, head = await ready(lab)
    lab.answers["PUT", "merge"] = [(status, BASE_MOVED)]
    assert "is merged" in await lab.forge.merge(number, head)
    assert lab.origin.read(lab.origin.head(), DEV) == NEW
    first, second = (at for at, (method, _) in enumerate(lab.requests) if method == "PUT")
    assert [path.rpartition("/")[2] for _, path in lab.requests[first + 1 : second]] == [str(number)]


async def test_a_base_that_goes_on_moving_is_told_as_refusal(lab: Lab) -> None:
    number, head = await ready(lab)
    lab.answers["PUT", "merge"] = [(405, BASE_MOVED)] * 5
    with pytest.raises(RefusedError, match="Base branch was modified"):
        await lab.forge.merge(number, head)
    assert sent(lab) == [("PUT", "merge")] * 2


async def test_between_the_two_tries_its_head_is_looked_at_again(lab: Lab) -> None:
    number, head = await ready(lab)
    lab.answers["PUT", "merge"] = [(405, BASE_MOVED)]

    def push() -> None:
        lab.push(version="v9.9.9")
        lab.pass_time(1)

    lab.before["PUT", "merge"] = [push]
    with pytest.raises(RefusedError, match="has new commits"):
        await lab.forge.merge(number, head)
    assert sent(lab) == [("PUT", "merge")]


async def test_a_repository_with_a_merge_queue_gets_it_into_the_queue(lab: Lab) -> None:
    lab.state.merger.requires_queue = True
    number, head = await ready(lab)
    assert await lab.forge.merge(number, head) == f"#{number} is in the merge queue"
    assert lab.origin.read(lab.origin.head(), DEV) == FILES[DEV]
    lab.pass_time(30)
    assert lab.origin.read(lab.origin.head(), DEV) == NEW


async def test_what_still_waits_for_its_checks_joins_the_queue_by_itself(lab: Lab) -> None:
    lab.state.merger.requires_queue = True
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.pass_time(3)
    lab.answers["PUT", "merge"] = [(405, "Changes must be made through the merge queue")]
    said = await lab.forge.merge(request.number, head)
    assert said == f"#{request.number} merges through the merge queue once checks and reviews pass"
    lab.pass_time(600)
    assert lab.origin.read(lab.origin.head(), DEV) == NEW


async def test_auto_merge_of_what_waits_for_nothing_goes_into_the_queue_too(lab: Lab) -> None:
    lab.state.merger.requires_queue = True
    number, head = await ready(lab)
    assert await lab.forge.try_auto_merge(number, head) == ""
    lab.pass_time(30)
    assert lab.origin.read(lab.origin.head(), DEV) == NEW


async def test_a_queue_that_refuses_it_says_why(lab: Lab) -> None:
    number, head = await ready(lab)
    lab.answers["PUT", "merge"] = [(405, "Changes must be made through the merge queue")]
    with pytest.raises(RefusedError, match="Merge queue is not enabled"):
        await lab.forge.merge(number, head)
    assert lab.origin.read(lab.origin.head(), DEV) == FILES[DEV]


Act = Callable[[Lab, int, str], Awaitable[str]]

LOSABLE: Mapping[str, tuple[str, str, Act, str]] = {
    "merge": ("PUT", "merge", lambda lab, number, head: lab.forge.merge(number, head), "is merged"),
    "close": ("PATCH", "{number}", lambda lab, number, _head: lab.forge.close(number), "is closed"),
    "update": ("PUT", "update-branch", lambda lab, number, head: lab.forge.update_branch(number, head), "updated"),
    "approve": ("POST", "reviews", lambda lab, number, head: lab.forge.approve(number, head), "is approved"),
}
"""Writes whose answer may get lost, and what is said of them."""


async def case(lab: Lab, name: str) -> tuple[tuple[str, str], Act, str, int, str]:
    method, last, act, words = LOSABLE[name]
    number, head = await ready(lab)
    if name == "update":
        lab.origin.commit("main", {"other.txt": b"x"}, "chore: beside", at=STARTED)
        lab.pass_time(10)
    if name == "approve":
        lab.state.pulls[number].login = "mia"
    return (method, last.format(number=number)), act, words, number, head


@pytest.mark.parametrize("name", LOSABLE)
@pytest.mark.parametrize("how", ["a broken connection", "a page"])
async def test_an_answer_that_got_lost_is_read_and_nothing_sent_again(lab: Lab, name: str, how: str) -> None:
    request, act, words, number, head = await case(lab, name)
    (lab.lost if how == "a broken connection" else lab.unreadable).add(request)
    # GitHub brings a branch up to date a moment after it has said so.
    later = {("GET", f"{number}"): [lambda: lab.pass_time(1)]}
    lab.before[request] = [lambda: lab.before.update(later)]
    assert words in await act(lab, number, head)
    assert sent(lab).count(request) == 1


@pytest.mark.parametrize("name", LOSABLE)
async def test_what_github_did_not_do_is_not_told_as_done_and_not_sent_again(lab: Lab, name: str) -> None:
    request, act, _, number, head = await case(lab, name)
    lab.answers[request] = [(502, "Bad Gateway")] * 5
    with pytest.raises(UnreachableError, match="GitHub answered 502"):
        await act(lab, number, head)
    assert sent(lab) == [request]


@pytest.mark.parametrize("name", LOSABLE)
async def test_where_nobody_can_tell_it_says_so(lab: Lab, name: str) -> None:
    request, act, _, number, head = await case(lab, name)
    lab.lost.add(request)
    gone = [(502, "Bad Gateway")] * 30
    lab.before[request] = [lambda: lab.answers.update({("GET", f"{number}"): gone, ("GET", "reviews"): gone})]
    with pytest.raises(UnreachableError, match="was lost, and sgm cannot check whether"):
        await act(lab, number, head)
    assert sent(lab) == [request]


async def test_auto_merge_whose_answer_got_lost_is_read(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.lost.add(("POST", "graphql"))
    assert await lab.forge.try_auto_merge(request.number, head) == ""
    assert lab.state.pulls[request.number].auto_merge is not None
    lab.unreadable.add(("POST", "graphql"))
    assert "auto-merge is off" in await lab.forge.disable_auto_merge(request.number)
    assert [path.rpartition("/")[2] for _, path in lab.requests].count("graphql") == 2


async def test_a_mutation_whose_answer_says_nothing_is_not_done(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.answers["POST", "graphql"] = [web.json_response({"data": {"enablePullRequestAutoMerge": None}})]
    with pytest.raises(UnreachableError, match="does not show whether it succeeded"):
        await lab.forge.try_auto_merge(request.number, head)
    assert BRANCH in lab.origin.heads()
