"""A promotion or revert as data and as text: one shape for `sgm promote`, `revert` and `plan` (design §6, docs)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from sgm_tui.fleet.gate import SIGNS, Gate, passing, worst_first
from sgm_tui.fleet.plan import Change, Refusal
from sgm_tui.fleet.proposal import FileEdit, Preview, Progress
from sgm_tui.fleet.report import time_text
from sgm_tui.fleet.tables import align

SCHEMA = 1

Result = Literal["planned", "opened", "pushed", "nothing", "refused", "failed"]


def document(result: Result, preview: Preview, progress: Iterable[Progress] = ()) -> dict[str, Any]:
    """What was planned or done, for machines."""
    diffs = {edit.change: edit.diff for proposal in preview.proposals for edit in proposal.edits}
    return {
        "schema": SCHEMA,
        "result": result,
        "changes": [_change(change, diff) for change, diff in diffs.items()],
        "gates": [gate_report(gate) for proposal in preview.proposals for gate in proposal.gates],
        "pull_requests": [_pull(one) for one in progress if one.number or one.step == "pushed"],
        "refusals": [_refused(one) for one in preview.refusals],
    }


def gate_report(gate: Gate) -> dict[str, Any]:
    """One gate."""
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


def text(preview: Preview) -> str:
    """What would be written, for people: each pull request with its diff and the gates that do not simply pass."""
    lines: list[str] = []
    for proposal in preview.proposals:
        way = "push to the branch" if proposal.direct else "pull request"
        wave = f" (wave {proposal.wave + 1} of {proposal.waves})" if proposal.waves > 1 else ""
        lines += [f"{proposal.stage}: {way}{wave}: {proposal.title}", f"  branch     {proposal.branch}"]
        if proposal.supersedes:
            lines.append(f"  supersedes {', '.join(f'#{one.number} {one.url}' for one in proposal.supersedes)}: closed")
        if proposal.reviewers:
            lines.append(f"  reviewers  {', '.join(proposal.reviewers)}")
        for edit in proposal.edits:
            lines += ["", *(f"  {line}" for line in edit.diff.splitlines())]
            lines += _commits(edit)
            lines += [f"  stays: {one}" for one in edit.stays]
        lines += ["", *gate_lines(proposal.gates), ""]
    lines += [_refusal(one) for one in preview.refusals]
    return "\n".join(lines).rstrip() or "git already wants this: nothing to do"


def _commits(edit: FileEdit) -> list[str]:
    between = edit.between
    if between is None or between.reason:
        return [f"  commits: not known: {between.reason}"] if between is not None else []
    return [f"  commits: {between.total}  {between.url}", *(f"    {one}" for one in between.commits)]


def gate_lines(gates: Sequence[Gate]) -> list[str]:
    """The gates, the worst first; those that pass in one line."""
    rows = [
        (f"  {SIGNS[gate.result]} {gate.result}", gate.gate, str(gate.cell), gate.reason)
        for gate in worst_first(gates)
        if gate.result != "pass"
    ]
    passed = passing(worst_first(gates))
    return [*(align(rows) if rows else []), *([f"  ✓ pass  {passed}"] if passed else [])]


def _refusal(refusal: Refusal) -> str:
    sign, nothing = ("·", "nothing to do: ") if refusal.nothing else ("✖", "")
    return f"{sign} {refusal.path or 'not planned'}: {nothing}{refusal.reason}"


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {"path": refusal.path, "reason": refusal.reason, "number": refusal.number or None}


def _change(change: Change, diff: str) -> dict[str, Any]:
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
        "diff": diff,
    }


def _pull(progress: Progress) -> dict[str, Any]:
    return {
        "number": progress.number or None,
        "url": progress.url or None,
        "branch": progress.proposal.branch,
        "commit": progress.commit or None,
        "supersedes": [one.number for one in progress.proposal.supersedes],
    }
