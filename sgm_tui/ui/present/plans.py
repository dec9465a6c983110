"""The plan in words: what is staged, which pull requests would be opened, and the exact diff of each."""

from __future__ import annotations

from collections.abc import Iterable

from sgm_tui.fleet.model import Fleet, StageName
from sgm_tui.fleet.plan import Change, FileEdit, Preview, Progress, Proposal
from sgm_tui.ui.present.glyphs import ARROW, RULE
from sgm_tui.ui.present.tones import Line, Tone

_STEPS = {
    "committing": ("…", Tone.BUSY),
    "pushing": ("…", Tone.BUSY),
    "opening": ("…", Tone.BUSY),
    "opened": ("✓", Tone.GOOD),
    "adopted": ("✓", Tone.GOOD),
    "nothing": ("·", Tone.QUIET),
    "failed": ("✖", Tone.BAD),
}


def change_line(change: Change) -> Line:
    """One staged change, in one line."""
    moved = f"  {len(change.cells)} clusters" if len(change.cells) > 1 else ""
    return (
        (f"{change.kind:<10}", Tone.QUIET),
        (f"{change.service:<18} ", Tone.STRONG),
        (f"{change.place:<14} ", Tone.TEXT),
        (f"{change.from_version} {ARROW} ", Tone.QUIET),
        (change.to_version, Tone.STAGED),
        (moved, Tone.QUIET),
    )


def preview_lines(preview: Preview, fleet: Fleet) -> list[Line]:
    """Everything that would be written and everything that would not, and why."""
    lines: list[Line] = []
    for proposal in preview.proposals:
        lines.extend(_proposal(proposal, protected=is_protected(fleet, proposal.stage)))
    for refusal in preview.refusals:
        lines.append((("✖ will not be written  ", Tone.BAD), (refusal.path, Tone.STRONG)))
        lines.append((("  ", Tone.TEXT), (refusal.reason, Tone.TEXT)))
        lines.append(())
    return lines or [(("Git already wants all of this: there is nothing to write.", Tone.QUIET),)]


def diff_lines(edit: FileEdit) -> list[Line]:
    """A unified diff, a tone for each kind of line."""
    return [((f"  {line}", _diff_tone(line)),) for line in edit.diff.splitlines()]


def progress_line(progress: Progress) -> Line:
    """One thing that happened while the pull requests were opened."""
    sign, tone = _STEPS[progress.step]
    number = f"#{progress.number} " if progress.number else ""
    return (
        (f"{sign} {progress.step:<11}", tone),
        (f"{progress.proposal.stage:<9} ", Tone.QUIET),
        (number, Tone.STAGED),
        (progress.text or progress.proposal.title, Tone.TEXT if tone is not Tone.BAD else Tone.BAD),
        (f"  {progress.url}" if progress.url else "", Tone.STRONG),
    )


def question_lines(preview: Preview, fleet: Fleet) -> list[Line]:
    """What the confirmation shows: every file and every cell that will move."""
    lines: list[Line] = []
    for proposal in preview.proposals:
        tone = Tone.PROTECTED if is_protected(fleet, proposal.stage) else Tone.STRONG
        lines.append(((f"{proposal.stage}  ", tone), (proposal.title, Tone.STRONG)))
        for edit in proposal.edits:
            change = edit.change
            clusters = ", ".join(key.cluster for key in change.cells)
            lines.append(
                (
                    (f"  {change.service} ", Tone.TEXT),
                    (f"{change.from_version} {ARROW} {change.to_version}", Tone.STAGED),
                    (f"  in {clusters}", Tone.TEXT),
                )
            )
            lines.append(((f"  {change.path}", Tone.QUIET),))
    return lines


def protected_stages(preview: Preview, fleet: Fleet) -> tuple[StageName, ...]:
    """The protected stages this preview would change, in the fleet's order."""
    touched = {proposal.stage for proposal in preview.proposals}
    return tuple(stage.name for stage in fleet.stages if stage.protected and stage.name in touched)


def is_protected(fleet: Fleet, name: StageName) -> bool:
    """Whether a stage is locked for writes until it is armed."""
    stage = fleet.stage(name)
    return stage is not None and stage.protected


def _proposal(proposal: Proposal, *, protected: bool) -> Iterable[Line]:
    yield (
        (f"{proposal.stage} ", Tone.PROTECTED if protected else Tone.TITLE),
        (f"{RULE * 2} pull request {RULE * 2} ", Tone.QUIET),
        (proposal.title, Tone.STRONG),
    )
    yield (("branch     ", Tone.QUIET), (proposal.branch, Tone.TEXT))
    yield (("reviewers  ", Tone.QUIET), (", ".join(proposal.reviewers) or "no owner in CODEOWNERS", Tone.TEXT))
    if proposal.labels:
        yield (("labels     ", Tone.QUIET), (", ".join(proposal.labels), Tone.TEXT))
    for edit in proposal.edits:
        yield ()
        yield from diff_lines(edit)
    yield ()


def _diff_tone(line: str) -> Tone:
    if line.startswith(("+++", "---")):
        return Tone.TITLE
    if line.startswith("+"):
        return Tone.ADDED
    if line.startswith("-"):
        return Tone.REMOVED
    return Tone.BUSY if line.startswith("@@") else Tone.QUIET
