"""A newer change takes the place of an older pull request of ours: over GitHub's own protocol, killed wherever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import builders
import pytest
from origin import DEV, FILES, STARTED, cell, with_version
from test_github import Lab, _lab, nothing

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import Preview, Progress, WriteOptions
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.forge.github import GithubForge
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.recovery import Recovery
from sgm_tui.report.changes import document, text

OLD, FIRST, SECOND = (Version(one) for one in ("v2.8.1", "v3.0.0", "v3.0.1"))
CART = cell("cart", "dev", "eu1")
ONLY_PULLS = {name: "off" for name in GATE_NAMES if name != "pull-request"}


class KilledError(BaseException):
    """The process is gone at this point."""


@dataclass
class Killer(Journal):
    """A journal whose process dies before or after one of its notes."""

    file: Path
    point: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.file)

    def note(self, operation: str, step: str, **facts: Any) -> None:
        self._die(f"before {step}")
        super().note(operation, step, **facts)
        self._die(f"after {step}")

    def _die(self, point: str) -> None:
        if point == self.point:
            raise KilledError


@dataclass
class Desk:
    """One person's sgm on the lab's GitHub."""

    lab: Lab
    directory: Path
    journal: Killer = field(init=False)

    def __post_init__(self) -> None:
        config = self.lab.config
        config = replace(config, github=replace(config.github, auto_merge=()))
        self.config = replace(config, policy=Policy(defaults=RuleSet(levels=ONLY_PULLS), direct=("dev",)))
        self.journal = Killer(self.directory / "journal.jsonl")
        self.audit = Audit(self.directory / "audit.jsonl")
        self.clone = Repository(config.repository.url, "main", self.directory / "clone")
        self.shown: tuple[PullRequest, ...] = ()
        self.promoter = Promoter(self.config, self.clone, self.lab.forge, self.journal, self.audit)
        self.recovery = Recovery(
            self.clone, self.lab.forge, self.journal, self.audit, self.promoter, lambda: self.snapshot
        )

    @property
    def snapshot(self) -> FleetSnapshot:
        """What the source last told, as every gate sees it."""
        return builders.snapshot([], pull_requests=self.shown)

    async def look(self) -> tuple[PullRequest, ...]:
        """Look at GitHub as the source does."""
        found = await self.lab.forge.list_recent(lambda head: ((CART, self._version_at(head)),))
        self.shown = tuple(one for one in found if one.state == "open")
        return self.shown

    def _version_at(self, head: str) -> Version:
        data = self.lab.origin.read(head, DEV).decode()
        return Version(data.partition("  tag: ")[2].split()[0].strip('"'))

    async def preview(self, version: Version, **wishes: Any) -> Preview:
        await self.look()
        versions = OLD, version
        wanted = Change("promotion", CART.service, CART.stage, None, DEV, "image.tag", *versions, (CART,))
        return await self.promoter.preview(Plan((wanted,)), self.snapshot, WriteOptions(**wishes))

    async def promote(self, version: Version, **wishes: Any) -> list[Progress]:
        preview = await self.preview(version, **wishes)
        return [one async for one in self.promoter.submit(preview, lambda: self.snapshot)]

    async def recover(self) -> list[str]:
        """Do what is advised for everything unfinished; what was said."""
        said = []
        for one in await self.recovery.list_unfinished():
            said.append(one.explained)
            if one.advice == "resume":
                said += [step.step async for step in self.recovery.resume(one.operation)]
            else:
                said.append(await self.recovery.discard(one.operation))
        return said


@asynccontextmanager
async def _desk(directory: Path) -> AsyncIterator[Desk]:
    async with _lab(directory) as lab:
        lab.origin.commit("main", {DEV: with_version(FILES[DEV], OLD), "x": b"x"}, "chore: begin", at=STARTED)
        yield Desk(lab, directory / "state")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as made:
        yield made


def comments(desk: Desk, number: int) -> list[str]:
    return [one.body for one in desk.lab.state.pulls[number].comments]


async def opened(desk: Desk, version: Version = FIRST) -> PullRequest:
    (*_, last) = await desk.promote(version)
    assert last.step == "opened"
    return next(one for one in await desk.look() if one.number == last.number)


async def only_the_new_one_is_open(desk: Desk, old: PullRequest) -> PullRequest:
    (new,) = await desk.look()
    assert (new.number != old.number, new.proposes) == (True, ((CART, SECOND),))
    assert desk.lab.state.pulls[old.number].closed is not None
    assert comments(desk, old.number) == [f"Superseded by #{new.number}."]
    assert old.branch not in desk.lab.origin.heads()
    assert desk.audit.verify() is None
    assert await desk.recovery.list_unfinished() == ()
    return new


async def test_another_version_is_refused_until_superseding_is_asked_for(desk: Desk) -> None:
    old = await opened(desk)
    assert old.ours
    (blocked,) = await desk.promote(SECOND)
    assert blocked.step == "blocked"
    assert "supersede it (S in the plan, --supersede)" in blocked.text
    assert [one.number for one in await desk.look()] == [old.number]


async def test_the_new_one_is_opened_and_the_old_one_closed_with_a_comment_that_names_it(desk: Desk) -> None:
    old = await opened(desk)
    preview = await desk.preview(SECOND, supersede=True)
    (proposal,) = preview.proposals
    assert [one.number for one in proposal.supersedes] == [old.number]
    assert f"supersedes #{old.number} {old.url}: closed" in text(preview, builders.NOW)
    steps = [one async for one in desk.promoter.submit(preview, lambda: desk.snapshot)]
    assert [one.step for one in steps] == ["committing", "pushing", "opening", "closing", "opened"]
    new = await only_the_new_one_is_open(desk, old)
    assert f"**Supersedes** #{old.number}" in desk.lab.state.pulls[new.number].body
    assert document("opened", preview, steps[-1:])["pull_requests"][0]["supersedes"] == [old.number]
    record = next(one for one in desk.audit.records() if one["action"] == "supersede")
    assert (record["number"], record["by"], record["left"]) == (old.number, f"#{new.number}", "")
    assert (record["stage"], record["services"], record["clusters"]) == ("dev", ["cart"], ["dev-eu1"])


async def test_a_pull_request_of_somebody_else_is_never_superseded(desk: Desk) -> None:
    desk.lab.push("feature/theirs", DEV, FIRST)
    desk.lab.state.pulls.open("feature/theirs", "feat: theirs", login="mia")
    (theirs,) = await desk.look()
    assert not theirs.ours
    (blocked,) = await desk.promote(SECOND, supersede=True)
    assert blocked.step == "blocked"
    assert f"#{theirs.number} by mia proposes v3.0.0 here" in blocked.text
    assert theirs.url in blocked.text
    assert desk.lab.state.pulls[theirs.number].closed is None


async def test_ours_with_a_commit_of_somebody_else_is_not_ours_alone(desk: Desk) -> None:
    old = await opened(desk)
    desk.lab.origin.commit(old.branch, {"theirs.txt": b"x"}, "fix: by hand", at=STARTED)
    desk.lab.pass_time(1)
    (blocked,) = await desk.promote(SECOND, supersede=True)
    assert "it is not sgm's alone" in blocked.text


@pytest.mark.parametrize(
    "body",
    ["no hidden block", '<!-- sgm: {"change_id": "ffffffffffff"} -->', "<!-- sgm: {torn -->", "<!-- sgm: {torn} -->"],
)
async def test_without_its_hidden_block_nobody_knows_whose_it_is(desk: Desk, body: str) -> None:
    old = await opened(desk)
    desk.lab.state.pulls[old.number].body = body
    (now,) = await desk.look()
    assert not now.ours


async def test_what_was_pushed_after_it_was_looked_at_stops_everything_before_it_begins(desk: Desk) -> None:
    old = await opened(desk)
    preview = await desk.preview(SECOND, supersede=True)
    desk.lab.origin.commit(old.branch, {"theirs.txt": b"x"}, "fix: by hand", at=STARTED)
    steps = [one async for one in desk.promoter.submit(preview, lambda: desk.snapshot)]
    assert steps[-1].step == "failed"
    assert f"#{old.number} has new commits since the preview" in steps[-1].text
    assert [one.number for one in await desk.look()] == [old.number]
    assert comments(desk, old.number) == []


@pytest.mark.parametrize("point", ["before open", "after open", "before supersede", "after supersede", "before done"])
async def test_killed_on_the_way_it_is_listed_and_ends_with_one_open_pull_request(desk: Desk, point: str) -> None:
    old = await opened(desk)
    desk.journal.point = point
    with pytest.raises(KilledError):
        await desk.promote(SECOND, supersede=True)
    desk.journal.point = ""
    (unfinished,) = await desk.recovery.list_unfinished()
    assert unfinished.advice == "resume"
    assert (f"closes #{old.number}" in unfinished.explained) is (point.endswith("supersede"))
    await desk.recover()
    await only_the_new_one_is_open(desk, old)


async def test_killed_between_the_two_a_second_try_closes_the_old_one_though_it_does_not_say_so(desk: Desk) -> None:
    old = await opened(desk)
    desk.journal.point = "before supersede"
    with pytest.raises(KilledError):
        await desk.promote(SECOND, supersede=True)
    desk.journal.point = ""
    desk.config = replace(desk.config, policy=Policy(defaults=RuleSet(levels=dict.fromkeys(GATE_NAMES, "off"))))
    desk.promoter = Promoter(desk.config, desk.clone, desk.lab.forge, desk.journal, desk.audit)
    (*_, last) = await desk.promote(SECOND)
    assert last.step == "adopted"
    await only_the_new_one_is_open(desk, old)


async def test_killed_and_merged_meanwhile_the_old_one_is_closed_by_going_on(desk: Desk) -> None:
    old = await opened(desk)
    desk.journal.point = "before supersede"
    with pytest.raises(KilledError):
        await desk.promote(SECOND, supersede=True)
    desk.journal.point = ""
    new = next(one for one in await desk.look() if one.number != old.number)
    desk.lab.pass_time(600)
    desk.lab.state.merger.merge(desk.lab.state.pulls[new.number], "mia", "merge")
    (unfinished,) = await desk.recovery.list_unfinished()
    assert (unfinished.found, unfinished.advice) == ("git has the change", "resume")
    assert unfinished.explained == f"resume closes #{old.number} as superseded"
    assert (await desk.recover())[-1] == "nothing"
    assert desk.lab.state.pulls[old.number].closed is not None
    assert comments(desk, old.number) == [f"Superseded by {desk.lab.origin.head()}."]
    assert await desk.recovery.list_unfinished() == ()


async def test_an_answer_that_got_lost_says_nothing_twice(desk: Desk) -> None:
    old = await opened(desk)
    desk.lab.lost.add(("POST", "comments"))
    (*_, failed) = await desk.promote(SECOND, supersede=True)
    assert failed.step == "failed"
    assert "Try again to close it" in failed.text
    await desk.recover()
    await only_the_new_one_is_open(desk, old)


async def test_the_old_one_that_was_merged_meanwhile_is_told(desk: Desk) -> None:
    old = await opened(desk)
    desk.lab.pass_time(600)
    desk.lab.state.merger.merge(desk.lab.state.pulls[old.number], "mia", "merge")
    assert await desk.lab.forge.supersede(old.number, old.head, "#99") == f"#{old.number} was merged meanwhile"
    assert comments(desk, old.number) == []


async def test_a_direct_push_takes_its_place_too(desk: Desk) -> None:
    old = await opened(desk)
    (*_, last) = await desk.promote(SECOND, supersede=True, direct=True)
    assert last.step == "pushed"
    assert await desk.look() == ()
    assert comments(desk, old.number) == [f"Superseded by {last.commit}."]


async def test_the_same_change_again_is_adopted_and_supersedes_nothing(desk: Desk) -> None:
    old = await opened(desk)
    (*_, last) = await desk.promote(FIRST, supersede=True)
    assert (last.step, last.number) == ("adopted", old.number)
    assert isinstance(desk.lab.forge, GithubForge)
    assert [one.number for one in await desk.lab.forge.list_recent(nothing) if one.state == "open"] == [old.number]
