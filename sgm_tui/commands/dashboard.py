"""The dashboard: on the configured fleet (`sgm`), or on an embedded one (`sgm demo`)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgm_tui.errors import UsageError

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.last_seen import LastSeen
    from sgm_tui.ui.app import SgmApp

    ConfigLoader = Callable[[], Awaitable[Config]]
    Opening = Callable[[], AbstractContextManager[ConfigLoader]]


def has_terminal() -> bool:
    """Return whether somebody looks and types; a descriptor that is closed is nobody."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def require_screen(environ: Mapping[str, str]) -> None:
    """Refuse a terminal that only prints: it would show escape sequences instead of a dashboard.

    Raises:
        UsageError: TERM names no terminal that has a screen.
    """
    kind = environ.get("TERM", "")
    if kind in {"", "dumb", "unknown"}:
        shown = f"TERM={kind}" if kind else "TERM is not set"
        raise UsageError(
            f"this terminal cannot show the dashboard ({shown})",
            "Run `sgm status` to print the fleet once, or set TERM to your terminal's type, e.g. TERM=xterm-256color.",
        )


def run(arguments: argparse.Namespace) -> int:
    """Show the dashboard on the configured fleet, and return its exit code.

    Raises:
        ConfigError: there is no configuration, or it cannot be used.
    """
    from sgm_tui.commands.common import load_config
    from sgm_tui.commands.last_seen import find_last_seen_file
    from sgm_tui.store.last_seen_file import read_last_seen

    file = find_last_seen_file(arguments, os.environ)
    last_seen = read_last_seen(file, datetime.now(UTC)) if file is not None else None

    # Where this configuration was never used before, what is wrong with it is printed, instead of a screen.
    config = asyncio.run(load_config(arguments)) if last_seen is None else None

    async def load() -> Config:
        return config or await load_config(arguments)

    return asyncio.run(
        _show(
            lambda: contextlib.nullcontext(load),
            read_only=arguments.read_only,
            last_seen=last_seen,
            last_seen_file=file,
        )
    )


def run_demo(arguments: argparse.Namespace) -> int:
    """Start a sandbox in a process of its own, show the dashboard on it, and return its exit code.

    The sandbox starts first, and makes its fleet while the dashboard loads.
    """
    with contextlib.ExitStack() as sandbox:
        load = sandbox.enter_context(_embedded(arguments))
        return asyncio.run(_show(lambda: _closing(sandbox, load), read_only=arguments.read_only))


@contextlib.contextmanager
def _closing(sandbox: contextlib.ExitStack, load: ConfigLoader) -> Iterator[ConfigLoader]:
    """Give the configuration for the length of the block; the sandbox ends with it, before the event loop does.

    The loop waits for its threads, and one of them may still wait for the sandbox to be ready.
    """
    with sandbox:
        yield load


def print_demo(arguments: argparse.Namespace, status_arguments: argparse.Namespace) -> int:
    """Start a sandbox in a process of its own, and print its status once."""
    from sgm_tui.commands import status

    with _embedded(arguments) as load:
        return asyncio.run(status.look(load, status_arguments))


@contextlib.contextmanager
def _embedded(arguments: argparse.Namespace) -> Iterator[ConfigLoader]:
    from sgm_tui.commands.sandbox import list_fleet_options
    from sgm_tui.embedded import embedded_fleet

    with embedded_fleet(list_fleet_options(arguments)) as fleet:

        def load_config() -> Config:
            # In a thread: these modules load while the sandbox starts, and the screen stays responsive.
            from sgm_tui.commands.common import flags_of
            from sgm_tui.config.file import load

            return load(fleet.wait_for_config_file(), flags=flags_of(arguments), environ=os.environ)

        yield lambda: asyncio.to_thread(load_config)


async def _show(
    opening: Opening, *, read_only: bool, last_seen: LastSeen | None = None, last_seen_file: Path | None = None
) -> int:
    """Paint the first frame, then open the session it shows, and return the exit code of the application."""
    from sgm_tui.memory import defer_garbage_collection, share_one_heap

    defer_garbage_collection()
    from sgm_tui.fleet.snapshot import make_unconfirmed_snapshot
    from sgm_tui.ui.app import SgmApp

    theme, keymap = _looks()
    first = None if last_seen is None else make_unconfirmed_snapshot(last_seen, datetime.now(UTC))
    app = SgmApp(theme=theme, keymap=keymap, snapshot=first)
    running = asyncio.ensure_future(app.run_async())
    await _wait_for_first_frame(app, running)
    try:
        if not running.done():
            share_one_heap()
            with opening() as load:
                from sgm_tui.wiring import open_session

                session_opening = open_session(
                    load,
                    read_only=read_only,
                    opens_waves=True,
                    last_seen=last_seen,
                    last_seen_file=last_seen_file,
                )
                async with session_opening as session:
                    session.tell, session.tell_bug, session.end = app.say, app.report_bug, app.end_by
                    app.attend(session)
                    await running
    finally:
        if not running.done():
            app.exit(return_code=1)
        await running
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


async def _wait_for_first_frame(app: SgmApp, running: asyncio.Future[Any]) -> None:
    """Wait until the first frame is painted, or the application has ended before."""
    painted: asyncio.Future[Any] = asyncio.ensure_future(app.painted.wait())
    await asyncio.wait({running, painted}, return_when=asyncio.FIRST_COMPLETED)
    painted.cancel()


def _looks() -> tuple[str, Mapping[str, str]]:
    """Return the user's theme and keys; the reader of configuration loads only where there is something to read."""
    from sgm_tui.user_directories import user_file

    if not user_file(os.environ).is_file() and not any(name.startswith("SGM_") for name in os.environ):
        return "", {}
    from sgm_tui.config.file import load_user

    user = load_user(os.environ)
    return user.theme, user.keymap
