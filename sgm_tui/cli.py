"""The command line: arguments in, an exit code out. The only place that prints or exits.

Exit codes (design §6): 0 done · 1 the answer is no · 2 wrong usage or configuration · 3 something could not be
reached · 4 refused · 130 interrupted. Data goes to stdout, diagnostics to stderr. Libraries are imported by the
command that needs them, so that the dashboard paints before it knows a cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sgm_tui import __version__
from sgm_tui.commands.arguments import count, name, positive
from sgm_tui.errors import SgmError, UsageError
from sgm_tui.untrusted_text import clean

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.fleet.last_seen import LastSeen
    from sgm_tui.ui.app import SgmApp

    ConfigLoader = Callable[[], Awaitable[Config]]
    Opening = Callable[[], AbstractContextManager[ConfigLoader]]

Action = TypeVar("Action", bound=argparse.Action)

INTERRUPTED = 130
_NAMED = frozenset({"SERVICE", "STAGE", "C", "CLUSTER"})
"""What arguments are called whose values the configuration or git knows."""
_GIVEN = _NAMED | {"L", "SHA", "V", "ID", "PATH|URL"}
"""What arguments are called that narrow what is meant: empty, they would mean everything."""
_SCENARIOS = ("calm", "release", "bad-canary", "drift", "outage", "storm")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _, _, command = self.prog.partition(" ")
        raise UsageError(f"{command}: {message}" if command else message, f"Try: {self.prog} --help")

    def _add_action(self, action: Action) -> Action:
        """Services, stages and clusters are completed by name, wherever they are asked for, and never empty."""
        if action.metavar in _NAMED:
            from sgm_tui.commands.completion import completes

            vars(action)["complete"] = completes(action.metavar)
        if action.metavar in _GIVEN and action.type is None:
            action.type = name
        return super()._add_action(action)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `sgm` and return its exit code."""
    _fill_descriptors()
    return outcome(lambda: _run(sys.argv[1:] if argv is None else list(argv)))


def _fill_descriptors() -> None:
    """Where a standard descriptor is closed (`>&-`, some daemons), the next file opened would take its number, and a
    child of ours would write its complaints into the journal. Nothing is read, diagnostics are dropped, and writing
    data fails, as it should."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _run(given: list[str]) -> int:
    arguments = _parser(small=given[:1] == ["demo"]).parse_args(given)
    _start_logging(arguments.log_file)
    if arguments.no_color:
        os.environ["NO_COLOR"] = "1"
    elif os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]  # set to nothing, it asks for nothing (no-color.org)
    run: int = arguments.run(arguments)
    return run


def outcome(run: Callable[[], int]) -> int:
    """The exit code of what is run; whatever ends it otherwise is said in a line."""
    try:
        return run()
    except SgmError as error:
        _complain(f"sgm: {error.message}", error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left (`sgm status | head`); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        logging.getLogger("sgm").exception("sgm crashed: a bug in sgm")
        _report(error)
        return 1


def _report(error: Exception) -> None:
    """What happened in a line, and where the rest of it is; a traceback is for nobody's screen."""
    from sgm_tui.crash import one_line, write_report

    try:
        file = write_report(error, __version__, os.environ)
    except OSError as problem:
        hint = f"No crash report: {problem}. Run the command again with --log-file FILE."
    else:
        hint = f"Crash report (no secrets): {file}. Please report this bug."
    _complain(f"sgm crashed (bug): {clean(one_line(error, os.environ))}", hint)


def _complain(message: str, hint: str) -> None:
    from sgm_tui.commands import output

    output.note(f"{message}\n  {hint}" if hint else message)


def _start_logging(file: Path | None) -> None:
    """Log to a file or nowhere; a library's warning on the terminal would tear the screen."""
    handler: logging.Handler = logging.NullHandler()
    if file is not None:
        from sgm_tui.log_file import LogFileHandler

        try:
            handler = LogFileHandler(file)
        except OSError as error:
            raise UsageError(f"--log-file {file}: {error.strerror}", "Name a writable file.") from error
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def _parser(*, small: bool = False) -> argparse.ArgumentParser:
    """Every command; a `small` one knows only those that need no other module, for the first frame's sake."""
    shared = _Parser(add_help=False)
    _global_options(shared, default=argparse.SUPPRESS)
    parser = _Parser(prog="sgm", description="The terminal cockpit of a GitOps platform.")
    _global_options(parser, default=None)
    parser.add_argument("-V", "--version", action="version", version=f"sgm {__version__}")
    parser.set_defaults(run=_dashboard)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    demo = commands.add_parser("demo", parents=[shared], help="run an embedded demo fleet and open its dashboard")
    _sandbox_options(demo)
    demo.set_defaults(run=_demo)
    sandbox = commands.add_parser("sandbox", parents=[shared], help="serve the embedded demo fleet until interrupted")
    _sandbox_options(sandbox)
    sandbox.add_argument(
        "--ready-file", type=Path, metavar="F", help="also write the ready line to this file, atomically"
    )
    sandbox.add_argument("--directory", type=Path, metavar="D", help="working directory (default: a new one)")
    sandbox.add_argument(
        "--port", type=_port, default=0, metavar="N", help="port to listen on (default: any free port)"
    )
    sandbox.add_argument("--parent-pid", type=int, default=0, help=argparse.SUPPRESS)
    sandbox.set_defaults(run=_sandbox)
    if not small:
        _add_commands(commands, shared)
    return parser


def _add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    from sgm_tui.commands import audit, completion, history, lint, manual, plan, promote, prs, revert, rollout, status

    for command in (status, promote, revert, rollout, plan, prs, history, audit, lint):
        command.add(commands, shared)
    completion.add(commands, shared, _parser)
    manual.add(commands, shared, _parser)


def _global_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    group = parser.add_argument_group("everywhere")
    off = default if default is argparse.SUPPRESS else False
    group.add_argument("--config", type=Path, metavar="PATH", default=default, help="the team's sgm.yaml")
    group.add_argument("--repo", metavar="PATH|URL", default=default, help="the GitOps repository (overrides sgm.yaml)")
    group.add_argument("--read-only", action="store_true", default=off, help="read-only: change nothing")
    group.add_argument("--no-color", action="store_true", default=off, help="disable colour")
    group.add_argument("--log-file", type=Path, metavar="PATH", default=default, help="write diagnostics to this file")


def _sandbox_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--services", type=count, metavar="N", help="number of services (default: the bundled ones)")
    parser.add_argument("--clusters", type=count, metavar="M", help="number of clusters (default: the bundled ones)")
    parser.add_argument("--seed", default="sgm", metavar="S", help="seed of the generated fleet (default: sgm)")
    parser.add_argument(
        "--speed", type=positive, default=10.0, metavar="X", help="run durations X times faster (default: 10)"
    )
    parser.add_argument(
        "--scenario", choices=_SCENARIOS, default="release", help="scenario to simulate (default: release)"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _dashboard(arguments: argparse.Namespace) -> int:
    """The dashboard on the configured fleet; where nobody can look at it, the status once."""
    if not _has_terminal():
        return int(main([*_given(arguments), "status"]))
    _require_screen(os.environ)
    from sgm_tui.commands.common import load_config
    from sgm_tui.commands.last_seen import find_last_seen_file
    from sgm_tui.store.last_seen_file import read_last_seen

    file = find_last_seen_file(arguments, os.environ)
    last_seen = read_last_seen(file) if file is not None else None

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


def _demo(arguments: argparse.Namespace) -> int:
    """Start the sandbox in a process of its own and show the dashboard on it; without a terminal, the status once.

    A terminal that only prints is refused either way: nobody would see the demo.
    """
    _require_screen(os.environ)
    if _has_terminal():
        return asyncio.run(_show(lambda: _embedded(arguments), read_only=arguments.read_only))
    from sgm_tui.commands import status

    with _embedded(arguments) as load:
        return asyncio.run(status.look(load, _parser().parse_args(["status"])))


@contextlib.contextmanager
def _embedded(arguments: argparse.Namespace) -> Iterator[ConfigLoader]:
    from sgm_tui.embedded import embedded_fleet

    with embedded_fleet(_sandbox_flags(arguments)) as fleet:

        def load_config() -> Config:
            # In a thread: these modules load while the sandbox starts, and the screen stays responsive.
            from sgm_tui.commands.common import flags_of
            from sgm_tui.config.file import load

            return load(fleet.wait_for_config_file(), flags=flags_of(arguments), environ=os.environ)

        yield lambda: asyncio.to_thread(load_config)


def _sandbox(arguments: argparse.Namespace) -> int:
    from sgm_tui.sandbox.server import SandboxOptions, run_sandbox

    options = SandboxOptions(
        services=arguments.services,
        clusters=arguments.clusters,
        seed=arguments.seed,
        speed=arguments.speed,
        scenario=arguments.scenario,
        directory=arguments.directory,
        port=arguments.port,
        ready_file=arguments.ready_file,
        parent_pid=arguments.parent_pid,
    )
    try:
        return run_sandbox(options)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UsageError(
            f"sgm sandbox: {where}{error.strerror or error}", "Check --directory, --port and --ready-file."
        ) from error


async def _show(
    opening: Opening, *, read_only: bool, last_seen: LastSeen | None = None, last_seen_file: Path | None = None
) -> int:
    """The screen first; what it shows, and the process behind it, once there is something to look at."""
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
    """A person's theme and keys; the reader of configuration is only loaded where there is something to read."""
    from sgm_tui.resources import user_file

    if not user_file(os.environ).is_file() and not any(name.startswith("SGM_") for name in os.environ):
        return "", {}
    from sgm_tui.config.file import load_user

    user = load_user(os.environ)
    return user.theme, user.keymap


def _given(arguments: argparse.Namespace) -> list[str]:
    """The global options as they were written, for a command run in another's place."""
    given = [f"--config={arguments.config}"] if arguments.config else []
    return [*given, f"--repo={arguments.repo}"] if arguments.repo else given


def _sandbox_flags(arguments: argparse.Namespace) -> list[str]:
    flags = [f"--seed={arguments.seed}", f"--speed={arguments.speed}", f"--scenario={arguments.scenario}"]
    if arguments.services:
        flags.append(f"--services={arguments.services}")
    if arguments.clusters:
        flags.append(f"--clusters={arguments.clusters}")
    return flags


def _has_terminal() -> bool:
    """Whether somebody looks and types; a descriptor that is closed is nobody."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _require_screen(environ: Mapping[str, str]) -> None:
    """A terminal that only prints would show escape sequences instead of a dashboard."""
    kind = environ.get("TERM", "")
    if kind in {"", "dumb", "unknown"}:
        said = f"TERM={kind}" if kind else "TERM is not set"
        raise UsageError(
            f"this terminal cannot show the dashboard ({said})",
            "Run `sgm status` to print the fleet once, or set TERM to your terminal's type, e.g. TERM=xterm-256color.",
        )
