"""After a crash: what never ended is listed with its one safe next step, and that step ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import builders
import pytest
from origin import FILES, STAGING, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, SgmError, UnreachableError, UsageError
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, CommitRange, Progress, Proposal, UnfinishedWrite
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.recovery import Recovery
from sgm_tui.operations.state_files import change_lock, lock_file
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.sandbox.git.repository import Repository as Origin

OLD, NEW = "v2.8.1", "v3.0.0"
WHERE = cell("cart", "staging", "eu1")
PLAN = Plan(
    (Change("promotion", WHERE.service, WHERE.stage, None, STAGING, "image.tag", Version(OLD), Version(NEW), (WHERE,)),)
)


class CrashError(BaseException):
    """The process is gone at this point."""


@dataclass
class Pulls:
    """A forge in memory that can crash before or after it opened."""

    pulls: dict[str, PullRequest] = field(default_factory=dict)
    closed: dict[str, PullRequest] = field(default_factory=dict)
    crash: str = ""
    failure: SgmError | None = None

    async def find_open(self, branch: str) -> PullRequest | None:
        """The open pull request of a branch."""
        return self.pulls.get(branch)

    async def find_ended(self, branch: str) -> PullRequest | None:
        """The one that was closed."""
        return self.closed.get(branch)

    async def open(self, proposal: Proposal, head: str, consent: Consent = NO_CONSENT) -> tuple[PullRequest, bool, str]:
        """Find or make it."""
        if self.crash == "before":
            raise CrashError
        made = proposal.branch not in self.pulls
        request = PullRequest(7, proposal.title, "https://git.example/7", "ana", proposal.branch, head, "open")
        self.pulls.setdefault(proposal.branch, request)
        if self.crash == "after":
            raise CrashError
        return self.pulls[proposal.branch], made, ""

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
        """Always."""
        return ""


@dataclass
class Lab:
    """One origin, one clone, one state directory."""

    origin: Origin
    clone: Repository
    config: Config
    state: Path
    forge: Pulls

    @property
    def audit(self) -> Audit:
        return Audit(self.state / "audit.jsonl")

    @property
    def journal(self) -> Journal:
        return Journal(self.state / "journal.jsonl")

    def promoter(self) -> Promoter:
        return Promoter(self.config, self.clone, self.forge, self.journal, self.audit)

    def recovery(self) -> Recovery:
        locks = self.state / "locks"
        return Recovery(self.clone, self.forge, self.journal, self.audit, self.promoter(), builders.calm, locks=locks)

    async def submit(self) -> list[Progress]:
        promoter = self.promoter()
        return [one async for one in promoter.submit(await promoter.preview(PLAN))]

    async def one(self) -> UnfinishedWrite:
        (found,) = await self.recovery().list_unfinished()
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    origin = origin_in(tmp_path)
    origin.commit("main", {STAGING: with_version(FILES[STAGING], OLD), "begin.txt": b"x"}, "chore: begin", at=STARTED)
    open_gates = Policy(defaults=RuleSet(levels=dict.fromkeys(GATE_NAMES, "off")))
    config = replace(config_of(origin, tmp_path), policy=open_gates)
    state = tmp_path / "state"
    yield Lab(origin, Repository(config.repository.url, config.repository.branch, state), config, state, Pulls())
    origin.close()


async def crash(lab: Lab, when: str) -> None:
    lab.forge.crash = when
    with pytest.raises(CrashError):
        await lab.submit()
    lab.forge.crash = ""


async def test_what_ended_is_not_listed(lab: Lab) -> None:
    await lab.submit()
    assert await lab.recovery().list_unfinished() == ()


@pytest.mark.parametrize(("when", "found"), [("before", "the branch"), ("after", "pull request #7")])
async def test_a_crash_while_opening_is_resumed_and_nothing_is_doubled(lab: Lab, when: str, found: str) -> None:
    await crash(lab, when)
    one = await lab.one()
    assert (one.reached, one.found, one.advice) == ("open", found, "resume")
    branches = lab.origin.heads()
    steps = [step async for step in lab.recovery().resume(one.operation)]
    assert steps[-1].step in {"opened", "adopted"}
    assert lab.origin.heads() == branches
    assert len(lab.forge.pulls) == 1
    assert await lab.recovery().list_unfinished() == ()


async def test_a_crash_before_anything_was_pushed_goes_on_from_the_journal_alone(lab: Lab) -> None:
    await crash(lab, "before")
    one = await lab.one()
    lab.origin.delete(one.branch)
    assert (await lab.one()).found == "nothing"
    steps = [step async for step in lab.recovery().resume(one.operation[:6])]
    assert steps[-1].step == "opened"
    assert one.branch in lab.origin.heads()


async def test_what_ended_elsewhere_only_has_to_be_closed(lab: Lab) -> None:
    await crash(lab, "before")
    lab.origin.commit("main", {STAGING: with_version(FILES[STAGING], NEW)}, "feat: by hand", at=STARTED)
    one = await lab.one()
    assert (one.found, one.advice) == ("git has the change", "close")
    await lab.recovery().discard(one.operation)
    assert await lab.recovery().list_unfinished() == ()


async def test_what_was_merged_is_not_said_to_have_never_been_there(lab: Lab) -> None:
    await crash(lab, "before")
    one = await lab.one()
    lab.origin.commit("main", {STAGING: with_version(FILES[STAGING], NEW)}, "feat: merged", at=STARTED)
    lab.origin.delete(one.branch)
    assert await lab.recovery().discard(one.operation) == "nothing on the server; removed from the list"


async def test_what_cannot_go_on_says_why_and_is_discarded_with_its_branch(lab: Lab) -> None:
    await crash(lab, "before")
    lab.origin.commit("main", {STAGING: with_version(FILES[STAGING], "v9")}, "feat: another", at=STARTED)
    one = await lab.one()
    assert one.advice == "discard"
    assert "v9" in one.explained
    said = await lab.recovery().discard(one.operation)
    assert one.branch in said
    assert one.branch not in lab.origin.heads()
    assert await lab.recovery().list_unfinished() == ()
    assert lab.audit.verify() is None


async def test_a_branch_with_the_work_of_others_is_never_taken_back(lab: Lab) -> None:
    await crash(lab, "before")
    one = await lab.one()
    lab.origin.commit(one.branch, {"theirs.txt": b"x"}, "feat: theirs", at=STARTED)
    with pytest.raises(RefusedError, match="commits that sgm did not make"):
        await lab.recovery().discard(one.operation)
    assert one.branch in lab.origin.heads()


async def test_what_somebody_proposes_is_never_taken_back(lab: Lab) -> None:
    await crash(lab, "after")
    with pytest.raises(RefusedError, match="#7"):
        await lab.recovery().discard((await lab.one()).operation)


async def test_a_failure_that_was_told_stays_listed_until_it_is_dealt_with(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(proposal: Proposal, head: str, consent: Consent) -> tuple[PullRequest, bool, str]:
        raise UnreachableError("GitHub did not answer")

    monkeypatch.setattr(lab.forge, "open", refuse)
    assert (await lab.submit())[-1].step == "failed"
    assert (await lab.one()).advice == "resume"


async def test_a_line_torn_by_a_crash_hides_nothing_and_spoils_nothing(lab: Lab) -> None:
    await crash(lab, "before")
    file = lab.state / "journal.jsonl"
    with file.open("ab") as torn:
        torn.write(b'{"at": "2026-11-23T14:0')
    assert (await lab.one()).advice == "resume"
    await lab.submit()
    assert await lab.recovery().list_unfinished() == ()
    assert sum(1 for line in file.read_text().splitlines() if _reads(line)) >= 5


def _reads(line: str) -> bool:
    try:
        return bool(json.loads(line))
    except ValueError:
        return False


async def test_an_operation_nobody_began_is_no_operation(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no unfinished write"):
        await lab.recovery().discard("0" * 12)


async def test_what_somebody_closed_is_not_proposed_again(lab: Lab) -> None:
    await crash(lab, "after")
    ((branch, request),) = lab.forge.pulls.items()
    lab.forge.pulls.clear()
    lab.forge.closed[branch] = replace(request, state="closed")
    one = await lab.one()
    assert (one.found, one.advice) == ("pull request #7 (closed)", "discard")
    assert branch in await lab.recovery().discard(one.operation)
    assert branch not in lab.origin.heads()


async def test_what_another_terminal_is_writing_now_is_not_unfinished_and_not_taken_back(lab: Lab) -> None:
    await crash(lab, "before")
    one = await lab.one()
    with lock_file(change_lock(lab.state / "locks", one.operation)):
        assert await lab.recovery().list_unfinished() == ()
        with pytest.raises(RefusedError, match="being executed"):
            await lab.recovery().discard(one.operation)
    assert one.branch in lab.origin.heads()
    assert (await lab.one()).operation == one.operation


async def test_an_operation_is_known_by_its_first_characters_to_its_end(lab: Lab) -> None:
    await crash(lab, "before")
    one = await lab.one()
    await lab.recovery().discard(one.operation[:6])
    assert await lab.recovery().list_unfinished() == ()
