"""When a change may take the place of a pull request that wants something else in the same cells.

Only of one that we opened with sgm and nobody else worked on, and only when the new change moves every cell the old one
would have moved: otherwise closing the old one would lose what somebody wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import Superseded

_NAMED = 2


def proposed_version(request: PullRequest, key: CellKey) -> Version | None:
    """The version an open pull request wants in a cell; None where it does not touch it."""
    return next((version for one, version in request.proposes if one == key), None)


def why_not_replaceable(request: PullRequest, cells: Collection[CellKey]) -> str:
    """Why a change of these cells cannot take its place; "" when it can."""
    if "ours" in request.unknown:
        return "GitHub does not say who this token is, so whether it is ours is unknown"
    if not request.ours:
        return "it is not sgm's alone" + (", or somebody else opened it" if request.marked else "")
    others = [str(key) for key, _ in request.proposes if key not in cells]
    if not others:
        return ""
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"it also changes {', '.join(others[:_NAMED])}{more}"


def replaceable(changes: Sequence[Change], requests: Iterable[PullRequest]) -> tuple[Superseded, ...]:
    """The open pull requests these changes, written together, may take the place of.

    Args:
        changes: what one pull request will change.
        requests: the open ones.
    """
    wanted = {key: change.to_version for change in changes for key in change.cells}
    return tuple(
        Superseded(request.number, request.head, request.branch, request.url)
        for request in requests
        if any(wanted.get(key, version) != version for key, version in request.proposes)
        and not why_not_replaceable(request, wanted)
    )
