"""What GitHub counts, and what it says no with: looking costs nothing, and no means that nothing more is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from origin import DEV, STAGING
from test_github import BRANCH, TOKEN, Lab, _lab, nothing, proposal

from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.updates import PullRequestsListed, SourceUnreachable, SourceUpdate
from sgm_tui.forge.github import GithubForge
from sgm_tui.forge.listing import MergedChanges, ProposedChanges
from sgm_tui.forge.quota import PausedError
from sgm_tui.forge.source import PullRequestSource


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as lab_here:
        yield lab_here


async def spent(lab: Lab) -> int:
    """How many requests GitHub has counted, as it tells itself (asking for it counts too)."""
    answer = await lab.forge._read(lambda: lab.forge._client.get_if_changed("/rate_limit", ""))
    assert answer is not None
    return int(json.loads(answer.text)["rate"]["used"])


async def test_looking_again_at_a_quiet_repository_costs_nothing(lab: Lab) -> None:
    for number, path in enumerate((DEV, STAGING)):
        branch = f"{BRANCH}{number}"
        await lab.forge.open(proposal(branch), lab.push(branch, path))
    lab.pass_time(60)
    first = await lab.forge.list_recent(nothing)
    before = await spent(lab)
    for _ in range(20):
        assert await lab.forge.list_recent(nothing) == first
    assert await spent(lab) - before == 1  # the question itself


async def test_a_check_that_is_run_again_is_seen_though_the_pull_request_stands_still(lab: Lab) -> None:
    head = lab.push()
    await lab.forge.open(proposal(), head)
    lab.pass_time(60)
    (passing,) = [one for one in await lab.forge.list_recent(nothing) if one.state == "open"]
    lab.state.pulls.runs[head][0].conclusion = "failure"
    (failing,) = [one for one in await lab.forge.list_recent(nothing) if one.state == "open"]
    assert (passing.checks, failing.checks) == ("passing", "failing")
    assert passing.updated_at == failing.updated_at


async def test_what_has_ended_is_not_kept_for_ever(lab: Lab) -> None:
    request, _, _ = await lab.forge.open(proposal(), lab.push())
    await lab.forge.list_recent(nothing)
    await lab.forge.close(request.number)
    await lab.forge.list_recent(nothing)
    assert [path for path in lab.forge._listing._reads._entries if "check-runs" in path or "reviews" in path] == []


async def test_more_than_a_page_is_read_whole_though_no_header_links_the_pages(lab: Lab) -> None:
    head = lab.push()
    for number in range(130):
        branch = f"sgm/dev/many-{number}"
        lab.origin.update(branch, head, "")
        lab.state.pulls.open(branch, f"feat: {number}")
    answer = await lab.forge.list_recent(nothing)
    assert len([one for one in answer if one.state == "open"]) == 130
    assert lab.forge.note == ""


async def test_what_is_more_than_sgm_looks_at_is_said(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sgm_tui.forge.listing._MOST_OPEN", 1)
    for number in range(2):
        lab.push(f"{BRANCH}{number}", version=f"v9.0.{number}")
        lab.state.pulls.open(f"{BRANCH}{number}", "feat")
    answer = await lab.forge.list_recent(nothing)
    assert len([one for one in answer if one.state == "open"]) == 1
    assert lab.forge.note == "only the newest 1 open pull requests are looked at"


def limited(lab: Lab, status: int, headers: Mapping[str, str], body: str, *, page: bool = False) -> None:
    """The next look at the open pull requests is refused."""
    kind = "text/html" if page else "application/json"
    answer = web.Response(status=status, headers={**headers, "Content-Type": kind}, text=body)
    lab.answers["GET", "pulls"] = [answer]


async def refused(lab: Lab) -> PausedError:
    with pytest.raises(PausedError) as caught:
        await lab.forge.list_recent(nothing)
    return caught.value


SECONDARY = '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'


async def test_a_used_up_limit_says_until_when_and_nothing_is_sent_until_then(lab: Lab) -> None:
    now = lab.state.clock.wall()
    ahead = now + timedelta(minutes=5)
    # GitHub's clock is five minutes ahead of ours: what counts is how far the reset is from its own time.
    reset = str(int((ahead + timedelta(minutes=20)).timestamp()))
    stamp = format_datetime(ahead.astimezone(UTC), usegmt=True)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset, "Date": stamp}
    limited(lab, 403, headers, '{"message": "API rate limit exceeded for user ID 1."}')
    error = await refused(lab)
    until = (now + timedelta(minutes=20)).astimezone()
    assert error.message == f"GitHub: rate limit exceeded until {until:%H:%M}"
    assert error.seconds == pytest.approx(1200, abs=2)
    lab.requests.clear()
    await refused(lab)
    with pytest.raises(PausedError):
        await lab.forge.open(proposal(), lab.push())
    assert lab.requests == []
    lab.pass_time(1202)
    assert await lab.forge.list_recent(nothing) is not None


async def test_the_last_request_of_the_hour_is_the_last_one(lab: Lab) -> None:
    reset = str(int((lab.state.clock.wall() + timedelta(minutes=3)).timestamp()))
    stamp = format_datetime(lab.state.clock.wall().astimezone(UTC), usegmt=True)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset, "Date": stamp}
    limited(lab, 200, headers, "[]")
    error = await refused(lab)
    assert "rate limit exceeded until" in error.message
    assert [path.rpartition("/")[2] for _, path in lab.requests] == ["pulls"]


@pytest.mark.parametrize("status", [403, 429])
async def test_a_secondary_limit_is_waited_for_as_long_as_it_says(lab: Lab, status: int) -> None:
    limited(lab, status, {"Retry-After": "90"}, SECONDARY)
    error = await refused(lab)
    assert error.seconds == pytest.approx(90, abs=1)
    assert "too many concurrent requests, waiting until" in error.message
    assert len(lab.requests) == 1


@pytest.mark.parametrize(("status", "body", "page"), [(403, "<html>Slow down</html>", True), (429, SECONDARY, False)])
async def test_a_secondary_limit_that_names_no_time_is_waited_for_twice_as_long_each_time(
    lab: Lab, status: int, body: str, page: bool
) -> None:
    waited = []
    for _ in range(3):
        limited(lab, status, {}, body, page=page)
        waited.append((await refused(lab)).seconds)
        lab.pass_time(waited[-1] + 1)
    assert waited == pytest.approx([60, 120, 240], abs=1)
    await lab.forge.list_recent(nothing)
    limited(lab, status, {}, body, page=page)
    assert (await refused(lab)).seconds == pytest.approx(60, abs=1)


async def test_a_missing_permission_is_named_and_is_no_limit(lab: Lab) -> None:
    headers = {"X-Accepted-GitHub-Permissions": "pull_requests=write", "X-RateLimit-Remaining": "4999"}
    text = '{"message": "Resource not accessible by personal access token"}'
    answer = web.Response(status=403, headers=headers, text=text, content_type="application/json")
    lab.answers["POST", "pulls"] = [answer]
    with pytest.raises(RefusedError, match="the token needs pull_requests=write"):
        await lab.forge.open(proposal(), lab.push())
    assert [method for method, _ in lab.requests].count("POST") == 1
    assert await lab.forge.list_recent(nothing) is not None


async def test_a_token_that_was_renewed_meanwhile_is_read_again(lab: Lab) -> None:
    forge = GithubForge(lab.config, "ghp_expired", lab.state.clock.wall, read_token=lambda: TOKEN)
    assert await forge.find_open(BRANCH) is None
    lab.requests.clear()
    assert await forge.find_open(BRANCH) is None
    assert len(lab.requests) == 1


@pytest.mark.parametrize(("days", "note"), [(3, "the token expires in 3 d"), (0, "the token expires today"), (8, "")])
async def test_a_token_that_expires_soon_is_said(lab: Lab, days: int, note: str) -> None:
    at = lab.state.clock.wall().astimezone(UTC) + timedelta(days=days, hours=1)
    limited(lab, 200, {"GitHub-Authentication-Token-Expiration": f"{at:%Y-%m-%d %H:%M:%S} UTC"}, "[]")
    assert await lab.forge.find_open(BRANCH) is None
    assert lab.forge.note == note


async def test_a_pull_request_whose_answer_got_lost_is_found_and_not_made_twice(lab: Lab) -> None:
    head = lab.push()
    lab.lost.add(("POST", "pulls"))
    request, is_new, refusals = await lab.forge.open(proposal(), head)
    assert (request.branch, is_new, refusals) == (BRANCH, True, "")
    assert [one.head for one in lab.state.pulls.values() if one.merged is None] == [BRANCH]
    assert lab.state.pulls[request.number].labels == ["promotion"]


async def test_where_nobody_can_tell_whether_it_was_made_nothing_is_made_again(lab: Lab) -> None:
    head = lab.push()
    lab.lost.add(("POST", "pulls"))
    lab.answers["GET", "pulls"] = [web.json_response([]), *[(502, "Bad Gateway")] * 3]
    with pytest.raises(UnreachableError, match="sgm cannot check whether the pull request was opened") as caught:
        await lab.forge.open(proposal(), head)
    assert "finds it if it was" in caught.value.hint
    again, is_new, _ = await lab.forge.open(proposal(), head)
    assert (again.branch, is_new) == (BRANCH, False)


async def test_merging_waits_until_github_knows_whether_it_fits(lab: Lab) -> None:
    request, _, _ = await lab.forge.open(proposal(), lab.push())
    lab.pass_time(60)
    lab.state.pulls[request.number].mergeable = None
    lab.state.automation.recompute_mergeability(lab.state.pulls[request.number])
    assert "is merged" in await lab.forge.merge(request.number, request.head)
    assert lab.paused == [3.0]


async def test_what_github_never_works_out_is_not_merged(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    request, _, _ = await lab.forge.open(proposal(), lab.push())
    monkeypatch.setattr(lab, "pass_time", lambda _seconds: None)
    with pytest.raises(RefusedError, match=f"GitHub is still computing whether #{request.number} can merge"):
        await lab.forge.merge(request.number, request.head)
    assert sum(lab.paused) <= 30
    assert not lab.state.pulls[request.number].merged


class Limited:
    """A forge that is asked too often, and then not any more."""

    note = "the token expires today"

    def __init__(self, *answers: SgmError | tuple[PullRequest, ...]) -> None:
        self._answers = list(answers)

    async def list_recent(self, _proposes: ProposedChanges, _merged: MergedChanges) -> tuple[PullRequest, ...]:
        answer = self._answers.pop(0)
        if isinstance(answer, SgmError):
            raise answer
        return answer


async def test_the_source_waits_as_long_as_github_says_and_tells_what_is_noted() -> None:
    forge = Limited(PausedError("GitHub: rate limit exceeded until 14:05", 600.0), ())
    source = PullRequestSource(forge, nothing, nothing, nothing, 20.0)
    updates: list[SourceUpdate] = []

    class EnoughError(Exception):
        pass

    def publish(observation: Any) -> None:
        updates.append(observation)
        source.refresh()
        if len(updates) == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        await source.run(publish)
    lost, listed = updates
    assert isinstance(lost, SourceUnreachable)
    assert lost.reason == "GitHub: rate limit exceeded until 14:05"
    assert lost.retry_in is not None
    assert lost.retry_in >= 600.0
    assert listed == PullRequestsListed(source.source, (), "the token expires today")


async def test_pull_requests_are_not_asked_for_before_what_they_propose_can_be_read() -> None:
    forge, cloned = Limited(()), asyncio.Event()
    source = PullRequestSource(forge, nothing, nothing, nothing, 20.0, cloned.wait)
    updates: asyncio.Queue[SourceUpdate] = asyncio.Queue()
    following = asyncio.create_task(source.run(updates.put_nowait))
    await asyncio.sleep(0)
    assert updates.empty()
    cloned.set()
    async with asyncio.timeout(60):
        assert await updates.get() == PullRequestsListed(source.source, (), "the token expires today")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Retry-After": "86400"}, SECONDARY),
        ({"Retry-After": "99999999999999999999"}, SECONDARY),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "86400"}, '{"message": "API rate limit exceeded"}'),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}, '{"message": "API rate limit exceeded"}'),
    ],
)
async def test_nobody_waits_longer_than_the_hour_github_counts_in(
    lab: Lab, headers: Mapping[str, str], body: str
) -> None:
    limited(lab, 403, headers, body)
    assert (await refused(lab)).seconds == pytest.approx(3600, abs=1)
    lab.pass_time(3602)
    assert await lab.forge.list_recent(nothing) is not None
