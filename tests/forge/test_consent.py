"""The lock of a protected stage holds at the transports: without consent to exactly that stage, nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import builders
import pytest
from origin import DEV, FILES, PROD, STAGING, STARTED, cell, with_version
from test_github import TOKEN, Lab, _lab, nothing
from test_supersede import ONLY_PULLS, KilledError, Killer

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import Preview, Progress
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.fleet.pull_request_actions import PullAction
from sgm_tui.forge.github import GithubForge
from sgm_tui.gitops.changed_stages import ChangedStages
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.tree import Tree
from sgm_tui.gitops.unrelated_changes import UnrelatedChangeReader
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.pull_requests import PullRequests
from sgm_tui.operations.recovery import Recovery
from sgm_tui.permission import NO_CONSENT, Consent, WritePermission
from sgm_tui.wiring.repository import fleet_of

PROD_ONLY = Consent.to(["prod"])
SHARED = "charts/web/values.yaml"
CART = cell("cart", "prod", "eu1")
NEW = Version("v9.0.0")


@dataclass
class Desk:
    """Everything that writes, connected as a session connects it, and no check before it."""

    lab: Lab
    clone: Repository
    forge: GithubForge
    promoter: Promoter
    pulls: PullRequests
    recovery: Recovery
    journal: Killer

    def sent(self) -> list[tuple[str, str]]:
        """What was sent to GitHub that is no question."""
        return [one for one in self.lab.requests if one[0] != "GET" and not one[1].endswith("/user")]

    async def proposed(self, path: str, branch: str = "feature/theirs") -> PullRequest:
        """A pull request that changes one file."""
        data = with_version(FILES[path], NEW) if path in FILES else b"replicas: 3\n"
        self.lab.origin.commit(branch, {path: data}, "feat: by hand", at=STARTED)
        self.lab.state.pulls.open(branch, "feat: theirs", login="mia")
        await self.clone.fetch()
        return next(one for one in await self.forge.list_recent(nothing) if one.branch == branch)

    async def preview(self, *, direct: bool = False) -> Preview:
        change = Change("promotion", CART.service, CART.stage, CART.cluster, PROD, "image.tag", self.old, NEW, (CART,))
        (proposal,) = (await self.promoter.preview(Plan((change,)))).proposals
        return Preview("", (replace(proposal, direct=direct, branch="main" if direct else proposal.branch),))

    @property
    def old(self) -> Version:
        return Version(FILES[PROD].decode().partition("  tag: ")[2].split()[0].strip('"'))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _lab(tmp_path) as lab:
        config = replace(
            lab.config,
            github=replace(lab.config.github, auto_merge=()),
            policy=Policy(defaults=RuleSet(levels=ONLY_PULLS), direct=("prod",)),
        )
        clone, tree, permission = (
            Repository(config.repository.url, "main", tmp_path / "c"),
            Tree(config),
            WritePermission(),
        )
        unrelated_changes = UnrelatedChangeReader(config, tree, clone)
        permission.protected_stages_of = ChangedStages(fleet_of(config), tree, clone, unrelated_changes).protected_by
        clone.permission = permission
        forge = GithubForge(config, TOKEN, lab.state.clock.wall, pause=lab.wait, permission=permission)
        journal, audit = Killer(tmp_path / "journal.jsonl"), Audit(tmp_path / "audit.jsonl")
        promoter = Promoter(config, clone, forge, journal, audit)
        recovery = Recovery(clone, forge, journal, audit, promoter, lambda: builders.snapshot([]))
        yield Desk(lab, clone, forge, promoter, PullRequests(forge, journal, audit), recovery, journal)


@pytest.mark.parametrize("action", ["merge", "auto-merge"])
@pytest.mark.parametrize("path", [PROD, SHARED, ".github/CODEOWNERS"])
@pytest.mark.parametrize("consent", [NO_CONSENT, Consent.to(["staging", "dev"])], ids=["none", "another stage"])
async def test_what_changes_prod_is_not_merged_without_consent_to_prod(
    desk: Desk, action: PullAction, path: str, consent: Consent
) -> None:
    request = await desk.proposed(path)
    with pytest.raises(RefusedError, match="prod is protected: nothing is written to GitHub") as refused:
        await desk.pulls.act(request, action, consent)
    assert (refused.value.exit_code, desk.sent()) == (4, [])
    assert desk.journal.unfinished() == {}


@pytest.mark.parametrize("action", ["merge", "auto-merge"])
@pytest.mark.parametrize(
    ("path", "consent"),
    [(PROD, PROD_ONLY), (SHARED, PROD_ONLY), (DEV, NO_CONSENT), (STAGING, NO_CONSENT)],
)
async def test_with_consent_and_where_nothing_is_protected_it_is_done(
    desk: Desk, action: PullAction, path: str, consent: Consent
) -> None:
    request = await desk.proposed(path)
    with contextlib.suppress(RefusedError):  # the lab's GitHub wants a review first, and was sent the merge
        await desk.pulls.act(request, action, consent)
    assert desk.sent() != []


async def test_a_head_that_is_not_in_the_clone_may_change_anything(desk: Desk) -> None:
    request = await desk.proposed(DEV)
    with pytest.raises(RefusedError, match="prod is protected"):
        await desk.forge.merge(request.number, "f" * 40)
    assert desk.sent() == []


@pytest.mark.parametrize("action", ["approve", "update"])
async def test_what_an_auto_merge_waits_for_takes_consent_as_the_merge_does(desk: Desk, action: PullAction) -> None:
    request = await desk.proposed(PROD)
    await desk.forge.enable_auto_merge(request.number, request.head, PROD_ONLY)
    before = desk.sent()
    with pytest.raises(RefusedError, match="prod is protected"):
        await desk.pulls.act(request, action)
    assert desk.sent() == before


async def test_approving_what_does_not_merge_by_itself_takes_no_consent(desk: Desk) -> None:
    request = await desk.proposed(PROD)
    assert "approved" in await desk.pulls.act(request, "approve")


@pytest.mark.parametrize("direct", [False, True], ids=["branch", "direct"])
async def test_a_promotion_into_prod_leaves_this_machine_only_with_consent(desk: Desk, direct: bool) -> None:
    preview = await desk.preview(direct=direct)
    heads = await desk.clone.remote_heads()
    last = await end(desk, preview, Consent.to(["dev"]))
    assert last.step == "failed"
    assert "prod is protected" in last.text
    assert (await desk.clone.remote_heads(), desk.sent()) == (heads, [])
    assert (await end(desk, preview, PROD_ONLY)).step == ("pushed" if direct else "opened")


async def test_a_branch_that_is_there_is_not_opened_without_consent(desk: Desk) -> None:
    preview = await desk.preview()
    head = desk.lab.origin.commit(
        preview.proposals[0].branch, {PROD: with_version(FILES[PROD], NEW)}, "feat: by hand", at=STARTED
    )
    await desk.clone.fetch()
    with pytest.raises(RefusedError, match="prod is protected"):
        await desk.forge.open(preview.proposals[0], head)
    with pytest.raises(RefusedError, match="prod is protected"):
        await desk.forge.try_auto_merge(1, head)
    assert desk.sent() == []


async def test_a_promotion_into_dev_needs_no_consent(desk: Desk) -> None:
    key = cell("cart", "dev", "eu1")
    old = Version(FILES[DEV].decode().partition("  tag: ")[2].split()[0].strip('"'))
    change = Change("promotion", key.service, key.stage, None, DEV, "image.tag", old, NEW, (key,))
    assert (await end(desk, await desk.promoter.preview(Plan((change,))), NO_CONSENT)).step == "opened"


@pytest.mark.parametrize("point", ["after commit", "before push", "before open"])
async def test_what_was_accepted_is_resumed_under_that_consent(desk: Desk, point: str) -> None:
    desk.journal.point = point
    with pytest.raises(KilledError):
        await end(desk, await desk.preview(), PROD_ONLY)
    desk.journal.point = ""
    (one,) = await desk.recovery.list_unfinished()
    steps = [step.step async for step in desk.recovery.resume(one.operation)]
    assert steps[-1] == "opened"


async def test_an_accepted_action_is_resumed_under_that_consent(desk: Desk) -> None:
    request = await desk.proposed(SHARED)
    desk.journal.point = "after act"
    with pytest.raises(KilledError):
        await desk.pulls.act(request, "auto-merge", PROD_ONLY)
    desk.journal.point = ""
    (one,) = await desk.recovery.list_unfinished()
    assert one.stages == ("prod",)
    assert [step.step async for step in desk.recovery.resume(one.operation)] == ["done"]


async def end(desk: Desk, preview: Preview, consent: Consent) -> Progress:
    async with asyncio.timeout(60):
        return [one async for one in desk.promoter.submit(preview, None, consent)][-1]
