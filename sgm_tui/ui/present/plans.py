"""The plan as text: staged changes, the pull requests they become, and the exact diff of each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.cells import cell_len

from sgm_tui.fleet.model import Fleet, StageName
from sgm_tui.fleet.plans.following import Outcome
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.proposal import FileEdit, Preview, Progress, ProgressStep, Proposal
from sgm_tui.fleet.plans.standing import Standing, Tally
from sgm_tui.ui.present.fit import hung, shorten
from sgm_tui.ui.present.gates import gate_lines, summary
from sgm_tui.ui.present.glyphs import ARROW, RULE
from sgm_tui.ui.present.history import way_lines
from sgm_tui.ui.present.tones import Line, Part, Tone

_STRATEGY = 32
"""Terminal cells of a strategy in the list of changes; the diff shows all of it."""
_STEPS: dict[ProgressStep, Part] = {
    "committing": ("…", Tone.BUSY),
    "pushing": ("…", Tone.BUSY),
    "opening": ("…", Tone.BUSY),
    "closing": ("…", Tone.BUSY),
    "opened": ("✓", Tone.GOOD),
    "adopted": ("✓", Tone.GOOD),
    "pushed": ("✓", Tone.GOOD),
    "queued": ("…", Tone.STAGED),
    "done": ("✓", Tone.GOOD),
    "nothing": ("·", Tone.QUIET),
    "blocked": ("✖", Tone.BAD),
    "refused": ("✖", Tone.BAD),
    "failed": ("✖", Tone.BAD),
}


_STANDINGS: dict[Standing, Part] = {
    "passing": ("✓", Tone.GOOD),
    "warning": ("▲", Tone.ATTENTION),
    "queued": ("…", Tone.STAGED),
    "nothing": ("·", Tone.QUIET),
    "unknown": ("?", Tone.UNKNOWN),
    "blocked": ("✖", Tone.BAD),
}
_OUTCOMES: dict[str, Part] = {
    "merged": ("…", Tone.BUSY),
    "arrived": ("✓", Tone.GOOD),
    "failed": ("✖", Tone.BAD),
    "closed": ("✖", Tone.ATTENTION),
    "replaced": ("·", Tone.QUIET),
    "unknown": ("?", Tone.UNKNOWN),
}


def title_line(changes: int, tally: Tally | None, unfinished: int, waves: int, *, read_only: bool) -> Line:
    """Return the plan's title: its changes, how many the gates block, and what else is in progress.

    `tally` is None until the gates have been evaluated.
    """
    stops = tally is not None and bool(tally.blocked or tally.unknown)
    counted = tally.text if tally is not None and changes else f"{changes} {'change' if changes == 1 else 'changes'}"
    title: list[Part] = [("The plan  ", Tone.STRONG), (counted, Tone.BAD if stops else Tone.QUIET)]
    if read_only:
        title.append(("   read-only", Tone.PROTECTED))
    if unfinished:
        title.append((f"   ▲ {unfinished} unfinished write{'s' if unfinished > 1 else ''} (U)", Tone.ATTENTION))
    if waves:
        title.append((f"   … {waves} wave rollout{'s' if waves > 1 else ''} in progress (W)", Tone.STAGED))
    return tuple(title)


def change_line(change: Change, standing: Standing | None = None) -> Line:
    """Return one staged change in one line, marked by its gates; without a mark until they are evaluated."""
    moved = f"  {len(change.cells)} clusters" if len(change.cells) > 1 else ""
    sign, tone = (" ", Tone.QUIET) if standing is None else _STANDINGS[standing]
    return (
        (f"{sign} ", tone),
        (f"{change.kind:<10}", Tone.QUIET),
        (f"{change.service:<18} ", Tone.STRONG),
        (f"{change.place:<14} ", Tone.TEXT),
        (f"{change.from_version} {ARROW} ", Tone.QUIET),
        (change.to_version, Tone.STAGED),
        (f"  {shorten(change.strategy, _STRATEGY)}" if change.strategy else "", Tone.BUSY),
        (moved, Tone.QUIET),
    )


def preview_parts(preview: Preview, fleet: Fleet, now: datetime, width: int) -> list[tuple[str, tuple[Line, ...]]]:
    """Return what would be written, what would not and why, for a page of `width` cells.

    In parts, each with the file it is about; the heading of a pull request is part of its first file.
    """
    nothing: Line = (("Git already has all of these changes: nothing to write.", Tone.QUIET),)
    return list(_parts(preview, fleet, now, width)) or [("", (nothing,))]


def _parts(preview: Preview, fleet: Fleet, now: datetime, width: int) -> Iterable[tuple[str, tuple[Line, ...]]]:
    for proposal in preview.proposals:
        heading = tuple(_proposal(proposal, now, width, protected=is_protected(fleet, proposal.stage)))
        for edit in proposal.edits:
            yield edit.change.path, (*heading, (), *_edit(edit, width))
            heading = ()
        yield "", (*heading, ())
    for refusal in preview.refusals:
        yield refusal.path, tuple(_refusal(refusal, width))


def diff_lines(edit: FileEdit) -> list[Line]:
    """Return a unified diff with a tone for each kind of line."""
    return [((f"  {line}", _diff_tone(line)),) for line in edit.diff.splitlines()]


def progress_lines(progress: Progress, width: int, *, over: bool = False, outcome: Outcome | None = None) -> list[Line]:
    """Return one step of opening the pull requests, in `width` cells.

    It is `over` when another step followed it successfully; `outcome` is what became of it since.
    """
    word: str = progress.step
    sign, tone = _STEPS[progress.step]
    if over and tone is Tone.BUSY:
        sign, tone = "✓", Tone.GOOD
    text = (progress.text or progress.proposal.title).removeprefix(f"{progress.step} ")
    if outcome is not None:
        word = outcome.word
        sign, tone = _OUTCOMES[word]
        text = f"{progress.proposal.title}{f'  {outcome.reason}' if outcome.reason else ''}"
    head: Line = (
        (f"{sign} {word:<11}", tone),
        (f"{progress.proposal.stage:<9} ", Tone.QUIET),
        (f"#{progress.number} " if progress.number else "", Tone.STAGED),
    )
    indent: Line = ((" " * sum(cell_len(part) for part, _ in head[:2]), Tone.TEXT),)
    first, *more = text.splitlines() or [""]
    lines = hung(head, first, Tone.BAD if tone is Tone.BAD else Tone.TEXT, width)
    lines += [line for one in more for line in hung(indent, one, Tone.TEXT, width)]
    if progress.url and sum(cell_len(part) for part, _ in lines[-1]) + 2 + cell_len(progress.url) <= width:
        return [*lines[:-1], (*lines[-1], (f"  {progress.url}", Tone.STRONG))]
    return [*lines, (*indent, (progress.url, Tone.STRONG))] if progress.url else lines


def question_lines(preview: Preview, fleet: Fleet) -> list[Line]:
    """Return the lines of the confirmation: every file and every cell that will change."""
    lines: list[Line] = []
    for proposal in preview.proposals:
        tone = Tone.PROTECTED if is_protected(fleet, proposal.stage) else Tone.STRONG
        lines.append(((f"{proposal.stage}  ", tone), (proposal.title, Tone.STRONG)))
        if proposal.wave:
            lines.append(((f"  opens automatically once wave {proposal.wave} has settled and soaked", Tone.STAGED),))
        for edit in proposal.edits:
            change = edit.change
            clusters = ", ".join(key.cluster for key in change.cells)
            lines.append(
                (
                    (f"  {change.service} ", Tone.TEXT),
                    (f"{change.from_version} {ARROW} {change.to_version}", Tone.STAGED),
                    (f"  in {clusters}", Tone.TEXT),
                    (f"  {change.strategy}" if change.strategy else "", Tone.BUSY),
                )
            )
            lines.append(((f"  {change.path}", Tone.QUIET),))
        if proposal.reason and proposal.override is None:
            lines.append((("  reason: ", Tone.QUIET), (proposal.reason, Tone.TEXT)))
        lines.extend(_closed_earlier(proposal))
        lines.extend(_superseding(proposal))
        if proposal.override is not None:
            over = ", ".join(proposal.override.gates)
            lines.append((("  ▲ overrides ", Tone.ATTENTION), (f"{over}: {proposal.override.reason}", Tone.TEXT)))
    return lines


def is_protected(fleet: Fleet, name: StageName) -> bool:
    """Return whether a stage is protected."""
    stage = fleet.stage(name)
    return stage is not None and stage.protected


def _refusal(refusal: Refusal, width: int) -> Iterable[Line]:
    if refusal.nothing:
        yield (("· nothing to do  ", Tone.QUIET), (refusal.path, Tone.TEXT))
    else:
        yield (("✖ will not be written  ", Tone.BAD), (refusal.path, Tone.STRONG))
    yield from hung((("  ", Tone.TEXT),), refusal.reason, Tone.QUIET if refusal.nothing else Tone.TEXT, width)
    yield ()


def _proposal(proposal: Proposal, now: datetime, width: int, *, protected: bool) -> Iterable[Line]:
    way = "push" if proposal.direct else "pull request"
    if proposal.waves > 1:
        way += f", wave {proposal.wave + 1} of {proposal.waves}"
    yield (
        (f"{proposal.stage} ", Tone.PROTECTED if protected else Tone.TITLE),
        (f"{RULE * 2} {way} {RULE * 2} ", Tone.QUIET),
        (proposal.title, Tone.STRONG),
    )
    if proposal.unwritable:
        yield from hung((("✖ cannot be written  ", Tone.BAD),), proposal.unwritable, Tone.BAD, width)
    if proposal.gates and proposal.wave:
        yield (("gates      ", Tone.QUIET), ("· evaluated again when this wave opens; now:", Tone.QUIET))
        yield from gate_lines(proposal.gates, now, width)
    elif proposal.gates:
        yield (("gates      ", Tone.QUIET), *summary(proposal.gates))
        yield from gate_lines(proposal.gates, now, width)
    if proposal.override is not None:
        over = ", ".join(proposal.override.gates)
        head: Line = (("override   ", Tone.QUIET), (f"▲ {over}: ", Tone.ATTENTION))
        yield from hung(head, proposal.override.reason, Tone.TEXT, width)
    if proposal.reason:
        yield from hung((("reason     ", Tone.QUIET),), proposal.reason, Tone.TEXT, width)
    yield from _closed_earlier(proposal)
    yield from _superseding(proposal)
    yield (("branch     ", Tone.QUIET), (proposal.branch, Tone.TEXT))
    if proposal.direct:
        return
    reviewers = ", ".join(proposal.reviewers) or "no owner in CODEOWNERS"
    yield from hung((("reviewers  ", Tone.QUIET),), reviewers, Tone.TEXT, width)
    if proposal.labels:
        yield (("labels     ", Tone.QUIET), (", ".join(proposal.labels), Tone.TEXT))


def _edit(edit: FileEdit, width: int) -> Iterable[Line]:
    """Return the exact diff of one file, and notes on it."""
    yield from diff_lines(edit)
    yield from _way_back(edit, width)
    yield from _commits(edit)
    for change in edit.brings:
        yield from hung((("  brings     ", Tone.STAGED),), change, Tone.STAGED, width)
    for change in edit.stays:
        yield from hung((("  stays      ", Tone.QUIET),), change, Tone.QUIET, width)


def _way_back(edit: FileEdit, width: int) -> Iterable[Line]:
    """Show how fast a revert will be, and the version it marks as known bad."""
    if edit.forecast is not None:
        yield from ((("  ", Tone.TEXT), *line) for line in way_lines(edit.forecast, width - 2))
    if edit.change.marks_bad:
        bad = (
            f"  ✖ {edit.change.service} {edit.change.from_version} is marked known bad in every cell once this merges: "
        )
        yield ((bad, Tone.BAD), (edit.change.marks_bad, Tone.TEXT))


def _closed_earlier(proposal: Proposal) -> Iterable[Line]:
    """Return the pull request of the same change that somebody closed."""
    earlier = proposal.closed_earlier
    if earlier is not None:
        yield (("again      ", Tone.QUIET), (f"▲ {earlier.sentence}", Tone.ATTENTION), (f"  {earlier.url}", Tone.QUIET))


def _superseding(proposal: Proposal) -> Iterable[Line]:
    """Return the pull requests that are closed for this one."""
    for superseded in proposal.supersedes:
        yield (
            ("closes     ", Tone.QUIET),
            (f"#{superseded.number} ", Tone.ATTENTION),
            (f"superseded  {superseded.url}", Tone.TEXT),
        )


def _commits(edit: FileEdit) -> Iterable[Line]:
    """Return the commits between the two versions in the service's own repository."""
    between = edit.commit_range
    if between is None:
        return
    if between.reason:
        yield ((f"  commits    unknown: {between.reason}", Tone.QUIET),)
        return
    yield (("  commits    ", Tone.QUIET), (f"{between.total} ", Tone.STRONG), (between.url, Tone.QUIET))
    yield from (((f"             {one}", Tone.TEXT),) for one in between.commits)


def _diff_tone(line: str) -> Tone:
    if line.startswith(("+++", "---")):
        return Tone.TITLE
    if line.startswith("+"):
        return Tone.ADDED
    if line.startswith("-"):
        return Tone.REMOVED
    return Tone.BUSY if line.startswith("@@") else Tone.QUIET
