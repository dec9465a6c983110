"""`sgm prs`: list and act on pull requests that change the fleet, and what may be done to them."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import output
from sgm_tui.commands.arguments import count
from sgm_tui.commands.common import check_names, may_write, must_have_answered, settled_session
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import RefusedError, UnreachableError, UsageError
from sgm_tui.fleet.ages import age
from sgm_tui.fleet.completeness import Selection
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.pull_request_actions import ACTION_NAMES, PullAction, changes_protected, refusal_reason
from sgm_tui.permission import Consent
from sgm_tui.report.status import time_text
from sgm_tui.report.tables import align

if TYPE_CHECKING:
    from sgm_tui.fleet.snapshot import FleetSnapshot

_NAMED = 3
"""So many shared files are named."""
_ACTIONS: tuple[PullAction, ...] = tuple(ACTION_NAMES)


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("prs", parents=[shared], help=COMMANDS["prs"])
    parser.add_argument("what", nargs="?", choices=("list", *_ACTIONS), default="list", help="action (default: list)")
    parser.add_argument("number", nargs="?", type=count, metavar="NUMBER", help="number of the pull request")
    parser.add_argument("--service", metavar="SERVICE", help="only those that change this service")
    parser.add_argument("--stage", metavar="STAGE", help="only those that change this stage")
    parser.add_argument("--yes", action="store_true", help="skip the confirmation")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="output format")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them, or do what was asked for; the exit code of design §6."""
    if arguments.what == "list" and arguments.number is not None:
        raise UsageError("sgm prs: list takes no number", "Try: sgm prs, or sgm prs merge 57")
    if arguments.what != "list" and arguments.number is None:
        raise UsageError("sgm prs: an action needs the number of a pull request", "Try: sgm prs merge 57")
    if arguments.what != "list":
        may_write(arguments)
    return asyncio.run(_prs(arguments))


async def _prs(arguments: argparse.Namespace) -> int:
    looks, sources = arguments.what == "list", Selection(kinds=frozenset({"git", "forge"}))
    async with settled_session(arguments, read_only=looks, selection=sources) as (session, snapshot):
        _must_know_forge(snapshot)
        if arguments.what == "list":
            return _list(snapshot, arguments)
        request = next((one for one in snapshot.pull_requests if one.number == arguments.number), None)
        if request is None:
            must_have_answered(snapshot, f"pull request #{arguments.number} touches the fleet")
            raise UsageError(f"there is no pull request #{arguments.number} that touches the fleet", "sgm prs")
        may_write(arguments, session)
        reason = refusal_reason(request, arguments.what)
        if reason:
            _say(request, arguments, "refused", reason)
            output.note(f"sgm: #{request.number} {request.title}: not done: {reason}")
            return 1
        locked = changes_protected(request, arguments.what, snapshot.fleet)
        if locked:
            output.note(f"sgm: {_why_protected(request, locked)}")
        if not arguments.yes and not await asyncio.to_thread(_confirm, request, arguments.what, locked):
            raise RefusedError("not confirmed: nothing was done")
        consent = Consent.to(locked)
        _say(
            request, arguments, "done", await session.act_on_pull(request.number, request.head, arguments.what, consent)
        )
        return 0


def _say(request: PullRequest, arguments: argparse.Namespace, result: str, text: str) -> None:
    """What became of an action: for programs always, for people what was done."""
    if arguments.output == "json":
        done = {"schema": 1, "number": request.number, "action": arguments.what, "result": result, "text": text}
        output.data(json.dumps(done, indent=2, ensure_ascii=False))
    elif result == "done":
        output.data(text)


def _confirm(request: PullRequest, action: PullAction, locked: Sequence[str]) -> bool:
    """Ask for a yes, or for the names of the protected stages it changes, as the dashboard does."""
    question = f"#{request.number} {request.title} by {request.author}: {ACTION_NAMES[action]}?"
    return output.typed(question, " ".join(locked)) if locked else output.confirm(question)


def _why_protected(request: PullRequest, locked: Sequence[str]) -> str:
    """Which protected stages change, and through which files that other stages share."""
    shared = [one.path for one in request.unrelated_changes if one.stage is None]
    more = f" and {len(shared) - _NAMED} more" if len(shared) > _NAMED else ""
    through = f" through {', '.join(shared[:_NAMED])}{more}, which every stage shares" if shared else ""
    merges = ", and auto-merge is on" if request.auto_merge else ""
    return f"#{request.number} changes {' and '.join(locked)}{through}{merges}"


def _must_know_forge(snapshot: FleetSnapshot) -> None:
    for health in snapshot.sources:
        if health.source.kind == "forge" and health.state != "fresh":
            raise UnreachableError(
                f"GitHub did not answer: {health.reason or 'no answer in time'}",
                "Check github.* in sgm.yaml: sgm help configuration.",
            )


def _list(snapshot: FleetSnapshot, arguments: argparse.Namespace) -> int:
    names = {name: getattr(arguments, name) for name in ("service", "stage")}
    check_names(snapshot, {name: [value] if value else () for name, value in names.items()})
    requests = [one for one in snapshot.pull_requests if _is_selected(one, names)]
    if arguments.output == "json":
        document = {"schema": 1, "pull_requests": [_document(one) for one in requests]}
        output.data(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        rows = [_row(one, snapshot.generated_at) for one in requests]
        output.data("\n".join(align([("NUMBER", "STATE", "CHECKS", "APPROVED", "AGE", "BY", "TITLE", "NEXT"), *rows])))
    return 0


def _is_selected(request: PullRequest, names: dict[str, str | None]) -> bool:
    return all(
        not value or any(getattr(key, name) == value for key, _ in request.proposes) for name, value in names.items()
    )


def _row(request: PullRequest, now: datetime) -> tuple[str, ...]:
    stopped = refusal_reason(request, "merge")
    since = request.merged_at or request.created_at
    return (
        f"#{request.number}",
        request.state,
        _unread(request) if "checks" in request.unknown else request.checks or "none",
        _unread(request) if "approved" in request.unknown else "yes" if request.approved else "no",
        age(now - since) if since else "-",
        request.author,
        request.title,
        "" if request.state != "open" else stopped or ("auto-merge on" if request.auto_merge else "can be merged"),
    )


def _unread(request: PullRequest) -> str:
    """What is shown of checks and approval nobody read: of one that ended nothing, because they decide nothing more."""
    return "unknown" if request.state == "open" else "-"


def _document(request: PullRequest) -> dict[str, Any]:
    return {
        "number": request.number,
        "title": request.title,
        "url": request.url,
        "author": request.author,
        "branch": request.branch,
        "head": request.head,
        "state": request.state,
        "draft": request.draft,
        "checks": request.checks or None,
        "check_results": None if "checks" in request.unknown else _results(request),
        "approved": None if "approved" in request.unknown else request.approved,
        "mergeable": request.mergeable,
        "auto_merge": request.auto_merge,
        "labels": list(request.labels),
        "reviewers": list(request.reviewers),
        "created_at": time_text(request.created_at),
        "merged_at": time_text(request.merged_at),
        "merge_commit": request.merge_commit or None,
        "proposes": None if "proposes" in request.unknown else _proposes(request),
        "besides": [
            {"path": one.path, "keys": list(one.keys), "how": one.how or None} for one in request.unrelated_changes
        ],
        "not_mergeable_because": refusal_reason(request, "merge") or None,
    }


def _results(request: PullRequest) -> list[dict[str, str]]:
    return [{"name": name, "result": word} for name, word in request.results]


def _proposes(request: PullRequest) -> list[dict[str, str]]:
    return [
        {"service": key.service, "stage": key.stage, "cluster": key.cluster, "version": version}
        for key, version in request.proposes
    ]
