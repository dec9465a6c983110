"""What every command needs: the configuration its flags ask for, and a session that has heard every source."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import difflib
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sgm_tui.commands import output
from sgm_tui.errors import RefusedError, UnreachableError, UsageError
from sgm_tui.fleet.completeness import EVERYTHING, UNCONFIGURED, Selection, git_unavailable_reason

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.session import LiveSession


def flags_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The global options that outrank every file, by their configuration key."""
    flags: dict[str, str] = {}
    if arguments.repo:
        flags["repository.url"] = arguments.repo
    if arguments.read_only:
        flags["read_only"] = "true"
    return flags


async def load_config(arguments: argparse.Namespace) -> Config:
    """The configuration these arguments ask for.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    from sgm_tui.config.file import load
    from sgm_tui.threads import Lane, run_in

    return await run_in(Lane.CREDENTIALS, load, arguments.config, flags=flags_of(arguments), environ=os.environ)


@contextlib.asynccontextmanager
async def settled_session(
    arguments: argparse.Namespace, *, read_only: bool = False, selection: Selection = EVERYTHING
) -> AsyncIterator[tuple[LiveSession, FleetSnapshot]]:
    """A session for the length of the block, and the first snapshot in which every source of `selection` has answered.

    Raises:
        UnreachableError: the configuration could not be read in time.
        SgmError: nothing can be shown at all.
    """
    from sgm_tui.wiring import open_session

    async with open_session(lambda: load_config(arguments), read_only=read_only) as session:
        waiting = asyncio.create_task(_say_if_cloning(session))
        try:
            snapshot = await session.settled(selection=selection)
        finally:
            waiting.cancel()
        if session.error is not None:
            raise session.error
        if not snapshot.sources:
            raise UnreachableError(UNCONFIGURED, "Nothing was changed. Try again.")
        await session.wait_for_services()
        yield session, snapshot


async def _say_if_cloning(session: LiveSession) -> None:
    """Tell a person why nothing happens: the first time the repository is fetched whole."""
    await asyncio.sleep(_CLONE_NOTE_SECONDS)
    if git_unavailable_reason(session.store.snapshot):
        output.note("sgm: still fetching the repository (the first fetch is a full clone)")


def must_know_git(snapshot: FleetSnapshot) -> None:
    """Without the repository there is nothing to plan.

    Raises:
        UnreachableError: git did not answer.
    """
    for health in snapshot.sources:
        if health.source.kind == "git" and health.state != "fresh":
            raise UnreachableError(
                f"the GitOps repository did not answer: {health.reason or 'no answer in time'}",
                "Check repository.url in sgm.yaml.",
            )


def may_write(arguments: argparse.Namespace, session: LiveSession | None = None) -> None:
    """A mutation nobody looks at needs to be asked for explicitly; nobody is asked for what is refused anyway.

    A session knows what the configuration says, too.

    Raises:
        RefusedError: read-only.
        UsageError: there is no terminal to ask on, and no --yes.
    """
    if arguments.read_only:
        raise RefusedError("read-only: nothing is written", "Leave out --read-only.")
    if session is not None and session.read_only:
        raise RefusedError(
            "read-only: nothing is written",
            "read_only is set in sgm.yaml, in your own configuration or as SGM_READ_ONLY.",
        )
    if not arguments.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        instead = ", or --dry-run to see what it would do" if "dry_run" in arguments else ""
        raise UsageError("cannot ask for confirmation without a terminal", f"Add --yes to confirm in advance{instead}.")


_CLONE_NOTE_SECONDS = 20.0


def one_of(kind: str, value: str, known: Iterable[str]) -> None:
    """Refuse a name that does not exist, and say the nearest that does.

    Raises:
        UsageError: it does not exist.
    """
    names = list(known)
    if value not in names:
        raise UsageError(f"there is no {kind} {value}", nearest(value, names))


def nearest(value: str, names: Sequence[str]) -> str:
    """The name that was probably meant, or every one there is."""
    close = difflib.get_close_matches(value, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(names) or 'none'}"


def check_names(snapshot: FleetSnapshot, requested: Mapping[str, Iterable[str] | None]) -> None:
    """Refuse services, stages and clusters that do not exist.

    Raises:
        UsageError: one does not exist.
        UnreachableError: whether it exists is not known: what names it has not answered.
    """
    if not snapshot.sources:
        raise UnreachableError(UNCONFIGURED, "Try again.")
    existing: dict[str, list[str]] = {
        "service": list(snapshot.services),
        "stage": [stage.name for stage in snapshot.fleet.stages],
        "cluster": [cluster.name for cluster in snapshot.fleet.clusters],
    }
    for kind, values in requested.items():
        for value in values or ():
            if kind == "service" and value not in existing[kind]:
                must_have_answered(snapshot, f"there is a service {value}")
            one_of(kind, value, existing[kind])


def must_have_answered(snapshot: FleetSnapshot, what: str) -> None:
    """Refuse to conclude from silence that something is not there.

    Raises:
        UnreachableError: whether `what` is so is not known, because git has not answered.
    """
    if reason := git_unavailable_reason(snapshot):
        raise UnreachableError(f"whether {what} is not known: {reason}", "Nothing was changed. Try again.")


def check_places(snapshot: FleetSnapshot, service: str | None, stage: str | None, clusters: Sequence[str]) -> None:
    """Refuse a place that cannot be: names that exist one by one, and not together.

    Raises:
        UsageError: there is no such cell; it says where the nearest are.
        UnreachableError: whether there is one is not known.
    """
    for cluster in clusters:
        home = next((one.stage for one in snapshot.fleet.clusters if one.name == cluster), stage)
        if stage and home != stage:
            siblings = [one.name for one in snapshot.fleet.clusters if one.stage == stage]
            raise UsageError(f"{cluster} is a cluster of {home}, not of {stage}", nearest(cluster, siblings))
    keys = [key for key in snapshot.cells if not service or key.service == service]
    for where in (*clusters, *((stage,) if stage and not clusters else ())):
        if not any(where in {key.stage, key.cluster} for key in keys):
            places = list(dict.fromkeys(str(key.cluster if clusters else key.stage) for key in keys))
            what = service or "no service"
            must_have_answered(snapshot, f"{service or 'any service'} is deployed in {where}")
            raise UsageError(f"{what} is{' not' if service else ''} deployed in {where}", nearest(where, places))
