"""`sgm revert SERVICE --stage STAGE` on real git: the last promotion, only where it reached, and never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import builders
import pytest
from origin import FILES, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.model import CellKey, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.reverts.targets import describe_scope, describe_wider_scope
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.gitops.history import History
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.commit_reader import CommitReader
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.pod_templates import PodTemplates
from sgm_tui.operations.proposal import message_of
from sgm_tui.operations.reverter import Reverter
from sgm_tui.sandbox.git.repository import Repository as Origin

CART, PROD = ServiceName("cart"), StageName("prod")
CELLS = {where: cell("cart", "prod", where) for where in ("eu1", "us1", "ap1")}
PATHS = {where: f"prod/prod-{where}/app-service/cart/values.yaml" for where in CELLS}
OLD, NEW = Version("v9.1.0"), Version("v9.2.0")


@dataclass
class Lab:
    """A prod of three clusters, and what happened in git."""

    origin: Origin
    clone: Repository
    reverter: Reverter
    hours: int = 0

    def data(self, versions: dict[str, str]) -> dict[str, bytes]:
        return {PATHS[where]: with_version(FILES[PATHS[where]], version) for where, version in versions.items()}

    async def pushed(self, message: str, **versions: str) -> str:
        """A commit on the branch itself: a direct push, a squash, or a hand commit."""
        self.hours += 1
        at = STARTED + timedelta(hours=self.hours)
        commit = self.origin.commit("main", self.data(versions), message, at=at)
        await self.clone.fetch()
        return commit

    async def merged(self, message: str, title: str, **versions: str) -> str:
        """The same as a merge commit."""
        self.hours += 1
        at = STARTED + timedelta(hours=self.hours)
        branch = self.origin.commit(f"sgm/{self.hours}", self.data(versions), message, at=at)
        self.origin.merge("main", branch, title, at=at)
        await self.clone.fetch()
        return self.origin.head("main")

    def snapshot(self) -> FleetSnapshot:
        """The fleet as git has it now."""
        head, cells = self.clone.head(), []
        for where, key in CELLS.items():
            data = (self.clone.read(head, PATHS[where]) or b"").decode()
            version = next(line.split()[1] for line in data.splitlines() if line.startswith("  tag: "))
            desired = Desired(PATHS[where], "image.tag", Version(version), committed_at=builders.NOW)
            cells.append(builders.cell("cart", key.cluster, version, desired=desired))
        return builders.snapshot(cells)

    async def reverts(self) -> tuple[dict[CellKey, Version], list[Refusal]]:
        """Cell → where it goes back to; and why not."""
        _, found = await self.reverter.find_last_promotion(self.snapshot(), CART, PROD)
        moves = {key: one.to_version for one in found if isinstance(one, Change) for key in one.cells}
        return moves, [one for one in found if isinstance(one, Refusal)]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    clone = Repository(config.repository.url, config.repository.branch, tmp_path / "state")
    await clone.fetch()
    history = History(config, clone)
    pods = PodTemplates(config, clone, history, CommitReader(config, clone))
    reverter = Reverter(history, pods, KnownBad(tmp_path / "bad.json"), Audit(tmp_path / "audit.jsonl"))
    made = Lab(origin, clone, reverter)
    await made.pushed(f"feat(cart): prod -> {OLD} (#1)", eu1=OLD, us1=OLD, ap1=OLD)
    yield made
    origin.close()


def title_of(place: str, version: str) -> str:
    return f"feat(cart): {place} -> {version}"


async def test_one_cluster_of_three_is_reverted_and_the_healthy_ones_stay(lab: Lab) -> None:
    commit = await lab.pushed(f"{title_of('prod-ap1', NEW)} (#2)", ap1=NEW)
    assert await lab.reverts() == ({CELLS["ap1"]: OLD}, [])
    last, _ = await lab.reverter.find_last_promotion(lab.snapshot(), CART, PROD)
    assert last is not None
    assert describe_scope(last) == (
        f"reverts the last promotion of cart into prod: {NEW} with {commit[:8]} (#2, {title_of('prod-ap1', NEW)}), "
        "in prod-ap1; not part of it and unchanged: prod-eu1, prod-us1"
    )


@pytest.mark.parametrize("message", ["revert(cart): prod-ap1 -> v9.1.0 (#3)", "Back to what worked (#3)", "oops"])
@pytest.mark.parametrize("merge", [False, True])
async def test_reverted_again_after_its_merge_there_is_nothing_to_revert(lab: Lab, message: str, merge: bool) -> None:
    await lab.pushed(title_of("prod-ap1", NEW), ap1=NEW)
    if merge:
        await lab.merged("revert(cart): prod-ap1 -> v9.1.0", f"Merge pull request #3 from x\n\n{message}", ap1=OLD)
    else:
        await lab.pushed(message, ap1=OLD)
    moves, (refusal,) = await lab.reverts()
    assert (moves, refusal.nothing) == ({}, True)
    assert refusal.reason.startswith(f"nothing to revert: the last promotion of cart into prod, {NEW} with ")
    of_cluster = await lab.reverter.plan_revert(lab.snapshot(), CELLS["ap1"], None)
    assert isinstance(of_cluster, Refusal)
    assert of_cluster.reason.startswith(f"nothing to revert: cart@prod-ap1 went back to {OLD} with ")


async def test_what_is_reverted_in_one_cluster_is_still_reverted_in_the_others_it_reached(lab: Lab) -> None:
    await lab.pushed(title_of("prod", NEW), us1=NEW, ap1=NEW)
    await lab.pushed("revert(cart): prod-ap1 -> v9.1.0", ap1=OLD)
    assert await lab.reverts() == ({CELLS["us1"]: OLD}, [])


async def test_a_wider_revert_names_its_clusters_and_says_that_it_is_wider(lab: Lab) -> None:
    await lab.pushed(title_of("prod-ap1", NEW), ap1=NEW)
    shown = lab.snapshot()
    wide = await lab.reverter.plan_revert(shown, CELLS["eu1"], None)
    narrow = await lab.reverter.plan_revert(shown, CELLS["ap1"], None)
    assert isinstance(wide, Change)
    assert isinstance(narrow, Change)
    last, _ = await lab.reverter.find_last_promotion(shown, CART, PROD)
    assert last is not None
    assert describe_wider_scope(last, [wide, narrow]).startswith(
        "also reverts prod-eu1, which the last promotion of cart"
    )
    assert describe_wider_scope(last, [narrow]) == ""


@pytest.mark.parametrize("how", ["squash", "merge"])
async def test_the_waves_of_one_promotion_are_reverted_together(lab: Lab, how: str) -> None:
    def message(where: str) -> str:
        key = CELLS[where]
        moved = Change("promotion", CART, PROD, key.cluster, PATHS[where], "image.tag", OLD, NEW, (key,))
        return message_of([moved], promotion="0123456789ab")

    for where in ("eu1", "us1"):
        if how == "squash":
            await lab.pushed(message(where), **{where: NEW})
        else:
            await lab.merged(message(where), f"Merge pull request #7 from x\n\nrollout of {where}", **{where: NEW})
        await lab.pushed("docs: something else between two waves")
    assert (await lab.reverts())[0] == {CELLS["eu1"]: OLD, CELLS["us1"]: OLD}


async def test_several_promotions_grouped_in_one_pull_request_go_back_each_to_its_own_version(lab: Lab) -> None:
    await lab.pushed(title_of("prod-us1", "v9.1.5"), us1="v9.1.5")
    await lab.merged(
        "feat(cart): prod-us1, prod-ap1 -> v9.2.0", "Merge pull request #9 from x\n\nall", us1=NEW, ap1=NEW
    )
    assert (await lab.reverts())[0] == {CELLS["us1"]: "v9.1.5", CELLS["ap1"]: OLD}


async def test_the_marked_cells_alone_are_reverted_and_each_of_the_rest_says_why_it_stays(lab: Lab) -> None:
    await lab.pushed(title_of("prod", NEW), us1=NEW, ap1=NEW)
    await lab.pushed("revert(cart): prod-us1 -> v9.1.0", us1=OLD)
    (found,) = await lab.reverter.plan_promotion_reverts(lab.snapshot(), [CELLS["eu1"], CELLS["us1"], CELLS["ap1"]])
    outcomes = {cell.key: cell.outcome for cell in found.cells}
    eu1, us1, ap1 = (outcomes[CELLS[where]] for where in ("eu1", "us1", "ap1"))
    assert isinstance(eu1, Refusal)
    assert isinstance(us1, Refusal)
    assert isinstance(ap1, Change)
    assert (eu1.nothing, eu1.reason) == (True, f"not part of the last promotion: stays at {OLD}")
    assert us1.nothing
    assert us1.reason.startswith(f"already reverted: at {OLD} since ")
    assert (ap1.cells, ap1.to_version) == ((CELLS["ap1"],), OLD)
    (only,) = await lab.reverter.plan_promotion_reverts(lab.snapshot(), [CELLS["us1"]])
    assert only.changes == ()


async def test_a_marked_cell_whose_history_cannot_be_read_is_unknown_and_the_rest_are_reverted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lab.pushed(title_of("prod", NEW), eu1=NEW, ap1=NEW)
    readable = lab.reverter.past_versions

    async def past(key: CellKey) -> tuple[PastVersion, ...]:
        if key == CELLS["eu1"]:
            raise UnreachableError("git did not answer", "Is the server up?")
        return await readable(key)

    monkeypatch.setattr(lab.reverter, "past_versions", past)
    (found,) = await lab.reverter.plan_promotion_reverts(lab.snapshot(), [CELLS["eu1"], CELLS["ap1"]])
    unknown, reverted = (cell.outcome for cell in found.cells)
    assert isinstance(unknown, Refusal)
    assert (unknown.nothing, "git did not answer" in unknown.reason) == (False, True)
    assert isinstance(reverted, Change)


async def test_cells_of_a_version_that_git_has_no_history_of_yet_are_unknown_not_reverted(lab: Lab) -> None:
    await lab.pushed(title_of("prod", NEW), ap1=NEW)
    shown = lab.snapshot()
    ahead = [
        replace(cell, facts=replace(cell.facts, desired=replace(desired, version=Version("v9.3.0"))))
        for cell in shown.cells.values()
        if (desired := cell.facts.desired) is not None
    ]
    (found,) = await lab.reverter.plan_promotion_reverts(builders.snapshot(ahead), list(CELLS.values()))
    outcomes = [cell.outcome for cell in found.cells]
    assert [isinstance(one, Refusal) and not one.nothing for one in outcomes] == [True, True, True]


async def test_a_stage_without_a_promotion_says_so(lab: Lab) -> None:
    snapshot = lab.snapshot()
    _, (refusal,) = await lab.reverter.find_last_promotion(snapshot, ServiceName("nobody"), PROD)
    assert isinstance(refusal, Refusal)
    assert (refusal.nothing, refusal.reason) == (False, "git has no promotion of nobody into prod to revert")
