"""A promotion or revert as a document and as text, in one shape for `sgm promote`, `revert` and `plan` (design §6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sgm_tui.fleet.ages import format_span
from sgm_tui.fleet.gate import SIGNS, Gate, passing_gates, worst_first
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.plans.proposal import UNWRITTEN, FileEdit, Preview, Progress, Proposal
from sgm_tui.fleet.plans.standing import tally_of
from sgm_tui.report.status import time_text
from sgm_tui.report.tables import align

SCHEMA = 1
_CLEARS = {"window": "opens", "soak": "soaked", "wave": "opens"}
"""The verb for a gate that time alone clears."""

Result = Literal["planned", "opened", "pushed", "nothing", "refused", "failed"]


def document(result: Result, preview: Preview, progress: Iterable[Progress] = ()) -> dict[str, Any]:
    """Return what was planned or done as a JSON document."""
    steps = tuple(progress)
    edits = {edit.change: edit for proposal in preview.proposals for edit in proposal.edits}
    return {
        "schema": SCHEMA,
        "result": result,
        "blocked": any(proposal.refused for proposal in preview.proposals),
        "changes": [_change_document(edit) for edit in edits.values()],
        "gates": [gate_report(gate) for proposal in preview.proposals for gate in proposal.gates],
        "pull_requests": [_pull_document(one) for one in steps if one.number or one.step == "pushed"],
        "closed_earlier": [
            _closed_earlier_document(one) for one in preview.proposals if one.closed_earlier is not None
        ],
        "refusals": [
            *(_refusal_document(one) for one in preview.refusals),
            *(_refusal_document(_unwritable_refusal(one)) for one in preview.proposals if one.unwritable),
            *(_unwritten_document(one) for one in steps if one.step in UNWRITTEN),
        ],
    }


def gate_report(gate: Gate) -> dict[str, Any]:
    """Return the document of one gate."""
    return {
        "service": gate.cell.service,
        "stage": gate.cell.stage,
        "cluster": gate.cell.cluster,
        "gate": gate.gate,
        "result": gate.result,
        "reason": gate.reason,
        "eta": time_text(gate.eta),
        "level": gate.level,
    }


def text(preview: Preview, now: datetime) -> str:
    """Return a preview as text: each pull request with its diff and the gates that do not pass.

    With several changes the first line counts them, and those that a gate blocks.
    """
    total = tally_of(preview)
    lines = [total.text, ""] if total.changes > 1 else []
    for proposal in preview.proposals:
        way = "push to the branch" if proposal.direct else "pull request"
        wave = f" (wave {proposal.wave + 1} of {proposal.waves})" if proposal.waves > 1 else ""
        lines += [f"{proposal.stage}: {way}{wave}: {proposal.title}", f"  branch     {proposal.branch}"]
        if proposal.unwritable:
            lines.append(f"  ✖ cannot be written: {proposal.unwritable}")
        if proposal.supersedes:
            lines.append(f"  supersedes {', '.join(f'#{one.number} {one.url}' for one in proposal.supersedes)}: closed")
        if proposal.closed_earlier is not None:
            lines.append(f"  ▲ {proposal.closed_earlier.sentence} {proposal.closed_earlier.url}".rstrip())
        if proposal.reviewers and not proposal.direct:
            lines.append(f"  reviewers  {', '.join(proposal.reviewers)}")
        for edit in proposal.edits:
            lines += ["", *(f"  {line}" for line in edit.diff.splitlines())]
            lines += [*_revert_lines(edit), *_commit_lines(edit)]
            lines += [f"  brings: {one}" for one in edit.brings] + [f"  stays: {one}" for one in edit.stays]
        lines += ["", *gate_lines(proposal.gates, now), ""]
    lines += [_refusal(one) for one in preview.refusals]
    return "\n".join(lines).rstrip() or "git already has this change: nothing to do"


def _revert_lines(edit: FileEdit) -> list[str]:
    """Return the lines about a revert: its forecast, and the mark of the reverted version as known bad."""
    change, way, lines = edit.change, edit.forecast, []
    if way is not None:
        lines.append(f"  revert: {change.service} {change.place}: {way.speed}: {way.reason}")
    if way is not None and way.faster:
        lines.append(f"    faster: {way.faster}")
    if change.marks_bad:
        bad = f"{change.service} {change.from_version}"
        lines.append(f"  known bad: {bad}, in every cell once this merges: {change.marks_bad}")
    return lines


def _commit_lines(edit: FileEdit) -> list[str]:
    between = edit.commit_range
    if between is None or between.reason:
        return [f"  commits: unknown: {between.reason}"] if between is not None else []
    return [f"  commits: {between.total}  {between.url}", *(f"    {one}" for one in between.commits)]


def gate_lines(gates: Sequence[Gate], now: datetime) -> list[str]:
    """Return the gates as lines, the worst first; those that pass in one line."""
    rows = [
        (f"  {SIGNS[gate.result]} {gate.result}", gate.gate, str(gate.cell), why(gate, now))
        for gate in worst_first(gates)
        if gate.result != "pass"
    ]
    passed = passing_gates(worst_first(gates))
    return [*(align(rows) if rows else []), *([f"  ✓ pass  {passed}"] if passed else [])]


def why(gate: Gate, now: datetime) -> str:
    """Return why a gate does not pass and when time alone clears it: "frozen: sat UTC; opens in 2h 10m (19:00Z)"."""
    if gate.eta is None or gate.eta <= now:
        return gate.reason
    eta = gate.eta.astimezone(UTC)
    moment = f"{eta:%H:%M}Z" if eta.date() == now.astimezone(UTC).date() else f"{eta:%Y-%m-%d %H:%M}Z"
    clears = _CLEARS.get(gate.gate, "clears")
    return f"{gate.reason}; {clears} in {format_span((gate.eta - now).total_seconds())} ({moment})"


def _refusal(refusal: Refusal) -> str:
    sign, nothing = ("·", "nothing to do: ") if refusal.nothing else ("✖", "")
    return f"{sign} {refusal.path or 'not planned'}: {nothing}{refusal.reason}"


def _closed_earlier_document(proposal: Proposal) -> dict[str, Any] | None:
    """Return the closed pull request of a change that is proposed again."""
    earlier = proposal.closed_earlier
    if earlier is None:
        return None
    return {
        "branch": proposal.branch,
        "number": earlier.number or None,
        "by": earlier.by or None,
        "at": time_text(earlier.at),
        "url": earlier.url or None,
        "text": earlier.sentence,
    }


def _refusal_document(refusal: Refusal) -> dict[str, Any]:
    return {"path": refusal.path, "reason": refusal.reason, "number": refusal.number or None}


def _unwritable_refusal(proposal: Proposal) -> Refusal:
    return Refusal(proposal.edits[0].change.path, proposal.unwritable)


def _unwritten_document(progress: Progress) -> dict[str, Any]:
    """Return the document of a proposal that could not be written after the plan was shown."""
    edits = progress.proposal.edits
    return {"path": edits[0].change.path if edits else "", "reason": progress.text, "number": progress.number or None}


def _change_document(edit: FileEdit) -> dict[str, Any]:
    change, way = edit.change, edit.forecast
    return {
        "kind": change.kind,
        "service": change.service,
        "stage": change.stage,
        "cluster": change.cluster,
        "clusters": [key.cluster for key in change.cells],
        "path": change.path,
        "key": change.key,
        "from": change.from_version,
        "to": change.to_version,
        "strategy": change.strategy or None,
        "known_bad": change.marks_bad or None,
        "way_back": None if way is None else {"fast": way.fast, "reason": way.reason, "faster": way.faster or None},
        "diff": edit.diff,
    }


def _pull_document(progress: Progress) -> dict[str, Any]:
    return {
        "number": progress.number or None,
        "url": progress.url or None,
        "branch": progress.proposal.branch,
        "commit": progress.commit or None,
        "supersedes": [one.number for one in progress.proposal.supersedes],
    }
