"""Decide whether a change may supersede an open pull request that proposes another version for the same cells.

It may only supersede one that we opened with sgm and nobody else changed, and only when the new change covers all of
its cells: otherwise closing it would lose a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Superseded

_NAMED = 2


def proposed_version(request: PullRequest, key: CellKey) -> Version | None:
    """Return the version that a pull request proposes for a cell; None where it does not change the cell."""
    return next((version for one, version in request.proposes if one == key), None)


def why_not_replaceable(request: PullRequest, cells: Collection[CellKey]) -> str:
    """Return why a change of these cells cannot supersede it; "" when it can."""
    if "ours" in request.unknown:
        return "GitHub does not say who this token is, so whether it is ours is unknown"
    if not request.ours:
        return "it is not sgm's alone" + (", or somebody else opened it" if request.marked else "")
    uncovered = [str(key) for key, _ in request.proposes if key not in cells]
    if not uncovered:
        return ""
    more = f" and {len(uncovered) - _NAMED} more" if len(uncovered) > _NAMED else ""
    return f"it also changes {', '.join(uncovered[:_NAMED])}{more}"


def find_replaceable(changes: Sequence[Change], requests: Iterable[PullRequest]) -> tuple[Superseded, ...]:
    """Return the open pull requests that these changes, written together, may supersede.

    Args:
        changes: what one pull request will change.
        requests: the open pull requests.
    """
    versions = {key: change.to_version for change in changes for key in change.cells}
    return tuple(
        Superseded(request.number, request.head, request.branch, request.url)
        for request in requests
        if any(versions.get(key, version) != version for key, version in request.proposes)
        and not why_not_replaceable(request, versions)
    )
