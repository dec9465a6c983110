"""Promotion through a real clone of a real origin: preview, submit, retry, and everything that gets in the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from origin import DEV, FILES, PROD, STAGING, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import (
    ClosedPullRequest,
    CommitRange,
    Override,
    Preview,
    Progress,
    Proposal,
    WriteOptions,
)
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations import promoter as promote_module
from sgm_tui.operations.actor import actor
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.proposal import message_of
from sgm_tui.operations.write_ports import Forge
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.report import changes as change_report
from sgm_tui.sandbox.git.repository import Repository as Origin

OLD, NEW = "v2.8.1", "v3.0.0"
DEV_CELL, STAGING_CELL, PROD_CELL = (cell("cart", stage, "eu1") for stage in ("dev", "staging", "prod"))


@dataclass
class Pulls:
    """A forge in memory: it finds the pull request of a branch, or makes one."""

    origin: Origin
    journal: Path
    pulls: dict[str, PullRequest] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)
    merging: list[tuple[int, str]] = field(default_factory=list)
    steps_noted: list[str] = field(default_factory=list)
    failure: SgmError | None = None
    left: str = ""
    unmerged: str = ""

    async def open(self, proposal: Proposal, head: str, consent: Consent = NO_CONSENT) -> tuple[PullRequest, bool, str]:
        """Find or make it; the branch has to be there already."""
        self.steps_noted = [one["step"] for one in records(self.journal)]
        if self.failure is not None:
            raise self.failure
        assert self.origin.head(proposal.branch) == head
        if proposal.branch in self.pulls:
            return self.pulls[proposal.branch], False, ""
        number = 100 + len(self.pulls)
        url = f"https://git.example/{number}"
        self.proposals.append(proposal)
        self.pulls[proposal.branch] = PullRequest(number, proposal.title, url, "ana", proposal.branch, head, "open")
        return self.pulls[proposal.branch], True, self.left

    async def list_open(self) -> tuple[PullRequest, ...]:
        """All of them."""
        return tuple(self.pulls.values())

    async def close(self, number: int) -> str:
        """Nobody is ever first here."""
        raise AssertionError(number)

    async def compare(self, source: str, old: str, new: str) -> CommitRange:
        """Two commits."""
        return CommitRange(
            (f"1234567 fix: in {source} (Mia)",), 2, f"https://github.com/{source}/compare/{old}...{new}"
        )

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """Nobody closed anything here."""
        return None

    async def try_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Note that it was asked for."""
        self.merging.append((number, head))
        return self.unmerged


@dataclass
class Lab:
    """Everything a promotion touches."""

    origin: Origin
    clone: Repository
    config: Config
    directory: Path
    forge: Pulls
    audit: Audit

    @property
    def journal_file(self) -> Path:
        return self.directory / "journal.jsonl"

    @property
    def audit_file(self) -> Path:
        return self.directory / "audit.jsonl"

    def promoter(self, forge: Forge | None = None, **github: Any) -> Promoter:
        config = replace(self.config, github=replace(self.config.github, **github))
        return Promoter(config, self.clone, forge or self.forge, Journal(self.journal_file), self.audit)

    def branches(self) -> dict[str, str]:
        return {name: head for name, head in self.origin.heads().items() if name != "main"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    origin = origin_in(tmp_path)
    writes = {path: with_version(FILES[path], OLD) for path in (DEV, STAGING, PROD)}
    changed = {path: data for path, data in writes.items() if data != FILES[path]}
    origin.commit("main", changed | {"begin.txt": b"x"}, "chore: begin", at=STARTED)
    config = config_of(origin, tmp_path)
    state = tmp_path / "state"
    clone = Repository(config.repository.url, config.repository.branch, state)
    yield Lab(origin, clone, config, state, Pulls(origin, state / "journal.jsonl"), Audit(state / "audit.jsonl"))
    origin.close()


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def change(path: str, key: CellKey, new: str = NEW, old: str = OLD) -> Change:
    cluster = key.cluster if key.stage == "prod" else None
    versions = Version(old), Version(new)
    return Change("promotion", key.service, key.stage, cluster, path, "image.tag", *versions, (key,))


def plan(*changes: Change) -> Plan:
    return Plan(changes or (change(STAGING, STAGING_CELL),))


async def submitted(promoter: Promoter, preview: Preview) -> list[Progress]:
    return [step async for step in promoter.submit(preview)]


def words(steps: Sequence[Progress]) -> list[str]:
    return [step.step for step in steps]


async def test_the_preview_shows_the_exact_diff_of_every_file(lab: Lab) -> None:
    preview = await lab.promoter().preview(plan())
    (proposal,) = preview.proposals
    lines = proposal.edits[0].diff.splitlines()
    assert preview.base == lab.origin.head()
    assert lines[:2] == [f"--- a/{STAGING}", f"+++ b/{STAGING}"]
    removed = [line for line in lines[2:] if line.startswith("-")]
    added = [line for line in lines[2:] if line.startswith("+")]
    assert len(removed) == len(added) == 1
    assert added[0][1:] == removed[0][1:].replace(OLD, NEW)
    assert OLD in removed[0]


async def test_there_is_one_proposal_a_stage_in_the_order_they_were_staged(lab: Lab) -> None:
    preview = await lab.promoter().preview(
        plan(change(PROD, PROD_CELL), change(DEV, DEV_CELL), change(PROD.replace("eu1", "us1"), PROD_CELL, old="v0"))
    )
    assert [one.stage for one in preview.proposals] == ["prod", "dev"]
    assert [one.path for one in preview.refusals] == [PROD.replace("eu1", "us1")]
    prod, dev = preview.proposals
    assert (prod.title, dev.title) == (f"feat(cart): prod-eu1 -> {NEW}", f"feat(cart): dev -> {NEW}")
    assert (prod.reviewers, dev.reviewers) == (("@acme/sre", "@acme/platform"), ("@acme/shop",))
    assert dev.labels == ("promotion", "stage/dev")
    assert PROD in prod.body
    assert DEV not in prod.body


async def test_the_same_change_has_the_same_branch_whoever_makes_it(lab: Lab) -> None:
    one = await lab.promoter().preview(plan())
    lab.origin.commit("main", {"x.md": b"x"}, "docs", at=STARTED)
    again = await lab.promoter().preview(plan())
    other = await lab.promoter().preview(plan(change(STAGING, STAGING_CELL, "v3.0.1")))
    assert again.base != one.base
    assert again.proposals == one.proposals
    assert one.proposals[0].branch.startswith(f"sgm/staging/cart-{NEW}-")
    assert other.proposals[0].branch != one.proposals[0].branch


async def test_a_value_that_has_changed_is_refused_with_what_is_there(lab: Lab) -> None:
    preview = await lab.promoter().preview(
        plan(change(STAGING, STAGING_CELL, old="v1.0.0"), change("gone/values.yaml", DEV_CELL))
    )
    assert preview.proposals == ()
    assert [one.path for one in preview.refusals] == [STAGING, "gone/values.yaml"]
    assert OLD in preview.refusals[0].reason
    assert "no longer in git" in preview.refusals[1].reason


async def test_submitting_commits_with_trailers_pushes_and_opens(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "pushing", "opening", "opened"]
    (branch, commit), *others = lab.branches().items()
    assert (branch, others) == (preview.proposals[0].branch, [])
    assert lab.origin.commits(preview.base, commit) == [commit]
    assert lab.origin.changed(preview.base, commit) == {STAGING}
    assert lab.origin.read(commit, STAGING) == with_version(lab.origin.read(preview.base, STAGING) or b"", NEW)
    told = lab.origin.ask("log", "-1", "--format=%(trailers:only)", commit).strip().splitlines()
    assert [line for line in told if not line.startswith("Sgm-Change-Id: ")] == [
        f"Sgm-From: {OLD}", f"Sgm-To: {NEW}", "Sgm-Stage: staging", "Sgm-Clusters: staging-eu1",
        f"Sgm-By: {actor()}",
    ]  # fmt: skip
    assert lab.origin.message(commit).startswith(f"feat(cart): staging -> {NEW}\n\n")
    assert (steps[-1].number, steps[-1].url, steps[-1].commit) == (100, "https://git.example/100", commit)
    assert lab.origin.head() == preview.base


async def test_two_stages_are_two_branches_from_the_same_head(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan(change(DEV, DEV_CELL), change(STAGING, STAGING_CELL)))
    steps = await submitted(promoter, preview)
    assert words(steps).count("opened") == 2
    changed = {name: lab.origin.changed(preview.base, head) for name, head in lab.branches().items()}
    assert changed == {preview.proposals[0].branch: {DEV}, preview.proposals[1].branch: {STAGING}}


async def test_submitting_again_finds_what_is_there_and_doubles_nothing(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    await submitted(promoter, preview)
    before = lab.branches()
    again = await submitted(lab.promoter(), await lab.promoter().preview(plan()))
    assert words(again) == ["committing", "opening", "adopted"]
    assert again[-1].number == 100
    assert lab.branches() == before
    assert len(lab.forge.proposals) == 1


async def test_a_value_somebody_changed_after_the_preview_stops_everything(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    data = with_version(lab.origin.read(preview.base, STAGING) or b"", "v2.9.9")
    lab.origin.commit("main", {STAGING: data}, "somebody", at=STARTED)
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "refused"]
    assert "image.tag is v2.9.9 now, not v2.8.1: it was changed meanwhile" in steps[-1].text
    assert steps[-1].text.endswith("Nothing was written.")
    assert lab.branches() == {}
    assert lab.forge.pulls == {}
    assert records(lab.audit_file) == []
    assert Journal(lab.journal_file).unfinished() == {}


async def test_a_change_that_cannot_be_made_any_more_stays_listed_while_its_branch_is_on_the_server(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.forge.failure = UnreachableError("GitHub did not answer")
    await submitted(promoter, preview)
    data = with_version(lab.origin.read(preview.base, STAGING) or b"", "v2.9.9")
    lab.origin.commit("main", {STAGING: data}, "somebody", at=STARTED)
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "refused"]
    assert "sgm plan --unfinished" in steps[-1].text
    assert len(Journal(lab.journal_file).unfinished()) == 1


async def test_without_a_forge_a_push_is_the_way_where_the_policy_allows_it(lab: Lab) -> None:
    lab.config = replace(lab.config, policy=replace(lab.config.policy, direct=("staging",)))
    promoter = Promoter(lab.config, lab.clone, None, Journal(lab.journal_file), lab.audit)
    (offered,) = (await promoter.preview(plan())).proposals
    assert "push it instead" in offered.unwritable
    steps = await submitted(promoter, await promoter.preview(plan(), terms=WriteOptions(direct=True)))
    assert words(steps) == ["committing", "pushing", "pushed"]


async def test_a_direct_proposal_says_the_branch_it_goes_to(lab: Lab) -> None:
    lab.config = replace(lab.config, policy=replace(lab.config.policy, direct=("staging",)))
    preview = await lab.promoter().preview(plan(), terms=WriteOptions(direct=True))
    steps = await submitted(lab.promoter(), preview)
    document = change_report.document("pushed", preview, steps[-1:])
    assert [(one["branch"], one["number"]) for one in document["pull_requests"]] == [("main", None)]
    assert "  branch     main" in change_report.text(preview, STARTED).splitlines()


async def test_a_stage_that_fails_does_not_stop_the_others(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan(change(STAGING, STAGING_CELL), change(DEV, DEV_CELL)))
    lab.origin.commit("main", {STAGING: with_version(FILES[STAGING], "v2.9.9")}, "somebody", at=STARTED)
    steps = await submitted(promoter, preview)
    assert [(one.step, one.proposal.stage) for one in steps if one.step in {"refused", "opened"}] == [
        ("refused", "staging"), ("opened", "dev"),
    ]  # fmt: skip


async def test_what_git_wants_already_is_nothing_to_do(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    data = with_version(lab.origin.read(preview.base, STAGING) or b"", NEW)
    lab.origin.commit("main", {STAGING: data}, "somebody was faster", at=STARTED)
    assert words(await submitted(promoter, preview)) == ["committing", "nothing"]
    assert lab.branches() == {}


async def test_a_change_elsewhere_in_the_file_since_the_preview_is_kept(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    data = (lab.origin.read(preview.base, STAGING) or b"") + b"# more\n"
    lab.origin.commit("main", {STAGING: data}, "somebody", at=STARTED)
    steps = await submitted(promoter, preview)
    assert words(steps)[-1] == "opened"
    assert lab.origin.read(steps[-1].commit, STAGING) == with_version(data, NEW)


async def test_after_a_failed_pull_request_the_branch_is_named_and_a_retry_adopts_it(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.forge.failure = UnreachableError("GitHub answered 502")
    failed = await submitted(promoter, preview)
    assert words(failed) == ["committing", "pushing", "opening", "failed"]
    assert "GitHub answered 502" in failed[-1].text
    assert "The branch is pushed" in failed[-1].text
    pushed = lab.branches()
    lab.forge.failure = None
    retried = await submitted(promoter, preview)
    assert words(retried) == ["committing", "opening", "opened"]
    assert lab.branches() == pushed
    assert retried[-1].commit == pushed[preview.proposals[0].branch]


async def test_a_branch_of_that_name_with_other_contents_is_not_overwritten(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    foreign = lab.origin.commit(preview.proposals[0].branch, {STAGING: b"other"}, "somebody", at=STARTED)
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "failed"]
    assert "has other changes" in steps[-1].text
    assert "Nothing was written" in steps[-1].text
    assert lab.branches() == {preview.proposals[0].branch: foreign}
    assert lab.forge.pulls == {}


async def test_a_branch_that_also_changes_what_nobody_was_shown_is_never_adopted(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    head = lab.origin.head()
    ours = (lab.origin.read(head, STAGING) or b"").replace(b"v1", b"v1")
    lab.origin.commit(preview.proposals[0].branch, {STAGING: ours, "prod/evil.yaml": b"x"}, "more", at=STARTED)
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "failed"]
    assert lab.forge.pulls == {}


async def test_a_change_that_was_merged_and_reverted_can_be_made_again(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    first = (await submitted(promoter, preview))[-1].commit
    before = lab.origin.read(preview.base, STAGING) or b""
    lab.origin.merge("main", first, "Merge pull request #100 from x", at=STARTED)
    lab.origin.commit("main", {STAGING: before}, "revert", at=STARTED)
    lab.forge.pulls.clear()
    again = await promoter.preview(plan())
    assert again.proposals[0].branch == preview.proposals[0].branch
    steps = await submitted(promoter, again)
    assert words(steps) == ["committing", "pushing", "opening", "opened"]
    assert lab.origin.commits(again.base, steps[-1].commit) == [steps[-1].commit] != [first]
    assert lab.branches() == {again.proposals[0].branch: steps[-1].commit}


async def test_an_audit_that_cannot_be_written_after_the_push_does_not_deny_the_push(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.audit_file.mkdir()
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "pushing", "opening", "failed"]
    assert "The branch is pushed" in steps[-1].text
    assert set(lab.branches()) == {preview.proposals[0].branch}
    assert lab.forge.pulls == {}


async def test_every_step_is_journalled_before_it_is_taken(lab: Lab) -> None:
    promoter = lab.promoter(auto_merge=())
    preview = await promoter.preview(plan())
    noted: dict[str, list[str]] = {}
    async for step in promoter.submit(preview):
        noted[step.step] = [one["step"] for one in records(lab.journal_file)]
        if step.step == "pushing":
            assert lab.branches() == {}
    assert noted == {
        "committing": [],
        "pushing": ["commit", "push"],
        "opening": ["commit", "push"],
        "opened": ["commit", "push", "open", "done"],
    }
    assert lab.forge.steps_noted == ["commit", "push", "open"]
    assert len({one["operation"] for one in records(lab.journal_file)}) == 1
    assert lab.journal_file.stat().st_mode & 0o077 == 0


async def test_a_journal_that_cannot_be_written_stops_the_step(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.journal_file.mkdir()
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "failed"]
    assert lab.branches() == {}


async def test_the_audit_is_a_chain_that_shows_tampering(lab: Lab) -> None:
    promoter = lab.promoter()
    await submitted(promoter, await promoter.preview(plan()))
    assert [one["action"] for one in records(lab.audit_file)] == ["push", "open", "auto-merge"]
    assert lab.audit.verify() is None
    lines = lab.audit_file.read_bytes().splitlines(keepends=True)
    lab.audit_file.write_bytes(lines[0].replace(b"staging", b"dev") + b"".join(lines[1:]))
    assert lab.audit.verify() == 1
    lab.audit_file.write_bytes(b"".join([*lines[:2], lines[2].replace(b"staging", b"dev")]))
    assert lab.audit.verify() == 3
    lab.audit_file.write_bytes(b"".join(lines[:2]))
    assert lab.audit.verify() == 3
    lab.audit_file.write_bytes(lines[0] + lines[2])
    assert lab.audit.verify() == 2
    lab.audit_file.write_bytes(b"".join([lines[0], b"not json\n", *lines[2:]]))
    assert lab.audit.verify() == 2
    lab.audit_file.write_bytes(b"".join(lines))
    assert lab.audit.verify() is None


def test_an_audit_whose_end_or_seal_or_all_was_taken_away_is_not_whole_and_stays_so(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    seal = tmp_path / "audit.newest"
    assert audit.verify() is None, "nothing was ever recorded"
    for number in range(3):
        audit.record("push", operation=str(number))
    lines, sealed = audit.file.read_bytes().splitlines(keepends=True), seal.read_text()

    audit.file.write_bytes(b"".join(lines[:2]))
    assert audit.verify() == 3
    audit.record("push", operation="after the cut")
    assert audit.verify() == 3, "what is recorded later hides nothing"

    audit.file.write_bytes(b"".join(lines[:1]))
    seal.unlink()
    assert audit.verify() == 2
    audit.record("push", operation="after the cut")
    assert audit.verify() == 2

    audit.file.unlink()
    seal.unlink()
    assert audit.verify() == 1
    audit.file.write_bytes(b"".join(lines))
    seal.write_text(sealed)
    assert audit.verify() is None


async def test_auto_merge_is_asked_for_where_the_stage_is_configured(lab: Lab) -> None:
    promoter = lab.promoter(auto_merge=("staging",))
    lab.forge.unmerged = "auto-merge was refused: not allowed"
    lab.forge.left = "labels were refused"
    preview = await promoter.preview(plan(change(STAGING, STAGING_CELL), change(DEV, DEV_CELL)))
    steps = await submitted(promoter, preview)
    opened = [one for one in steps if one.step == "opened"]
    assert lab.forge.merging == [(opened[0].number, opened[0].commit)]
    assert opened[0].text.endswith("(labels were refused; auto-merge was refused: not allowed)")
    assert opened[1].text.endswith("(labels were refused)")


async def test_without_a_forge_nothing_is_written(lab: Lab) -> None:
    promoter = Promoter(lab.config, lab.clone, None, Journal(lab.journal_file), lab.audit)
    preview = await promoter.preview(plan())
    steps = await submitted(promoter, preview)
    assert words(steps) == ["blocked"]
    assert "github.repository" in steps[-1].text
    assert "and policy.direct does not allow a push to staging" in change_report.text(preview, STARTED)
    (refusal,) = change_report.document("refused", preview)["refusals"]
    assert refusal["reason"] == steps[-1].text
    assert lab.branches() == {}
    assert records(lab.journal_file) == records(lab.audit_file) == []


async def test_a_repository_that_cannot_be_reached_is_an_error_of_the_preview(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.origin.path.rename(lab.origin.path.with_name("away"))
    with pytest.raises(UnreachableError):
        await promoter.preview(plan())
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "failed"]
    assert steps[-1].text.endswith("Nothing was written.")
    assert Journal(lab.journal_file).unfinished() == {}, "nothing was written, so nothing is unfinished"
    lab.origin.path.with_name("away").rename(lab.origin.path)
    assert words(await submitted(promoter, preview))[-1] == "opened"


async def test_what_an_earlier_try_began_stays_listed_when_the_next_one_gets_nowhere(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.forge.failure = UnreachableError("GitHub answered 502")
    assert words(await submitted(promoter, preview))[-2:] == ["opening", "failed"]
    lab.origin.path.rename(lab.origin.path.with_name("away"))
    steps = await submitted(promoter, preview)
    assert words(steps) == ["committing", "failed"]
    assert "sgm plan --unfinished" in steps[-1].text
    assert "Nothing was written" not in steps[-1].text
    assert len(Journal(lab.journal_file).unfinished()) == 1
    lab.origin.path.with_name("away").rename(lab.origin.path)


async def test_a_refusal_of_the_forge_is_told_in_its_words(lab: Lab) -> None:
    promoter = lab.promoter()
    preview = await promoter.preview(plan())
    lab.forge.failure = RefusedError("GitHub rejected the token: Bad credentials", "Renew GH_TOKEN.")
    steps = await submitted(promoter, preview)
    assert steps[-1].text.splitlines()[:2] == ["GitHub rejected the token: Bad credentials", "Renew GH_TOKEN."]


async def test_the_commits_between_two_versions_go_into_the_plan_and_the_pull_request(lab: Lab) -> None:
    (proposal,) = (await lab.promoter().preview(plan())).proposals
    between = proposal.edits[0].commit_range
    assert between is not None
    assert between.commits == ("1234567 fix: in acme/cart (Mia)",)
    assert f"https://github.com/acme/cart/compare/{OLD}...{NEW}" in proposal.body
    assert "and 1 more" in proposal.body
    silent = lab.promoter(source="")
    assert (await silent.preview(plan())).proposals[0].edits[0].commit_range is None


async def test_an_override_with_nothing_in_the_way_is_none_and_leaves_no_trace(lab: Lab) -> None:
    (proposal,) = (await lab.promoter().preview(plan(), terms=WriteOptions(Override("incident 4711")))).proposals
    assert proposal.override is None
    assert "Overridden" not in proposal.body
    assert "Sgm-Gates-Overridden" not in message_of([edit.change for edit in proposal.edits], proposal.override)


async def test_the_commits_between_two_versions_are_not_waited_for_long(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(source: str, old: str, new: str) -> CommitRange:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(promote_module, "_COMPARE_TIMEOUT", 0.05)
    monkeypatch.setattr(lab.forge, "compare", silent)
    (proposal,) = (await lab.promoter().preview(plan())).proposals
    between = proposal.edits[0].commit_range
    assert between is not None
    assert "no answer" in between.reason
