"""The pull requests of a plan: proposals, the progress of writing them, and unfinished writes.

Separate from the plan itself, because the first frame needs only that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.model import Fleet, StageName
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.untrusted_text import LONGEST_WORDS, sanitize

if TYPE_CHECKING:
    from sgm_tui.fleet.history.cell_history import RevertForecast


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One change with the exact diff it makes."""

    change: Change
    diff: str
    """Unified diff of the file, cleaned for showing."""
    stays: tuple[str, ...] = ()
    """Keys that differ from the previous stage and are not promoted ("protected: autoscaling.maxReplicas"), or that a
    revert could not undo."""
    brings: tuple[str, ...] = ()
    """Further changes that nobody requested by name: restored steps."""
    commit_range: CommitRange | None = None
    """None where the service's own repository is not configured, and for a revert."""
    forecast: RevertForecast | None = None
    """The forecast of a revert; None for a promotion, and where there is none."""


@dataclass(frozen=True, slots=True)
class CommitRange:
    """The commits between two versions of a service, in its own repository."""

    commits: tuple[str, ...] = ()
    """ "3f2a1c9 fix: … (Mia)", the oldest first; cut where there are many."""
    total: int = 0
    url: str = ""
    """The compare view; "" where it is unknown."""
    reason: str = ""
    """Why the commits are unknown; "" when they are known."""


@dataclass(frozen=True, slots=True)
class Override:
    """An override of blocking gates, recorded in the commit, the pull request and the audit log."""

    reason: str
    gates: tuple[str, ...] = ()
    """The names of the overridden gates; in a request () means all that block."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", sanitize(self.reason[:LONGEST_WORDS]))

    def narrow_to(self, gates: Iterable[Gate]) -> Override | None:
        """Return the override of those gates that really block, by name; None where no overridable gate blocks."""
        stopping = dict.fromkeys(gate.gate for gate in gates if gate.stops and gate.level != "never")
        named = tuple(name for name in stopping if not self.gates or name in self.gates)
        return replace(self, gates=named) if named else None


@dataclass(frozen=True, slots=True)
class ClosedPullRequest:
    """A pull request for the very same change that somebody closed without merging it."""

    number: int
    by: str = ""
    """The login of the person who closed it; "" where GitHub does not say."""
    at: datetime | None = None
    url: str = ""
    reason: str = ""
    """Why it is unknown whether there is one; the number is 0 then."""

    @property
    def sentence(self) -> str:
        """The warning before the change is proposed again."""
        if not self.number:
            return f"cannot tell whether a pull request for the same change was closed: {self.reason}"
        who = self.by or "somebody"
        return f"#{self.number} for the same change was closed by {who} without being merged"


@dataclass(frozen=True, slots=True)
class Superseded:
    """An open pull request of ours that a newer change supersedes, as it was when a person saw it."""

    number: int
    head: str
    """The only head that may be closed: nobody has reviewed later pushes."""
    branch: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class AdoptedChange:
    """A change that an open pull request has already: no second one is opened, and later waves wait for it."""

    change: Change
    number: int
    branch: str
    author: str
    bundle: int = 0
    wave: int = 0


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The options of a person for writing a plan."""

    override: Override | None = None
    """The gates to override, and why."""
    reason: str = ""
    """The reason for the change, for the commit and the pull request."""
    direct: bool = False
    """Push to the branch itself, where the policy allows it."""
    supersede: bool | tuple[Superseded, ...] = False
    """Supersede every conflicting pull request that may be superseded, or only these."""
    promotion: str = ""
    """The identity of the promotion that this continues, for a later wave."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", sanitize(self.reason[:LONGEST_WORDS]))


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
    """The reason for the change in a person's own words; "" when there is none."""
    direct: bool = False
    """Whether it is pushed to the branch itself, without a pull request, where the stage's policy allows it."""
    pushable: bool = False
    """Whether the stage's policy allows that."""
    unwritable: str = ""
    """Why it cannot be written at all, and what to do; "" when it can."""
    wave: int = 0
    """The number of its wave, 0 for the first; only the first is written at once."""
    waves: int = 1
    """The number of waves."""
    bundle: int = 0
    """The proposals of a preview with the same number are the waves of one wave plan."""
    replaceable: tuple[Superseded, ...] = ()
    """Conflicting pull requests that it may supersede on request."""
    supersedes: tuple[Superseded, ...] = ()
    """Pull requests that it supersedes: they are closed as soon as it is open."""
    closed_earlier: ClosedPullRequest | None = None
    """The newest closed pull request for the same change, where there is one: writing it again needs a confirmation."""
    promotion: str = ""
    """The identity shared by every pull request of one promotion; "" where this one is all of it."""

    @property
    def blocked(self) -> tuple[Gate, ...]:
        """The blocking gates that are not overridden."""
        overridden = () if self.override is None else self.override.gates
        return tuple(one for one in self.gates if one.stops and (one.level == "never" or one.gate not in overridden))

    @property
    def refused(self) -> bool:
        """Whether it cannot be written as it is; a later wave is evaluated only when it opens."""
        return not self.wave and bool(self.unwritable or self.blocked)


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan applied to the present repository: the proposals, and the refusals."""

    base: str
    """The commit that the diffs are based on."""
    proposals: tuple[Proposal, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    adopted: tuple[AdoptedChange, ...] = ()
    """Changes that an open pull request has already; the refusals name them."""

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
"""Steps after which the changes have left the plan."""
UNWRITTEN: frozenset[ProgressStep] = frozenset({"blocked", "refused", "failed"})
"""Steps after which it is not written: a gate blocks, it is not possible any more, or a server did not respond."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of opening pull requests, as it happens."""

    step: ProgressStep
    proposal: Proposal
    text: str = ""
    """The result; after a failure also what to do next."""
    number: int = 0
    url: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class UnfinishedWrite:
    """An unfinished write, with its one safe next step. Its fields are those of `sgm plan unfinished -o json`."""

    operation: str
    """Identity of the change, as in `Sgm-Change-Id`."""
    title: str
    branch: str
    began_at: datetime
    reached: str
    """The last step in the journal: commit, push, open, supersede, auto-merge."""
    found: str
    """What the server has now: "nothing", "the branch", "pull request #12 (open)", "pull request #12 (merged)"."""
    advice: Literal["resume", "discard", "close"]
    """resume: continue where it stopped; discard: nothing to keep; close: it ended elsewhere, only record that."""
    explained: str = ""
    """The advice as text."""
    stages: tuple[StageName, ...] = ()
    """The stages it changes; () where the journal does not say."""
