"""The standing of each change of a plan: passing, warning, queued or blocked, and why it cannot be written.

A change of a later wave is evaluated when its wave opens. Until then the earlier wave blocks its gates, which must not
block the first wave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sgm_tui.fleet.gate import worst_first
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.proposal import Preview, Proposal

Standing = Literal["passing", "warning", "queued", "nothing", "unknown", "blocked"]
"""queued: for a later wave. nothing: git or an open pull request has it already. unknown: a required gate could not be
evaluated, which blocks, too."""


@dataclass(frozen=True, slots=True)
class ChangeStanding:
    """The standing of one change."""

    standing: Standing
    reason: str = ""
    """Why it cannot be written as it is; "" when it can."""
    heading: str = ""
    """The file under which the screen shows it: the first of its pull request."""
    overridable: bool = False
    """Whether an override with a reason would unblock it."""

    @property
    def stops(self) -> bool:
        """Whether it blocks the whole plan."""
        return self.standing in {"blocked", "unknown"}


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of changes of a plan, and of those that block it."""

    changes: int
    blocked: int
    unknown: int

    @property
    def text(self) -> str:
        """The counts as text: "17 changes, 3 blocked, 2 unknown"."""
        counted = [(self.blocked, "blocked"), (self.unknown, "unknown")]
        stopping = [f"{count} {word}" for count, word in counted if count]
        return ", ".join([f"{self.changes} change{'' if self.changes == 1 else 's'}", *(stopping or ["none blocked"])])


@dataclass(frozen=True, slots=True)
class WriteRefusal:
    """Why a plan is not opened, as a notification."""

    title: str
    reason: str
    at: int | None = None
    """The index of the first change that blocks it; None where no single change does."""
    heading: str = ""
    """The file under which the screen shows that change."""


def standings(changes: Sequence[Change], preview: Preview) -> tuple[ChangeStanding, ...]:
    """Return the standing of each change of a plan in its preview, in the order of the plan."""
    proposals = {
        (edit.change.path, edit.change.key): proposal for proposal in preview.proposals for edit in proposal.edits
    }
    refusals = {refusal.path: refusal for refusal in preview.refusals}
    return tuple(_standing(change, proposals.get((change.path, change.key)), refusals) for change in changes)


def tally(changes: Sequence[ChangeStanding]) -> Tally:
    """Count the changes of a plan and those that block it."""
    words = [one.standing for one in changes]
    return Tally(len(words), words.count("blocked"), words.count("unknown"))


def tally_of(preview: Preview) -> Tally:
    """Count everything a preview would write or refuses."""
    stands = standings([edit.change for proposal in preview.proposals for edit in proposal.edits], preview)
    counted = tally(stands)
    refused = sum(not refusal.nothing for refusal in preview.refusals)
    return Tally(counted.changes + refused, counted.blocked + refused, counted.unknown)


def why_not_written(changes: Sequence[Change], preview: Preview) -> str:
    """Return why a preview cannot be written: what blocks it, or that there is nothing to write; "" when it can."""
    stopping = [(change, one) for change, one in zip(changes, standings(changes, preview), strict=True) if one.stops]
    if stopping and any(proposal.refused for proposal in preview.proposals):
        change, first = stopping[0]
        more = f"\nand {len(stopping) - 1} more" if len(stopping) > 1 else ""
        return f"{change.service} {change.place}: {first.reason}{more}"
    if preview.proposals:
        return ""
    reasons = [refusal.reason for refusal in preview.refusals if not refusal.nothing]
    return reasons[0] if reasons else "git or an open pull request already has all of it"


def explain_refusal(changes: Sequence[Change], preview: Preview | None) -> WriteRefusal:
    """Explain why a plan that cannot be written is not opened.

    Args:
        changes: the staged changes.
        preview: the plan against git; None where it could not be compared.
    """
    if not changes:
        return WriteRefusal("not opened", "nothing is staged: press p on a cell to stage a promotion")
    if preview is None:
        return WriteRefusal("not opened", "the plan could not be compared with git: press r to retry")
    stands, reason = standings(changes, preview), why_not_written(changes, preview)
    first = next((at for at, one in enumerate(stands) if one.stops), None)
    if first is None:
        return WriteRefusal("nothing to write", reason)
    if stands[first].overridable:
        reason += "\npress o to override the gates, with a reason"
    return WriteRefusal(f"not opened: {tally(stands).text}", reason, first, stands[first].heading)


def _standing(change: Change, proposal: Proposal | None, refusals: Mapping[str, Refusal]) -> ChangeStanding:
    if proposal is None:
        refusal = refusals.get(change.path)
        if refusal is None or refusal.nothing:
            return ChangeStanding("nothing")
        return ChangeStanding("blocked", refusal.reason, change.path)
    heading = proposal.edits[0].change.path
    if proposal.wave:
        return ChangeStanding("queued", heading=heading)
    if proposal.unwritable:
        return ChangeStanding("blocked", proposal.unwritable, heading)
    own = [gate for gate in proposal.gates if gate.cell in change.cells]
    stopping = worst_first(gate for gate in proposal.blocked if gate.cell in change.cells)
    if stopping:
        worst = stopping[0]
        word: Standing = "blocked" if any(gate.result == "block" for gate in stopping) else "unknown"
        overridable = all(gate.level != "never" for gate in stopping)
        return ChangeStanding(word, f"{worst.gate}: {worst.reason}", heading, overridable)
    return ChangeStanding("passing" if all(gate.result == "pass" for gate in own) else "warning", heading=heading)
