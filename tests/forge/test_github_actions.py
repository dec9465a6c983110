"""Doing something to a pull request over GitHub's own protocol: bound to the head that was seen, refused in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from origin import DEV, FILES, STAGING, STARTED, with_version
from test_github import BRANCH, Lab, _lab, proposal

from sgm_tui.errors import RefusedError


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as lab_here:
        yield lab_here


async def opened(lab: Lab, branch: str = BRANCH) -> tuple[int, str]:
    """An open pull request of ours: its number and head."""
    head = lab.push(branch)
    request, _, _ = await lab.forge.open(proposal(branch), head)
    return request.number, head


async def open_by_somebody_else(lab: Lab) -> tuple[int, str]:
    """An open pull request of somebody else."""
    head = lab.push("feature/other", STAGING)
    pull = lab.state.pulls.open("feature/other", "feat: theirs", login="mia")
    return pull.number, head


async def test_nobody_approves_their_own(lab: Lab) -> None:
    number, head = await opened(lab)
    with pytest.raises(RefusedError, match="is your own"):
        await lab.forge.approve(number, head)


async def test_what_others_propose_can_be_approved(lab: Lab) -> None:
    number, head = await open_by_somebody_else(lab)
    assert "approved" in await lab.forge.approve(number, head)


async def test_merging_merges_exactly_the_head_that_was_seen(lab: Lab) -> None:
    number, head = await opened(lab)
    lab.pass_time(600)
    lab.push(path=STAGING)
    lab.pass_time(1)
    with pytest.raises(RefusedError, match="new commits"):
        await lab.forge.merge(number, head)
    assert lab.origin.read("main", DEV) == FILES[DEV]


async def test_what_is_merged_already_is_not_merged_again(lab: Lab) -> None:
    number, head = await opened(lab)
    lab.pass_time(600)
    await lab.forge.merge(number, head)
    assert lab.origin.read("main", DEV) == with_version(FILES[DEV], "v9.0.0")
    with pytest.raises(RefusedError, match="already merged"):
        await lab.forge.merge(number, head)


async def test_merging_by_itself_is_turned_on_and_off(lab: Lab) -> None:
    number, head = await opened(lab)
    assert "will auto-merge" in await lab.forge.enable_auto_merge(number, head)
    assert "auto-merge is off" in await lab.forge.disable_auto_merge(number)
    lab.pass_time(600)
    assert lab.origin.read("main", DEV) == FILES[DEV]


async def test_a_branch_is_brought_up_to_date_and_says_when_it_is_already(lab: Lab) -> None:
    number, head = await opened(lab)
    with pytest.raises(RefusedError, match="already up to date"):
        await lab.forge.update_branch(number, head)
    lab.origin.commit("main", {"other.txt": b"x"}, "chore: beside", at=STARTED)
    assert "updated" in await lab.forge.update_branch(number, head)
    assert lab.origin.contains(lab.origin.head(BRANCH), lab.origin.head())


async def test_closing_ours_takes_its_branch_along_and_leaves_the_branches_of_others(lab: Lab) -> None:
    ours = "sgm/dev/cart-v9-1f3a"
    number, _ = await opened(lab, ours)
    assert await lab.forge.find_ended(ours) is None
    assert "closed" in await lab.forge.close(number)
    assert ours not in lab.origin.heads()
    ended = await lab.forge.find_ended(ours)
    assert ended is not None
    assert (ended.number, ended.state) == (number, "closed")
    number, _ = await open_by_somebody_else(lab)
    await lab.forge.close(number)
    assert "feature/other" in lab.origin.heads()


async def test_the_commits_between_two_versions_of_a_service_are_told_or_why_not(lab: Lab) -> None:
    between = await lab.forge.compare("acme/cart", "v2.8.0", "v2.8.1")
    assert between.total == len(between.commits) > 0
    assert between.url == "https://github.com/acme/cart/compare/v2.8.0...v2.8.1"
    assert between == await lab.forge.compare("acme/cart", "v2.8.0", "v2.8.1")
    unknown = await lab.forge.compare("acme/nowhere", "v2.8.0", "v2.8.1")
    assert unknown.commits == ()
    assert unknown.reason
