"""Pull requests that ended elsewhere: what they changed is read from git, and what nobody can know is unknown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from test_github import TOKEN
from test_supersede import CART, FIRST, Desk, _desk, opened

from sgm_tui.commands.prs import _document, _row
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.forge.github import GithubForge
from sgm_tui.gitops.tree import Tree
from sgm_tui.ui.present.pulls import pull_row


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as desk_here:
        yield desk_here


def merged(desk: Desk, number: int) -> None:
    """As a person merges it, after checks and approval."""
    state = desk.lab.state
    desk.lab.pass_time(120)
    state.pulls.review(state.pulls[number], "sre-lead", "APPROVED")
    state.merger.merge(state.pulls[number], "mia")


async def seen_elsewhere(desk: Desk, number: int) -> PullRequest:
    """As a process sees it that began after it had ended."""
    tree, forge = Tree(desk.config), GithubForge(desk.config, TOKEN, desk.lab.state.clock.wall)
    await desk.clone.fetch()
    requests = await forge.list_recent(
        lambda head: tree.proposals(desk.clone, head), lambda commit: tree.versions_changed_by(desk.clone, commit)
    )
    return next(one for one in requests if one.number == number)


async def test_what_a_merged_one_changed_is_read_from_its_merge(desk: Desk) -> None:
    request = await opened(desk, FIRST)
    merged(desk, request.number)
    ended = await seen_elsewhere(desk, request.number)
    assert (ended.state, ended.proposes) == ("merged", ((CART, FIRST),))
    document = _document(ended)
    assert (document["checks"], document["approved"]) == ("passing", True)
    assert [one["result"] for one in document["check_results"]] == ["success"] * 3
    assert [one["service"] for one in document["proposes"]] == ["cart"]
    assert _row(ended, desk.snapshot.generated_at)[2:4] == ("passing", "yes")
    assert pull_row(ended, desk.snapshot.generated_at)[3][0] == "cart dev v3.0.0"


async def test_what_nobody_can_tell_is_unknown_and_not_none(desk: Desk) -> None:
    request = await opened(desk, FIRST)
    merged(desk, request.number)
    forge = GithubForge(desk.config, TOKEN, desk.lab.state.clock.wall)
    (ended,) = await forge.list_recent(lambda _: ())
    assert json.loads(json.dumps(_document(ended)))["proposes"] is None
    assert pull_row(ended, desk.snapshot.generated_at)[3][0] == "unknown"
    assert _row(ended, desk.snapshot.generated_at)[2:4] == ("-", "-")
    assert pull_row(ended, desk.snapshot.generated_at)[4][0] == ""
