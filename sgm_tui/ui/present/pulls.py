"""Pull requests as text: one row each, and what still blocks the merge."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.ages import ago
from sgm_tui.ui.present.fit import hung
from sgm_tui.ui.present.glyphs import ARROW
from sgm_tui.ui.present.tones import Line, Part, Tone

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import PullRequest
    from sgm_tui.fleet.source import SourceHealth

HEADINGS = ("", "title", "by", "changes", "checks", "state", "age")
EXPENDABLE = (4, 3, 2)
"""Columns to drop if there is little room: the state covers the first, the title the second."""


def readiness(request: PullRequest, *, in_doubt: bool = False) -> Part:
    """Return the first condition that keeps it from merging, if any; `in_doubt` marks a state seen last."""
    word, tone = _readiness(request)
    return (f"? {word}", Tone.UNKNOWN) if in_doubt else (word, tone)


def _readiness(request: PullRequest) -> Part:
    if request.state != "open":
        return request.state, Tone.GOOD if request.state == "merged" else Tone.QUIET
    if request.draft:
        return "draft", Tone.QUIET
    if request.checks == "failing":
        return "checks failing", Tone.BAD
    if request.mergeable is False:
        return "has conflicts", Tone.BAD
    if request.checks == "pending":
        return "checks running", Tone.BUSY
    if not request.approved:
        return "needs approval", Tone.ATTENTION
    if request.mergeable is None:
        return "mergeability pending", Tone.BUSY
    return ("auto-merge on", Tone.GOOD) if request.auto_merge else ("ready to merge", Tone.GOOD)


def silent_github(snapshot: FleetSnapshot) -> SourceHealth | None:
    """Return GitHub's state while it does not respond; None while it does, was not asked yet or is not configured."""
    return next((one for one in snapshot.sources if one.source.kind == "forge" and one.state == "stale"), None)


def is_in_doubt(request: PullRequest, snapshot: FleetSnapshot) -> bool:
    """Return whether it may stand otherwise by now: an open one while GitHub does not respond."""
    return request.state == "open" and silent_github(snapshot) is not None


def pull_row(request: PullRequest, now: datetime, *, in_doubt: bool = False) -> tuple[Part, ...]:
    """Return a pull request as a row under `HEADINGS`."""
    checks = {"passing": Tone.GOOD, "failing": Tone.BAD, "pending": Tone.BUSY}.get(request.checks, Tone.QUIET)
    if in_doubt:
        checks = Tone.UNKNOWN
    return (
        (f"#{request.number}", Tone.STAGED),
        (request.title, Tone.TEXT),
        (request.author, Tone.QUIET),
        (_changes(request), Tone.TEXT),
        (_checks(request), checks),
        readiness(request, in_doubt=in_doubt),
        (ago(request.merged_at or request.created_at, now), Tone.QUIET),
    )


def pull_details(request: PullRequest, snapshot: FleetSnapshot, width: int) -> list[Line]:
    """Return everything about a pull request that its row has no room for, in `width` cells."""
    state: Line = (*_head("state"), readiness(request, in_doubt=is_in_doubt(request, snapshot)))
    standing = _standing(request, snapshot.generated_at)
    lines: list[Line] = [
        *hung(((f"#{request.number} ", Tone.STAGED),), request.title, Tone.STRONG, width),
        *_beside_or_below(state, standing, width),
        *_as_last_seen(request, snapshot, width),
        (*_head("link"), (request.url, Tone.TEXT)),
        (
            *_head("branch"),
            (request.branch, Tone.TEXT),
            (f" {request.head[:7]}", Tone.QUIET),
            ("  opened by sgm" if request.ours else "", Tone.STAGED),
        ),
        *hung(_head("reviewers"), ", ".join(request.reviewers) or _nobody_left(request), Tone.TEXT, width),
    ]
    if missing := [f"{name} {word}" for name, word in request.results if word != "success"]:
        lines += hung(_head("checks"), ", ".join(missing), Tone.ATTENTION, width)
    if request.labels:
        lines += hung(_head("labels"), ", ".join(request.labels), Tone.TEXT, width)
    for path in request.unrelated_changes:
        what = f"{path.path}: {', '.join(path.keys) or path.how}" if path.keys or path.how else path.path
        shared = "" if path.stage else "  (shared by every stage)"
        lines += hung(_head("and also"), f"{what}{shared}", Tone.ATTENTION, width)
    if "proposes" in request.unknown and request.state == "open":
        lines += hung(
            _head("changes"), "unknown: its commits are not in the local clone; see GitHub", Tone.UNKNOWN, width
        )
    for key, version in request.proposes:
        cell = snapshot.cells.get(key)
        wants = f"{cell.desired_version} {ARROW} " if cell is not None and request.state == "open" else ""
        where: Line = (*_head("changes"), (f"{key.service} {key.cluster}  ", Tone.TEXT), (wants, Tone.QUIET))
        lines.append((*where, (version, Tone.STAGED)))
    return lines


def _beside_or_below(head: Line, text: str, width: int) -> list[Line]:
    """Return `text` behind `head` if all of it fits there, else below it."""
    if sum(cell_len(part) for part, _ in head) + 2 + cell_len(text) <= width:
        return [(*head, (f"  {text}", Tone.QUIET))]
    return [head, *hung(_head(""), text, Tone.QUIET, width)]


def _as_last_seen(request: PullRequest, snapshot: FleetSnapshot, width: int) -> list[Line]:
    silent = silent_github(snapshot)
    if silent is None or not is_in_doubt(request, snapshot):
        return []
    why = f": {silent.short_reason}" if silent.short_reason else ""
    text = f"as last seen: GitHub not responding for {ago(silent.since, snapshot.generated_at)}{why}"
    return hung(_head(""), text, Tone.UNKNOWN, width)


def _head(word: str) -> Line:
    return ((f"{word:<11}", Tone.QUIET),)


def _standing(request: PullRequest, now: datetime) -> str:
    """Return checks, reviews, mergeability and age: what the one-word state is made of."""
    facts = [f"checks {_checks(request)}"] if _checks(request) else []
    if "approved" not in request.unknown:
        facts.append("approved" if request.approved else "not approved yet")
    if request.state == "open":
        fits = {True: "no conflicts", False: "conflicts", None: "mergeability not computed yet"}
        facts += [fits[request.mergeable], "auto-merge on"] if request.auto_merge else [fits[request.mergeable]]
    moment = request.merged_at or request.created_at
    if moment is not None:
        facts.append(f"{'merged' if request.merged_at else 'opened'} {ago(moment, now)} ago")
    return " · ".join(facts)


def nothing_open(snapshot: FleetSnapshot) -> list[Line]:
    """Return why the list is empty: none is open, GitHub is not configured, or it does not respond."""
    if any(one.source.kind == "forge" and one.state == "off" for one in snapshot.sources):
        return [
            (("GitHub is not configured: ", Tone.ATTENTION), ("pull requests are neither read nor opened.", Tone.TEXT)),
            (("Set github.repository in sgm.yaml and restart sgm.", Tone.QUIET),),
        ]
    if any(one.source.kind == "forge" and one.state == "waiting" for one in snapshot.sources):
        return [(("… waiting for GitHub's first answer", Tone.BUSY),)]
    silent = silent_github(snapshot)
    if silent is not None:
        why = f" {silent.short_reason}" if silent.short_reason else ""
        return [(("GitHub is not responding: open pull requests are unknown.", Tone.UNKNOWN), (why, Tone.QUIET))]
    return [(("No pull request touches the fleet.", Tone.QUIET),)]


def _changes(request: PullRequest) -> str:
    """Return what it changes: "checkout prod v1.4.2", or a count; "+" if it changes more than versions."""
    return _moves(request) + (" +" if request.unrelated_changes and request.proposes else "")


def _moves(request: PullRequest) -> str:
    moves = Counter((key.service, key.stage, version) for key, version in request.proposes)
    if len(moves) == 1:
        ((service, stage, version), count) = next(iter(moves.items()))
        return f"{service} {stage} {version}" + (f" ×{count}" if count > 1 else "")
    if "proposes" in request.unknown:
        return "unknown"
    return f"{len(request.proposes)} cells" if request.proposes else "nothing in the matrix"


def _checks(request: PullRequest) -> str:
    """Return all checks in one word; unknown is not "none", and "" if it has ended."""
    if "checks" in request.unknown:
        return "unknown" if request.state == "open" else ""
    return request.checks or "none"


def _nobody_left(request: PullRequest) -> str:
    """Return whether no reviewer is requested any more."""
    return "none pending" if request.approved or request.state != "open" else "none requested"
