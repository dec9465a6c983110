"""Our GitHub adapter against the embedded GitHub, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from origin import DEV, FILES, STAGING, STARTED, cell, config_of, origin_in, with_version
from plain_server import mounted

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.fleet.model import CellKey, StageName, Version
from sgm_tui.fleet.plans.proposal import Proposal
from sgm_tui.forge.github import GithubForge
from sgm_tui.forge.token import github_token
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.repository import Repository as Origin
from sgm_tui.sandbox.github import api as github_api
from sgm_tui.sandbox.github.state import GitHub

TOKEN = "ghp_thetokenofthistest"
BRANCH = "sgm/dev/cart-v9.0.0-0123456789ab"
Answered = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Lab:
    """GitHub in a test, and our client of it."""

    state: GitHub
    config: Config
    forge: GithubForge
    requests: list[tuple[str, str]] = field(default_factory=list)
    before: dict[tuple[str, str], list[Callable[[], object]]] = field(default_factory=dict)
    """What happens on the server just before a request is served, once each."""
    answers: dict[tuple[str, str], list[tuple[int, str] | web.Response]] = field(default_factory=dict)
    """What is answered instead, once each."""
    lost: set[tuple[str, str]] = field(default_factory=set)
    """What is done, and answered with a connection that breaks."""
    unreadable: set[tuple[str, str]] = field(default_factory=set)
    """What is done, and answered with a page."""
    paused: list[float] = field(default_factory=list)
    """What our client waited for; the time passes on the server, not in the test."""

    @property
    def origin(self) -> Origin:
        return self.state.repository

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.state.clock.advance(0.5)
            self.state.step()

    async def wait(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.pass_time(seconds)

    def push(self, branch: str = BRANCH, path: str = DEV, version: str = "v9.0.0") -> str:
        return self.origin.commit(branch, {path: with_version(FILES[path], version)}, "feat(cart)", at=STARTED)


def proposal(branch: str = BRANCH) -> Proposal:
    return Proposal(StageName("dev"), branch, "feat(cart): dev -> v9.0.0", "why", (), ("promotion",), ("@acme/sre",))


def nothing(_head: str) -> tuple[tuple[CellKey, Version], ...]:
    return ()


@asynccontextmanager
async def _lab(directory: Path) -> AsyncIterator[Lab]:
    origin = origin_in(directory)
    state = GitHub(origin, Clock(STARTED), seed="test")
    state.begin()
    labs: list[Lab] = []

    @web.middleware
    async def guard(request: web.Request, handler: Answered) -> web.StreamResponse:
        labs[0].requests.append((request.method, request.path))
        if request.headers.get("Authorization") not in {f"token {TOKEN}", f"Bearer {TOKEN}"}:
            return web.json_response({"message": "Bad credentials"}, status=401)
        key = request.method, request.path.rpartition("/")[2]
        while labs[0].before.get(key):
            labs[0].before[key].pop(0)()
        waiting = labs[0].answers.get(key)
        if waiting:
            answer = waiting.pop(0)
            return (
                answer
                if isinstance(answer, web.Response)
                else web.json_response({"message": answer[1]}, status=answer[0])
            )
        answered = await handler(request)
        if key in labs[0].unreadable:
            labs[0].unreadable.discard(key)
            return web.Response(text="<html>", content_type="text/html")
        if key in labs[0].lost and request.transport is not None:
            labs[0].lost.discard(key)
            request.transport.abort()
        return answered

    server = github_api.routes(state)
    server.middlewares.insert(0, guard)
    async with mounted("/api", server) as url:
        plain = config_of(origin, directory)
        config = replace(plain, github=replace(plain.github, api_url=f"{url}/api/v3"))
        forge = GithubForge(config, TOKEN, state.clock.wall, pause=lambda seconds: labs[0].wait(seconds))
        labs.append(Lab(state, config, forge))
        yield labs[0]
    origin.close()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as lab_here:
        yield lab_here


async def test_a_pull_request_is_made_with_labels_and_reviewers(lab: Lab) -> None:
    head = lab.push()
    request, is_new, refusals = await lab.forge.open(proposal(), head)
    assert (is_new, refusals) == (True, "")
    assert (request.title, request.branch, request.head, request.state, request.author) == (
        "feat(cart): dev -> v9.0.0", BRANCH, head, "open", "operator",
    )  # fmt: skip
    pull = lab.state.pulls[request.number]
    assert (pull.labels, pull.body) == (["promotion"], "why")
    assert request.url.endswith(f"/pull/{request.number}")
    opened = await lab.forge.find_open(BRANCH)
    assert opened is not None
    assert (opened.number, opened.labels) == (request.number, ("promotion",))
    assert await lab.forge.find_open("sgm/dev") is None


async def test_owners_of_every_kind_are_asked_but_its_author_and_whom_nobody_can_ask(lab: Lab) -> None:
    lab.state.pulls.reviewers.teams["sre"] = ["mei"]
    owners = ("@acme/sre", "@Operator", "@mei", "@other/team", "ops@acme.example")
    request, is_new, refusals = await lab.forge.open(replace(proposal(), reviewers=owners), lab.push())
    assert is_new
    assert refusals == "@other/team is no team of acme; ops@acme.example is an e-mail: GitHub asks its account itself"
    pull = lab.state.pulls[request.number]
    assert (pull.requested_users, pull.requested_teams, pull.assignees) == (["mei"], ["sre"], ["mei"])
    opened = await lab.forge.find_open(BRANCH)
    assert opened is not None
    assert opened.reviewers == ("@mei", "@acme/sre")


async def test_one_owner_github_does_not_know_keeps_nobody_else_from_being_asked(lab: Lab) -> None:
    owners = ("@mei", "@nobody", "@acme/sre")
    request, _, refusals = await lab.forge.open(replace(proposal(), reviewers=owners), lab.push())
    assert refusals.startswith("reviewer nobody was refused (")
    pull = lab.state.pulls[request.number]
    assert (pull.requested_users, pull.requested_teams) == (["mei"], ["sre"])


async def test_who_finds_one_whose_maker_died_before_the_owners_were_asked_asks_them(lab: Lab) -> None:
    head = lab.push()
    number = lab.state.pulls.open(BRANCH, "feat(cart): dev -> v9.0.0").number
    request, is_new, refusals = await lab.forge.open(proposal(), head)
    assert (request.number, is_new, refusals) == (number, False, "")
    pull = lab.state.pulls[number]
    assert (pull.requested_teams, pull.labels) == (["sre"], ["promotion"])


async def test_a_second_open_finds_the_first(lab: Lab) -> None:
    head = lab.push()
    first, _, _ = await lab.forge.open(proposal(), head)
    lab.requests.clear()
    again, is_new, refusals = await lab.forge.open(proposal(), head)
    assert (again.number, is_new, refusals) == (first.number, False, "")
    assert {method for method, _ in lab.requests} == {"GET"}


async def test_a_pull_request_made_between_looking_and_making_is_adopted(lab: Lab) -> None:
    head = lab.push()
    lab.before["POST", "pulls"] = [lambda: lab.state.pulls.open(BRANCH, "somebody was faster")]
    request, is_new, _ = await lab.forge.open(proposal(), head)
    assert (request.title, is_new) == ("somebody was faster", False)


async def test_a_branch_without_commits_of_its_own_is_refused_in_githubs_words(lab: Lab) -> None:
    lab.origin.update(BRANCH, lab.origin.head(), "")
    with pytest.raises(RefusedError, match=f"No commits between main and {BRANCH}"):
        await lab.forge.open(proposal(), lab.origin.head())


async def test_refused_labels_and_reviewers_are_told_and_fail_nothing(lab: Lab) -> None:
    head = lab.push()
    lab.answers["POST", "labels"] = [(403, "Resource not accessible by personal access token")]
    lab.answers["POST", "requested_reviewers"] = [(422, "Reviews may only be requested from collaborators.")]
    _, is_new, refusals = await lab.forge.open(proposal(), head)
    assert is_new
    assert refusals == (
        "reviewers were refused (Reviews may only be requested from collaborators.); "
        "labels were refused (Resource not accessible by personal access token)"
    )


async def test_a_head_that_moved_meanwhile_is_told(lab: Lab) -> None:
    head = lab.push()
    _, _, refusals = await lab.forge.open(proposal(), "0" * 40)
    assert refusals == f"its head is {head[:7]}, not 0000000"


async def test_auto_merge_waits_for_checks_and_owners(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    assert await lab.forge.try_auto_merge(request.number, head) == ""
    waiting = await lab.forge.find_open(BRANCH)
    assert waiting is not None
    assert waiting.auto_merge
    lab.pass_time(90)
    assert lab.state.pulls[request.number].merged
    assert lab.origin.contains(lab.origin.head(), head)


async def test_auto_merge_of_what_waits_for_nothing_is_a_merge(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.pass_time(90)
    assert await lab.forge.try_auto_merge(request.number, head) == ""
    assert lab.state.pulls[request.number].merged


async def test_auto_merge_that_is_refused_says_why(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    lab.push(version="v9.0.1")
    lab.pass_time(90)
    assert "refused" in await lab.forge.try_auto_merge(request.number, head)
    assert not lab.state.pulls[request.number].merged


async def test_the_list_has_checks_reviews_mergeability_and_what_is_proposed(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    versions = ((cell("cart", "dev", "eu1"), Version("v9.0.0")),)
    key: list[str] = []

    def proposes(sha: str) -> tuple[tuple[CellKey, Version], ...]:
        key.append(sha)
        return versions

    async def listed() -> tuple[str, bool, bool | None]:
        (one,) = [one for one in await lab.forge.list_recent(proposes) if one.state == "open"]
        assert (one.number, one.head, one.proposes) == (request.number, head, versions)
        return one.checks, one.approved, one.mergeable

    lab.pass_time(2.5)
    assert await listed() == ("pending", False, True)
    lab.pass_time(60)
    assert await listed() == ("passing", True, True)
    assert set(key) == {head}
    await lab.forge.try_auto_merge(request.number, head)
    (merged,) = [one for one in await lab.forge.list_recent(proposes) if one.number == request.number]
    assert (merged.state, merged.merge_commit, merged.proposes) == ("merged", lab.origin.head(), versions)
    assert merged.merged_at is not None


async def test_every_check_and_status_is_known_by_its_name(lab: Lab) -> None:
    await lab.forge.open(proposal(), lab.push())
    lab.pass_time(60)
    statuses = [{"context": "ci/jenkins\x1b[31m", "state": "pending"}]
    lab.answers["GET", "status"] = [web.json_response({"state": "pending", "total_count": 1, "statuses": statuses})]
    (request,) = [one for one in await lab.forge.list_recent(nothing) if one.state == "open"]
    *runs, (context, state) = request.results
    assert runs == [("lint", "success"), ("render", "success"), ("policy", "success")]
    assert (context.startswith("ci/jenkins"), "\x1b" in context, state) == (True, False, "pending")
    assert request.checks == "pending"


async def test_a_conflict_and_failed_checks_are_in_the_list(lab: Lab) -> None:
    broken = lab.origin.commit("broken", {DEV: FILES[DEV] + b"\n  : [\n"}, "oops", at=STARTED)
    lab.push("conflict", STAGING)
    for branch in ("broken", "conflict"):
        await lab.forge.open(proposal(branch), lab.origin.head(branch))
    lab.push("main", STAGING, "v8.0.0")
    lab.pass_time(60)
    by_branch = {one.branch: one for one in await lab.forge.list_recent(nothing) if one.state == "open"}
    assert (by_branch["broken"].head, by_branch["broken"].checks, by_branch["broken"].approved) == (
        broken,
        "failing",
        False,
    )
    assert by_branch["conflict"].mergeable is False


async def test_a_bad_token_is_refused_with_advice(lab: Lab) -> None:
    forge = GithubForge(lab.config, "ghp_somethingelse")
    with pytest.raises(RefusedError, match="Bad credentials") as refused:
        await forge.find_open(BRANCH)
    assert "GH_TOKEN" in refused.value.hint
    assert "ghp_somethingelse" not in str(refused.value)


async def test_another_repository_is_refused_with_advice(lab: Lab) -> None:
    other = replace(lab.config, github=replace(lab.config.github, repository="acme/other"))
    with pytest.raises(RefusedError, match="acme/other: not found or no access") as refused:
        await GithubForge(other, TOKEN).list_recent(nothing)
    assert "github.repository" in refused.value.hint


async def test_reads_are_tried_again_and_writes_are_not(lab: Lab) -> None:
    head = lab.push()
    lab.answers["GET", "pulls"] = [(502, "Bad Gateway")]
    assert await lab.forge.find_open(BRANCH) is None
    lab.answers["POST", "pulls"] = [(502, "Bad Gateway")]
    with pytest.raises(UnreachableError, match="GitHub answered 502"):
        await lab.forge.open(proposal(), head)
    assert [method for method, _ in lab.requests].count("POST") == 1
    assert not lab.state.pulls or all(one.head != BRANCH for one in lab.state.pulls.values())


async def test_a_server_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    async with _lab(tmp_path) as lab_here:
        forge = lab_here.forge
    with pytest.raises(UnreachableError, match="connection refused"):
        await asyncio.wait_for(forge.find_open(BRANCH), 30)


def test_the_token_comes_from_its_file_before_the_environment(lab: Lab, tmp_path: Path) -> None:
    environ = {"GH_TOKEN": "one", "GITHUB_TOKEN": "two"}
    assert github_token(lab.config, environ) == "one"
    assert github_token(lab.config, {"GITHUB_TOKEN": "two"}) == "two"
    file = tmp_path / "token"
    named = replace(lab.config, github=replace(lab.config.github, token_file=file))
    with pytest.raises(UnreachableError, match="token_file"):
        github_token(named, environ)
    file.write_text("three\n")
    assert github_token(named, environ) == "three"


async def test_a_merged_pull_request_of_ours_still_says_what_it_marks_and_for_that_commit_only(lab: Lab) -> None:
    lab.push()
    block = {"change_id": "0123456789ab", "changes": [{"service": "cart", "from": "v9.0.0", "known_bad": "it loses"}]}
    body = f"words\n\n<!-- sgm: {json.dumps(block)} -->"
    request, _, _ = await lab.forge.open(replace(proposal(), body=body), lab.origin.heads()[BRANCH])
    assert await lab.forge.fetch_marks(request.number, "0" * 40) == ()
    pull = lab.state.pulls[request.number]
    pull.merged, pull.merge_commit = lab.state.clock.now, "f" * 40
    (mark,) = await lab.forge.fetch_marks(request.number, "f" * 40)
    assert (mark.service, mark.version, mark.reason, mark.by) == ("cart", "v9.0.0", "it loses", "operator")
    assert await lab.forge.fetch_marks(request.number, "0" * 40) == ()
    assert await lab.forge.fetch_marks(9999, "f" * 40) == ()


async def test_a_commit_whose_message_names_no_pull_request_is_traced_to_the_one_merged_as_it(lab: Lab) -> None:
    head = lab.push()
    request, _, _ = await lab.forge.open(proposal(), head)
    assert await lab.forge.find_merged(head) == 0, "it is in it, and was not merged as it"
    pull = lab.state.pulls[request.number]
    pull.merged, pull.merge_commit = lab.state.clock.now, head
    assert await lab.forge.find_merged(head) == request.number
