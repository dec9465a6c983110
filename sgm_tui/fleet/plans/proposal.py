"""What becomes of a plan: the pull requests it would be, how far writing them is, and what never ended.

Apart from the plan itself, which the first frame needs and these values not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.model import Fleet, StageName
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.untrusted_text import LONGEST_WORDS, harmless

if TYPE_CHECKING:
    from sgm_tui.fleet.history.cell_history import RevertForecast


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One change with the exact diff it makes."""

    change: Change
    diff: str
    """Unified diff of the file, cleaned for showing."""
    stays: tuple[str, ...] = ()
    """What differs from the stage before and does not travel ("protected: autoscaling.maxReplicas"), or what a revert
    could not undo."""
    brings: tuple[str, ...] = ()
    """What comes with the version and nobody asked for by name: steps that are put back."""
    commit_range: CommitRange | None = None
    """None where the service's own repository is not configured, and for a revert."""
    forecast: RevertForecast | None = None
    """What will happen when a revert is merged; None for a promotion, and where nobody looked."""


@dataclass(frozen=True, slots=True)
class CommitRange:
    """What lies between two versions of a service, in its own repository."""

    commits: tuple[str, ...] = ()
    """ "3f2a1c9 fix: … (Mia)", the oldest first; cut where there are many."""
    total: int = 0
    url: str = ""
    """The compare view; "" where it is not known."""
    reason: str = ""
    """Why nothing is known; "" when it is."""


@dataclass(frozen=True, slots=True)
class Override:
    """A person goes over gates that block; it ends up in the commit, the pull request and the audit."""

    reason: str
    gates: tuple[str, ...] = ()
    """Names of the gates gone over; while it is only a wish, none named means all that block."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", harmless(self.reason[:LONGEST_WORDS]))

    def over(self, gates: Iterable[Gate]) -> Override | None:
        """What it really goes over, by name; None where nothing that may be gone over is in the way."""
        stopping = dict.fromkeys(gate.gate for gate in gates if gate.stops and gate.level != "never")
        named = tuple(name for name in stopping if not self.gates or name in self.gates)
        return replace(self, gates=named) if named else None


@dataclass(frozen=True, slots=True)
class ClosedPullRequest:
    """A pull request for the very same change that somebody closed without merging it."""

    number: int
    by: str = ""
    """The login of who closed it; "" where GitHub does not say."""
    at: datetime | None = None
    url: str = ""
    reason: str = ""
    """Why it is unknown whether there is one; the number is 0 then."""

    @property
    def sentence(self) -> str:
        """What a person is told before the change is proposed again."""
        if not self.number:
            return f"cannot tell whether a pull request for the same change was closed: {self.reason}"
        who = self.by or "somebody"
        return f"#{self.number} for the same change was closed by {who} without being merged"


@dataclass(frozen=True, slots=True)
class Superseded:
    """An open pull request of ours that a newer change takes the place of, as it was when a person saw it."""

    number: int
    head: str
    """The only head that may be closed: what was pushed since nobody has looked at."""
    branch: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class AdoptedChange:
    """A change that an open pull request brings already: no second one is opened, and later waves wait for it."""

    change: Change
    number: int
    branch: str
    author: str
    bundle: int = 0
    wave: int = 0


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a plan is to be written, as far as a person has a say in it."""

    override: Override | None = None
    """The gates they go over, and why."""
    reason: str = ""
    """Why this is wanted, for the commit and the pull request."""
    direct: bool = False
    """Push to the branch itself, where the policy allows it."""
    supersede: bool | tuple[Superseded, ...] = False
    """Take the place of every open pull request in the way that may be replaced, or of these."""
    promotion: str = ""
    """The identity of the promotion this is a part of, where its first part was written before: a later wave."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", harmless(self.reason[:LONGEST_WORDS]))


@dataclass(frozen=True, slots=True)
class Proposal:
    """One pull request as it would be opened."""

    stage: StageName
    branch: str
    """Deterministic from the content, so that a retry finds instead of duplicating; the deployed one where it is
    pushed directly."""
    title: str
    body: str
    edits: tuple[FileEdit, ...]
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    """Owners from CODEOWNERS: "@user" or "@org/team"."""
    gates: tuple[Gate, ...] = ()
    override: Override | None = None
    reason: str = ""
    """Why a person wants this, in their own words; "" when they did not say."""
    direct: bool = False
    """Pushed to the branch itself, where the stage's policy allows it; no pull request."""
    pushable: bool = False
    """The stage's policy allows that."""
    unwritable: str = ""
    """Why it can be written in no way as it is, and what to do; "" when it can."""
    wave: int = 0
    """Which wave it is, 0 the first; only the first is written at once."""
    waves: int = 1
    """How many waves there are."""
    bundle: int = 0
    """Which proposals of a preview go wave by wave together: those with the same number."""
    replaceable: tuple[Superseded, ...] = ()
    """Open pull requests in the way that it may take the place of, when somebody asks for it."""
    supersedes: tuple[Superseded, ...] = ()
    """Those it does take the place of: they are closed as soon as it is there."""
    closed_earlier: ClosedPullRequest | None = None
    """The newest pull request for the very same change, where somebody closed it: writing it again is asked for."""
    promotion: str = ""
    """The identity shared by every pull request of one promotion; "" where this one is all of it."""

    @property
    def blocked(self) -> tuple[Gate, ...]:
        """The gates that stop it and are not overridden."""
        gone_over = () if self.override is None else self.override.gates
        return tuple(one for one in self.gates if one.stops and (one.level == "never" or one.gate not in gone_over))

    @property
    def refused(self) -> bool:
        """It is not written as it is. A later wave never is refused now: it is judged when its turn comes."""
        return not self.wave and bool(self.unwritable or self.blocked)


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan against the repository as it is now: what would be written, what would not and why."""

    base: str
    """Commit the diffs were made against."""
    proposals: tuple[Proposal, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    adopted: tuple[AdoptedChange, ...] = ()
    """What is not written because an open pull request brings it; the refusals tell it."""

    def protected_stages(self, fleet: Fleet) -> tuple[StageName, ...]:
        """Return the protected stages it changes, now or with a later wave, in the fleet's order."""
        touched = {proposal.stage for proposal in self.proposals}
        touched |= {key.stage for one in self.proposals for edit in one.edits for key in edit.change.cells}
        return tuple(stage.name for stage in fleet.stages if stage.protected and stage.name in touched)


ProgressStep = Literal[
    "committing",
    "pushing",
    "opening",
    "closing",
    "opened",
    "adopted",
    "updated",
    "pushed",
    "queued",
    "done",
    "nothing",
    "blocked",
    "refused",
    "failed",
]
ENDED: frozenset[ProgressStep] = frozenset({"opened", "adopted", "pushed", "queued", "done", "nothing"})
"""Steps after which what was proposed has left the plan."""
UNWRITTEN: frozenset[ProgressStep] = frozenset({"blocked", "refused", "failed"})
"""Steps after which it is not written: a gate is in the way, it cannot be made any more, or nobody answered."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of opening pull requests, as it happens."""

    step: ProgressStep
    proposal: Proposal
    text: str = ""
    """What happened; on failure also what to do next."""
    number: int = 0
    url: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class UnfinishedWrite:
    """A write that was begun and never seen to its end, with its one safe next step."""

    operation: str
    """Identity of the change, as in `Sgm-Change-Id`."""
    title: str
    branch: str
    began_at: datetime
    reached: str
    """The last step the journal holds: commit, push, open, supersede, auto-merge."""
    found: str
    """What the server holds now: "nothing", "the branch", "pull request #12 (open)", "pull request #12 (merged)"."""
    advice: Literal["resume", "discard", "close"]
    """resume: go on from where it stopped; discard: nothing to keep; close: it ended elsewhere, only note it."""
    explained: str = ""
    """The advice in words."""
    stages: tuple[StageName, ...] = ()
    """The stages it changes; () where the journal does not say."""
