"""The embedded GitHub, asked by PyGithub over HTTP; merges happen in a real repository."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from github import Auth, Github, GithubException, UnknownObjectException
from github.PullRequest import PullRequest
from github.Repository import Repository as Repo
from plain_server import mounted

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.git.history import history
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.git.seed import seed
from sgm_tui.sandbox.github import api as github_api
from sgm_tui.sandbox.github.checks import findings
from sgm_tui.sandbox.github.pulls import GitHubError
from sgm_tui.sandbox.github.state import GitHub

STARTED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
FILES = seed(2)
DEV, STAGING = (f"{stage}/app-service/cart/values.yaml" for stage in ("dev", "staging"))
PROD = "prod/prod-eu1/app-service/cart/values.yaml"
Answer = TypeVar("Answer")


@dataclass
class Lab:
    """GitHub in a test: its state, and a real client of it."""

    state: GitHub
    url: str
    repo: Repo
    client: Github

    @property
    def repository(self) -> Repository:
        return self.state.repository

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.state.clock.advance(0.5)
            self.state.step()

    def change(self, branch: str, path: str = DEV, old: str = "v2", new: str = "v3") -> str:
        data = FILES[path].decode().replace(old, new, 1).encode()
        return self.repository.commit(branch, {path: data}, f"feat(cart): {branch}\n\nSgm-To: v3", at=STARTED)

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        return await asyncio.to_thread(question)

    async def create(self, branch: str, *, draft: bool = False) -> PullRequest:
        return await self.ask(
            lambda: self.repo.create_pull("main", branch, title=f"feat(cart): {branch}", body="why", draft=draft)
        )


@asynccontextmanager
async def _lab(directory: Path) -> AsyncIterator[Lab]:
    repository = Repository(directory / "gitops.git")
    repository.seed(history(FILES), STARTED)
    state = GitHub(repository, Clock(STARTED), seed="test")
    state.begin()
    async with mounted("/api", github_api.routes(state)) as url:
        client = Github(
            base_url=f"{url}/api/v3", auth=Auth.Token("t"), seconds_between_requests=None,
            seconds_between_writes=None, retry=None,
        )  # fmt: skip
        repo = await asyncio.to_thread(client.get_repo, "acme/gitops")
        yield Lab(state, url, repo, client)
        client.close()
    repository.close()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as made:
        yield made


async def test_a_client_finds_the_repository_itself_and_its_branches(lab: Lab) -> None:
    assert (await lab.ask(lambda: lab.client.get_user().login)) == "operator"
    assert lab.repo.default_branch == "main"
    assert lab.repo.allow_auto_merge
    branch = await lab.ask(lambda: lab.repo.get_branch("main"))
    assert branch.commit.sha == lab.repository.head()
    assert branch.protected
    with pytest.raises(UnknownObjectException):
        await lab.ask(branch.get_protection)
    with pytest.raises(UnknownObjectException):
        await lab.ask(lambda: lab.repo.get_branch("nowhere"))
    with pytest.raises(UnknownObjectException):
        await lab.ask(lambda: lab.client.get_repo("acme/other"))


async def test_a_pull_request_is_checked_reviewed_and_really_merged(lab: Lab) -> None:
    head = lab.change("sgm/cart-dev")
    pull = await lab.create("sgm/cart-dev")
    assert (pull.number, pull.head.sha, pull.mergeable, pull.mergeable_state) == (
        max(lab.state.pulls), head, None, "unknown",
    )  # fmt: skip
    assert [one.filename for one in await lab.ask(lambda: list(pull.get_files()))] == [DEV]
    commit = await lab.ask(lambda: lab.repo.get_commit(head))
    lab.pass_time(2.5)
    runs = await lab.ask(lambda: list(commit.get_check_runs()))
    assert {(one.name, one.status) for one in runs} == {(name, "queued") for name in ("lint", "render", "policy")}
    status = await lab.ask(commit.get_combined_status)
    assert (status.state, status.total_count) == ("pending", 0)
    requested = await lab.ask(lambda: [team.slug for team in pull.get_review_requests()[1]])
    assert requested == ["shop"]
    pull = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert (pull.mergeable, pull.mergeable_state) == (True, "blocked")
    with pytest.raises(GithubException) as refused:
        await lab.ask(pull.merge)
    assert refused.value.status == 405
    lab.pass_time(60)
    assert {one.conclusion for one in await lab.ask(lambda: list(commit.get_check_runs()))} == {"success"}
    reviews = await lab.ask(lambda: list(pull.get_reviews()))
    assert [one.state for one in reviews] == ["APPROVED"]
    assert reviews[0].user.login in lab.state.pulls.reviewers.team("shop")
    pull = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert pull.mergeable_state == "clean"
    with pytest.raises(GithubException) as moved:
        await lab.ask(lambda: pull.merge(sha="0" * 40))
    assert moved.value.status == 409
    merged = await lab.ask(lambda: pull.merge(sha=head))
    assert merged.merged
    assert lab.repository.head() == merged.sha
    assert lab.repository.contains(merged.sha, head)
    assert lab.repository.message(merged.sha).startswith(f"Merge pull request #{pull.number} from acme/sgm/cart-dev")
    pull = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert (pull.state, pull.merged, pull.merge_commit_sha) == ("closed", True, merged.sha)


async def test_auto_merge_merges_when_nothing_is_in_the_way_any_more(lab: Lab) -> None:
    pushed: list[str] = []
    lab.state.on_push.append(lambda: pushed.append(lab.repository.head()))
    lab.change("sgm/cart-prod", PROD)
    pull = await lab.create("sgm/cart-prod")
    await lab.ask(lambda: pull.enable_automerge("SQUASH", expected_head_oid=pull.head.sha))
    seen = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert seen.raw_data["auto_merge"]["merge_method"] == "squash"
    lab.pass_time(90)
    seen = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert seen.merged
    assert pushed == [lab.repository.head()]
    assert len(await lab.ask(lambda: lab.repo.get_commit(lab.repository.head()).parents)) == 1


async def test_auto_merge_is_refused_where_github_refuses_it(lab: Lab) -> None:
    lab.change("sgm/cart-dev")
    pull = await lab.create("sgm/cart-dev", draft=True)
    with pytest.raises(GithubException, match="draft"):
        await lab.ask(pull.enable_automerge)
    await lab.ask(pull.mark_ready_for_review)
    assert not pull.draft
    await lab.ask(pull.enable_automerge)
    await lab.ask(pull.disable_automerge)
    lab.pass_time(90)
    with pytest.raises(GithubException) as clean:
        await lab.ask(pull.enable_automerge)
    assert clean.value.status == 400
    assert "clean status" in clean.value.data["errors"][0]["message"]
    with pytest.raises(GithubException):
        await lab.ask(pull.disable_automerge)


async def test_owners_take_the_longer_the_more_is_at_stake(lab: Lab) -> None:
    for stage, path in (("dev", DEV), ("staging", STAGING), ("prod", PROD)):
        lab.change(f"sgm/cart-{stage}", path)
        await lab.create(f"sgm/cart-{stage}")
    approved: dict[str, float] = {}
    while len(approved) < 3:
        lab.pass_time(0.5)
        for pull in lab.state.pulls.values():
            if pull.reviews and pull.head not in approved:
                approved[pull.head] = lab.state.clock.now
        assert lab.state.clock.now < 200
    assert list(approved) == ["sgm/cart-dev", "sgm/cart-staging", "sgm/cart-prod"]


async def test_values_that_do_not_parse_fail_the_checks_and_nobody_approves(lab: Lab) -> None:
    broken = FILES[DEV] + b"\n  : [\n"
    lab.repository.commit("broken", {DEV: broken}, "oops", at=STARTED)
    pull = await lab.create("broken")
    lab.pass_time(120)
    runs = await lab.ask(lambda: {one.name: one for one in lab.repo.get_commit(pull.head.sha).get_check_runs()})
    assert runs["lint"].conclusion == runs["render"].conclusion == "failure"
    assert DEV in runs["lint"].output.summary
    seen = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert seen.mergeable_state == "blocked"
    assert not lab.state.pulls[pull.number].reviews


@pytest.mark.parametrize("form", ["image: {repository: ghcr.io/acme/cart, tag: %s}\n", "image:\n  tag: %s  # bumped\n"])
def test_the_policy_reads_the_version_however_the_file_writes_it(form: str) -> None:
    for tag, conclusion in (('"v1.19.2"', "success"), ("latest", "failure"), ("1.20", "failure")):
        found = findings({STAGING: (form % tag).encode()}.get, [STAGING])
        assert found["policy"].conclusion == conclusion


async def test_a_version_that_can_move_is_against_the_policy(lab: Lab) -> None:
    lab.change("latest", DEV, "v2.8.1", "latest")
    pull = await lab.create("latest")
    lab.pass_time(60)
    runs = await lab.ask(
        lambda: {one.name: one.conclusion for one in lab.repo.get_commit(pull.head.sha).get_check_runs()}
    )
    assert runs == {"lint": "success", "render": "success", "policy": "failure"}


async def test_a_push_begins_checks_and_reviews_anew(lab: Lab) -> None:
    lab.change("sgm/cart-dev")
    pull = await lab.create("sgm/cart-dev")
    lab.pass_time(60)
    head = lab.change("sgm/cart-dev", DEV, "v2", "v4")
    lab.pass_time(2)
    seen = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert seen.head.sha == head
    runs = await lab.ask(lambda: list(lab.repo.get_commit(head).get_check_runs()))
    assert {one.status for one in runs} == {"queued"}
    assert seen.mergeable_state in {"unknown", "blocked"}


async def test_conflicts_make_it_dirty(lab: Lab) -> None:
    lab.change("sgm/cart-dev")
    pull = await lab.create("sgm/cart-dev")
    lab.change("main", DEV, "v2", "v9")
    lab.pass_time(60)
    seen = await lab.ask(lambda: lab.repo.get_pull(pull.number))
    assert (seen.mergeable, seen.mergeable_state) == (False, "dirty")
    with pytest.raises(GithubException) as refused:
        await lab.ask(seen.merge)
    assert (refused.value.status, refused.value.data["message"]) == (405, "Pull Request is not mergeable")
    with pytest.raises(GithubException, match="dirty"):
        await lab.ask(seen.enable_automerge)


async def test_what_cannot_be_opened_is_refused_in_githubs_words(lab: Lab) -> None:
    lab.change("sgm/cart-dev")
    lab.repository.update("empty", lab.repository.head(), "")
    await lab.create("sgm/cart-dev")
    cases = {
        "sgm/cart-dev": "A pull request already exists for acme:sgm/cart-dev.",
        "empty": "No commits between main and empty",
    }
    for branch, message in cases.items():
        with pytest.raises(GithubException) as refused:
            await lab.create(branch)
        assert refused.value.status == 422
        assert refused.value.data["errors"][0]["message"] == message
    with pytest.raises(GithubException) as missing:
        await lab.create("nowhere")
    assert missing.value.data["errors"][0] == {"resource": "PullRequest", "field": "head", "code": "invalid"}


async def test_labels_assignees_comments_and_reviewers_are_kept(lab: Lab) -> None:
    lab.change("sgm/cart-dev")
    pull = await lab.create("sgm/cart-dev")
    await lab.ask(lambda: pull.add_to_labels("promotion", "urgent"))
    await lab.ask(lambda: pull.remove_from_labels("urgent"))
    await lab.ask(lambda: pull.add_to_assignees("ana"))
    await lab.ask(lambda: pull.create_issue_comment("looks good"))
    await lab.ask(lambda: pull.create_review_request(reviewers=["mei"], team_reviewers=["sre"]))
    await lab.ask(lambda: pull.edit(title="feat(cart): better", body="because"))
    seen = (await lab.ask(lambda: list(lab.repo.get_pulls(state="open", head="acme:sgm/cart-dev"))))[0]
    assert [one.name for one in seen.labels] == ["promotion"]
    assert [one.login for one in seen.assignees] == ["ana"]
    assert [one.login for one in seen.requested_reviewers] == ["mei"]
    assert [one.slug for one in seen.requested_teams] == ["sre"]
    assert (seen.title, seen.body) == ("feat(cart): better", "because")
    assert [one.body for one in await lab.ask(lambda: list(pull.get_issue_comments()))] == ["looks good"]
    with pytest.raises(GithubException) as author:
        await lab.ask(lambda: pull.create_review_request(reviewers=["operator"]))
    assert author.value.status == 422
    with pytest.raises(GithubException) as own:
        await lab.ask(lambda: pull.create_review(event="APPROVE"))
    assert own.value.status == 422


async def test_closing_keeps_the_branch_and_losing_the_branch_closes(lab: Lab) -> None:
    lab.change("one")
    lab.change("two", STAGING)
    first, second = await lab.create("one"), await lab.create("two")
    await lab.ask(lambda: first.edit(state="closed"))
    assert lab.repository.head("one")
    await lab.ask(lambda: first.edit(state="open"))
    await lab.ask(lambda: lab.repo.get_git_ref("heads/two").delete())
    lab.pass_time(1)
    states = {one.number: one.state for one in await lab.ask(lambda: list(lab.repo.get_pulls(state="all")))}
    assert (states[first.number], states[second.number]) == ("open", "closed")


async def test_branches_are_made_moved_and_removed_over_rest(lab: Lab) -> None:
    head = lab.repository.head()
    made = await lab.ask(lambda: lab.repo.create_git_ref("refs/heads/sgm/new", head))
    assert lab.repository.head("sgm/new") == head
    with pytest.raises(GithubException, match="Reference already exists"):
        await lab.ask(lambda: lab.repo.create_git_ref("refs/heads/sgm/new", head))
    change = lab.change("elsewhere")
    await lab.ask(lambda: made.edit(change))
    assert lab.repository.head("sgm/new") == change
    with pytest.raises(GithubException, match="fast forward"):
        await lab.ask(lambda: made.edit(head))
    await lab.ask(lambda: made.edit(head, force=True))
    await lab.ask(made.delete)
    assert not lab.repository.head("sgm/new")


async def test_files_commits_and_comparisons_are_those_of_git(lab: Lab) -> None:
    base = lab.repository.head()
    head = lab.change("sgm/cart-dev")
    content = await lab.ask(lambda: lab.repo.get_contents(DEV, ref="sgm/cart-dev"))
    assert not isinstance(content, list)
    assert content.decoded_content == lab.repository.read(head, DEV)
    folder = await lab.ask(lambda: lab.repo.get_contents("dev/app-service"))
    assert isinstance(folder, list)
    assert [(one.name, one.type) for one in folder] == [("cart", "dir"), ("catalog", "dir")]
    with pytest.raises(UnknownObjectException):
        await lab.ask(lambda: lab.repo.get_contents("nowhere"))
    compared = await lab.ask(lambda: lab.repo.compare("main", "sgm/cart-dev"))
    assert (compared.status, compared.ahead_by, compared.behind_by) == ("ahead", 1, 0)
    assert compared.files[0].patch.startswith("@@ ")
    commit = await lab.ask(lambda: lab.repo.get_commit(head))
    assert commit.commit.message.startswith("feat(cart): sgm/cart-dev")
    assert (commit.stats.additions, commit.stats.deletions) == (1, 1)
    assert [one.sha for one in commit.parents] == [base]
    history_of_file = await lab.ask(lambda: [one.sha for one in lab.repo.get_commits(path=DEV)])
    assert len(history_of_file) > 1


async def test_the_past_is_told_from_git_and_paged(lab: Lab) -> None:
    listed = await lab.ask(lambda: list(lab.repo.get_pulls(state="closed")))
    assert (await lab.ask(lambda: lab.repo.get_pulls(state="closed").totalCount)) == len(listed) > 5
    assert all(one.merged_at is not None for one in listed)
    assert [one.number for one in listed] == sorted((one.number for one in listed), reverse=True)
    async with aiohttp.ClientSession() as session:
        address = f"{lab.url}/api/v3/repos/acme/gitops/pulls?state=all&per_page=3"
        seen: list[int] = []
        while address:
            async with session.get(address) as answer:
                seen += [one["number"] for one in await answer.json()]
                address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert seen == [one.number for one in listed]


async def test_an_unchanged_answer_is_304_and_costs_nothing(lab: Lab) -> None:
    address = f"{lab.url}/api/v3/repos/acme/gitops/pulls"
    async with aiohttp.ClientSession() as session:
        async with session.get(address) as first:
            tag, left = first.headers["ETag"], first.headers["X-RateLimit-Remaining"]
        async with session.get(address, headers={"If-None-Match": tag}) as second:
            assert second.status == 304
            assert second.headers["X-RateLimit-Remaining"] == left
        lab.change("sgm/cart-dev")
        await lab.create("sgm/cart-dev")
        async with session.get(address, headers={"If-None-Match": tag}) as third:
            assert third.status == 200
        async with session.get(f"{lab.url}/api/v3/nowhere") as nowhere:
            assert (nowhere.status, (await nowhere.json())["message"]) == (404, "Not Found")
        async with session.post(address, data=b"{") as broken:
            assert (broken.status, (await broken.json())["message"]) == (400, "Problems parsing JSON")


async def test_wrong_lines_of_codeowners_are_told(lab: Lab) -> None:
    lab.repository.commit("main", {"CODEOWNERS": b"* @acme/platform\n!x @a\n/dev/ nobody\n"}, "owners", at=STARTED)
    address = f"{lab.url}/api/v3/repos/acme/gitops/codeowners/errors"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        errors = (await answer.json())["errors"]
    assert [(one["line"], one["kind"]) for one in errors] == [(2, "Invalid pattern"), (3, "Invalid owner")]


async def test_a_scenario_opens_pull_requests_in_the_name_of_who_committed(lab: Lab) -> None:
    data = FILES[PROD].replace(b"v2", b"v3", 1)
    lab.repository.commit("sgm/somebody", {PROD: data}, "feat(cart): bump", at=STARTED, author="Mei Tanaka")
    pull = lab.state.pulls.open("sgm/somebody", "feat(cart): bump")
    assert pull.login == "mei"
    lab.pass_time(90)
    assert pull.reviews[0].login != "mei"
    assert pull.closed is None
    with pytest.raises(GitHubError):
        lab.state.pulls.open("sgm/somebody", "again")


async def test_open_pull_requests_survive_a_restart(lab: Lab) -> None:
    lab.change("sgm/open")
    lab.change("sgm/gone", STAGING)
    pull, gone = await lab.create("sgm/open"), await lab.create("sgm/gone")
    await lab.ask(lambda: pull.add_to_labels("promotion"))
    lab.pass_time(60)
    lab.repository.delete("sgm/gone")
    later = GitHub(lab.repository, Clock(lab.state.clock.wall()), seed="test")
    later.begin()
    again = later.pulls[pull.number]
    assert gone.number not in later.pulls
    assert (again.title, again.state, again.labels, again.login) == (pull.title, "open", ["promotion"], "operator")
    assert later.clock.stamp(again.created) == lab.state.clock.stamp(0.0)
    assert [one.state for one in again.reviews] == ["APPROVED"]
    for _ in range(200):
        later.clock.advance(0.5)
        later.step()
    assert later.pulls.state_of(again) == "clean"
