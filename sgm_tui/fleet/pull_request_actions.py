"""The actions on a pull request, and why one is refused now: GitHub's own rules, applied beforehand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from sgm_tui.fleet.facts import PullRequest, UnrelatedChange
from sgm_tui.fleet.model import Fleet, StageName

PullAction = Literal["approve", "merge", "auto-merge", "stop-auto-merge", "update", "close"]

ACTION_NAMES: Mapping[PullAction, str] = {
    "approve": "approve",
    "merge": "merge",
    "auto-merge": "enable auto-merge",
    "stop-auto-merge": "disable auto-merge",
    "update": "update its branch",
    "close": "close without merging",
}


def refusal_reason(request: PullRequest, action: PullAction) -> str:
    """Return why an action cannot be done now; "" when it can."""
    if request.state != "open":
        return f"it is {request.state}"
    match action:
        case "approve":
            return "it already has every required approval" if request.approved and not request.reviewers else ""
        case "merge":
            return _merge_refusal(request)
        case "auto-merge":
            return "auto-merge is already on" if request.auto_merge else _draft_refusal(request)
        case "stop-auto-merge":
            return "" if request.auto_merge else "auto-merge is not on"
        case "update" | "close":
            return ""


def protected_by(request: PullRequest, fleet: Fleet) -> tuple[StageName, ...]:
    """Return the protected stages that its merge would change, in the fleet's order.

    All of them where it changes a file outside the folders of the stages (a chart, an ApplicationSet, CODEOWNERS), and
    where its changes are unknown.
    """
    unrelated_changes = None if "proposes" in request.unknown else request.unrelated_changes
    return protected_stages({key.stage for key, _ in request.proposes}, unrelated_changes, fleet)


def protected_stages(
    proposes: Iterable[StageName], unrelated_changes: Collection[UnrelatedChange] | None, fleet: Fleet
) -> tuple[StageName, ...]:
    """Return the protected stages that a branch changes, in the fleet's order.

    Args:
        proposes: the stages whose versions it changes.
        besides: what else it changes; None where that is unknown and may be anything.
        fleet: the stages of the fleet.
    """
    is_shared = unrelated_changes is None or any(one.stage is None for one in unrelated_changes)
    touched = {*proposes, *(one.stage for one in unrelated_changes or ())}
    return tuple(stage.name for stage in fleet.stages if stage.protected and (is_shared or stage.name in touched))


def changes_protected(request: PullRequest, action: PullAction, fleet: Fleet) -> tuple[StageName, ...]:
    """Return the protected stages an action may change: by merging, or by completing what its auto-merge waits for."""
    merges = action in {"merge", "auto-merge"} or (action in {"approve", "update"} and request.auto_merge)
    return protected_by(request, fleet) if merges else ()


def _merge_refusal(request: PullRequest) -> str:
    if request.draft:
        return _draft_refusal(request)
    if request.mergeable is False:
        return "it has conflicts with the branch"
    if request.checks == "failing":
        return "its checks are failing"
    if request.checks == "pending":
        return "its checks are still running"
    return "" if request.approved else "it is not approved"


def _draft_refusal(request: PullRequest) -> str:
    return "it is a draft" if request.draft else ""
