"""What `sgm promote`, `revert` and `plan` have in common: show a plan, ask, write it, and follow it to its end."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import output
from sgm_tui.commands.arguments import positive
from sgm_tui.commands.common import may_write
from sgm_tui.commands.following import already_there, follow, line_of, until_its_turn
from sgm_tui.errors import RefusedError, UsageError
from sgm_tui.fleet.model import Version, is_version
from sgm_tui.fleet.plans.plan import Change, Plan, Refusal, StagingResult
from sgm_tui.fleet.plans.proposal import ENDED, UNWRITTEN, Override, Preview, Progress, WriteOptions
from sgm_tui.fleet.plans.strategy import extras_of
from sgm_tui.permission import Consent
from sgm_tui.report.changes import Result, document, text, why
from sgm_tui.untrusted_text import one_line

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.gate import Gate
    from sgm_tui.session import LiveSession

_EXIT: dict[Result, int] = {"planned": 0, "opened": 0, "pushed": 0, "nothing": 0, "refused": 1, "failed": 3}
_WAIT_SECONDS = 3600.0
_UNKNOWN = (
    "  unknown never counts as pass: run sgm where the hub, the clusters and Prometheus are reachable "
    "(see `sgm help workflows`)"
)


class _Check(argparse.Action):
    """A dry run whose exit code is the answer."""

    def __call__(self, _: argparse.ArgumentParser, namespace: argparse.Namespace, *__: Any) -> None:
        namespace.check = namespace.dry_run = True


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that writes."""
    parser.add_argument("--dry-run", action="store_true", help="print the diff and the gates without writing")
    parser.add_argument(
        "--check",
        action=_Check,
        nargs=0,
        default=False,
        help="like --dry-run, but exit 1 if the write would be refused",
    )
    parser.add_argument("--yes", action="store_true", help="skip the confirmation")
    parser.add_argument(
        "--reason", default="", metavar="R", help="reason, recorded in the commit, pull request and audit log"
    )
    parser.add_argument("--override", action="store_true", help="override blocking gates; requires --reason")
    parser.add_argument(
        "--supersede",
        action="store_true",
        help="supersede (close) sgm's own open pull requests that propose another version",
    )
    parser.add_argument("--direct", action="store_true", help="push without a pull request, if policy.direct allows it")
    parser.add_argument("--wait", action="store_true", help="wait until every cell has settled or one has failed")
    parser.add_argument(
        "--timeout",
        type=positive,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help="timeout of --wait in seconds (default: 3600)",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="output format")


def add_strategy(parser: argparse.ArgumentParser) -> None:
    """The option for how it is rolled out."""
    parser.add_argument(
        "--strategy",
        default="",
        metavar="S",
        help="canary10-30-60, bluegreen, a name of policy.strategies, or the steps as JSON ([]: none)",
    )


def with_strategy(staged: StagingResult, name: str, config: Config) -> StagingResult:
    """What is staged, each change with a rollout strategy; "" and keep leave each file its own.

    Raises:
        UsageError: there is no such strategy.
    """
    if name in {"", "keep"}:
        return staged
    extras = extras_of(name, config.layout.image_key, config.policy.strategies)
    if isinstance(extras, Refusal):
        raise UsageError(f"--strategy: {extras.reason}")
    return StagingResult(tuple(replace(one, strategy=name, extras=extras) for one in staged.changes), staged.refusals)


def version(text: str) -> Version:
    """An argument that has to be a version."""
    if not is_version(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an image tag or digest")
    return Version(text)


async def carry_out(
    session: LiveSession,
    staged: StagingResult,
    arguments: argparse.Namespace,
    agreed: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Preview what is staged, and unless it is a dry run write all of it or nothing.

    `agreed` is called as soon as it is meant: not in a dry run, and not after a no; also where there is nothing to
    write, or a gate is in the way.
    """
    if not arguments.dry_run:
        may_write(arguments, session)
    started = time.monotonic()
    preview = await _previewed(session, staged, arguments)
    if arguments.wait and not arguments.dry_run:
        again = functools.partial(_previewed, session, staged, arguments)
        preview = await until_its_turn(session, preview, again, arguments.timeout)
    adopted = {one.number for one in preview.adopted}
    now = session.store.snapshot.generated_at
    result = _before_writing(preview, dry_run=arguments.dry_run)
    happened: list[Progress] = []
    if result is not None:
        _show(result, preview, (), now, arguments)
        if agreed is not None and not arguments.dry_run:
            await agreed()
        if arguments.dry_run or result != "nothing":
            return 1 if arguments.check and _refused(preview) else _EXIT[result]
    else:
        result, happened = await _agree_and_write(session, preview, arguments, agreed)
    if arguments.wait and result in {"opened", "pushed", "nothing"}:
        versions = already_there(session.store.snapshot, preview.refusals)
        versions |= {key: change.to_version for change in staged.changes for key in change.cells}
        numbers = adopted | {one.number for one in happened if one.number}
        return await follow(session, versions, numbers, max(arguments.timeout - (time.monotonic() - started), 0))
    return _EXIT[result]


async def _agree_and_write(
    session: LiveSession, preview: Preview, arguments: argparse.Namespace, agreed: Callable[[], Awaitable[None]] | None
) -> tuple[Result, list[Progress]]:
    """Show it, ask, and write it; how it ended, and the last word on each pull request."""
    now = session.store.snapshot.generated_at
    _must_be_direct(preview, arguments)
    if arguments.output == "text":
        output.data(text(preview, now))
    for proposal in preview.proposals:
        # Somebody said no to this once: whoever writes it again reads that last, with --yes too.
        if proposal.closed_earlier is not None:
            output.note(f"sgm: {proposal.title}: {proposal.closed_earlier.sentence}")
    if not arguments.yes and not await asyncio.to_thread(_confirm, preview):
        raise RefusedError("not confirmed: nothing was written")
    if agreed is not None:
        await agreed()
    happened = await _write(session, preview)
    result = _after_writing(happened)
    if arguments.output == "json":
        _show(result, preview, happened, now, arguments)
    return result, happened


async def _previewed(session: LiveSession, staged: StagingResult, arguments: argparse.Namespace) -> Preview:
    terms = WriteOptions(_override(arguments), arguments.reason, arguments.direct, arguments.supersede)
    plan = Plan().with_change(*staged.changes)
    preview = await session.services.promoter.preview(plan, session.store.snapshot, terms)
    return replace(preview, refusals=(*staged.refusals, *preview.refusals))


def _must_be_direct(preview: Preview, arguments: argparse.Namespace) -> None:
    indirect = {one.stage for one in preview.proposals if arguments.direct and not one.direct}
    if indirect:
        raise RefusedError(
            f"policy.direct does not list {', '.join(sorted(indirect))}: nothing was written", "Leave out --direct."
        )


def _override(arguments: argparse.Namespace) -> Override | None:
    if not arguments.override:
        return None
    if len(one_line(arguments.reason)) < 10:
        raise UsageError("--override needs a --reason of at least 10 characters", "Give the reason for the override.")
    return Override(arguments.reason)


def _before_writing(preview: Preview, *, dry_run: bool) -> Result | None:
    """How it ends without anything being written; None when there is something to write and it may be."""
    if dry_run and preview.proposals:
        return "planned"
    if _refused(preview):
        return "refused"
    return None if preview.proposals and not dry_run else "nothing"


def _refused(preview: Preview) -> bool:
    """Whether nothing of it may be written: all or nothing."""
    return any(not one.nothing for one in preview.refusals) or any(one.refused for one in preview.proposals)


def _after_writing(happened: Sequence[Progress]) -> Result:
    ends = {one.step for one in happened}
    if "failed" in ends:
        return "failed"
    if ends & {"blocked", "refused"}:
        return "refused"
    if ends & {"opened", "adopted"}:
        return "opened"
    return "pushed" if "pushed" in ends else "nothing"


async def _write(session: LiveSession, preview: Preview) -> list[Progress]:
    """Write what was confirmed: with --yes, or with a yes to what it shows, its stages with it."""
    happened: list[Progress] = []
    consent = Consent.to(preview.protected_stages(session.store.snapshot.fleet))
    async for progress in session.submit(preview, consent):
        happened.append(progress)
        output.note(line_of(progress))
    return [one for one in happened if one.step in ENDED | UNWRITTEN]


def _show(
    result: Result, preview: Preview, happened: Sequence[Progress], now: datetime, arguments: argparse.Namespace
) -> None:
    if arguments.output == "json":
        output.data(json.dumps(document(result, preview, happened), indent=2, ensure_ascii=False))
    else:
        output.data(text(preview, now))
    if result == "refused" or (arguments.check and _refused(preview)):
        _say_why(preview, now)


def _say_why(preview: Preview, now: datetime) -> None:
    """Print the reasons on stderr too, so that a log has them when stdout is parsed."""
    for refusal in preview.refusals:
        if not refusal.nothing:
            output.note(f"sgm: {refusal.path or 'refused'}: {refusal.reason}")
    for proposal in preview.proposals:
        if proposal.unwritable:
            output.note(f"sgm: {proposal.title}: {proposal.unwritable}")
    blocked = [gate for proposal in preview.proposals if proposal.refused for gate in proposal.blocked]
    for (name, reason, over), cells in _by_reason(blocked, now).items():
        output.note(f"sgm: {', '.join(cells)}: {name}: {reason} ({over})")
    if any(gate.result == "unknown" for gate in blocked):
        output.note(_UNKNOWN)


def _by_reason(blocked: Sequence[Gate], now: datetime) -> dict[tuple[str, str, str], list[str]]:
    """Group the blocking gates by reason, with the cells of each."""
    cells_by_reason: dict[tuple[str, str, str], list[str]] = {}
    for gate in blocked:
        over = "no override possible" if gate.level == "never" else "override it with --override --reason R"
        cells_by_reason.setdefault((gate.gate, why(gate, now), over), []).append(str(gate.cell))
    return cells_by_reason


def _confirm(preview: Preview) -> bool:
    count = len(preview.proposals)
    return output.confirm(f"Write {'this proposal' if count == 1 else f'these {count} proposals'}?")


def only_changes(outcomes: Sequence[Change | Refusal]) -> StagingResult:
    """What was found, sorted into what can be written and why not for the rest."""
    return StagingResult(
        tuple(one for one in outcomes if isinstance(one, Change)),
        tuple(one for one in outcomes if isinstance(one, Refusal)),
    )
