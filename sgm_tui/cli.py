"""The command line: arguments in, an exit code out. The only place that prints or exits.

Exit codes (design §6): 0 done · 1 the answer is no · 2 wrong usage or configuration · 3 something could not be
reached · 4 refused · 130 interrupted. Data goes to stdout, diagnostics to stderr. Libraries are imported by the
command that needs them, so that the dashboard paints before it knows a cluster.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sgm_tui import __version__
from sgm_tui.commands.arguments import name
from sgm_tui.commands.completed_names import NAME_KINDS, name_completion
from sgm_tui.commands.table import COMMANDS, MODULES
from sgm_tui.errors import SgmError, UsageError
from sgm_tui.untrusted_text import clean

Action = TypeVar("Action", bound=argparse.Action)

INTERRUPTED = 130
_GIVEN = NAME_KINDS.keys() | {"L", "SHA", "V", "ID", "PATH|URL"}
"""What arguments are called that narrow what is meant: empty, they would mean everything."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _, _, command = self.prog.partition(" ")
        raise UsageError(f"{command}: {message}" if command else message, f"Try: {self.prog} --help")

    def _add_action(self, action: Action) -> Action:
        """Services, stages and clusters are completed by name, wherever they are asked for, and never empty."""
        if action.metavar in NAME_KINDS:
            vars(action)["complete"] = name_completion(action.metavar)
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
    arguments = _parser(given).parse_args(given)
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


def _parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Return the command line: every command with its arguments, or only those among `words`, the others by name."""
    shared = _Parser(add_help=False)
    _global_options(shared, default=argparse.SUPPRESS)
    parser = _Parser(prog="sgm", description="The terminal cockpit of a GitOps platform.")
    _global_options(parser, default=None)
    parser.add_argument("-V", "--version", action="version", version=f"sgm {__version__}")
    parser.set_defaults(run=_dashboard)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for command, purpose in COMMANDS.items():
        if words is not None and command not in words:
            commands.add_parser(command, help=purpose, add_help=False)
        elif command == "demo":
            _add_demo(commands, shared)
        else:
            module = importlib.import_module(f"sgm_tui.commands.{MODULES.get(command, command)}")
            takes_parser = command in {"completion", "help"}
            module.add(commands, shared, _parser) if takes_parser else module.add(commands, shared)
    return parser


def _add_demo(commands: Any, shared: argparse.ArgumentParser) -> None:
    from sgm_tui.commands.sandbox import add_fleet_options

    demo = commands.add_parser("demo", parents=[shared], help=COMMANDS["demo"])
    add_fleet_options(demo)
    demo.set_defaults(run=_demo)


def _global_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    group = parser.add_argument_group("everywhere")
    off = default if default is argparse.SUPPRESS else False
    group.add_argument("--config", type=Path, metavar="PATH", default=default, help="the team's sgm.yaml")
    group.add_argument("--repo", metavar="PATH|URL", default=default, help="the GitOps repository (overrides sgm.yaml)")
    group.add_argument("--read-only", action="store_true", default=off, help="read-only: change nothing")
    group.add_argument("--no-color", action="store_true", default=off, help="disable colour")
    group.add_argument("--log-file", type=Path, metavar="PATH", default=default, help="write diagnostics to this file")


def _dashboard(arguments: argparse.Namespace) -> int:
    """Show the dashboard on the configured fleet; where nobody can look at it, print the status once."""
    from sgm_tui.commands import dashboard

    if not dashboard.has_terminal():
        return main([*_given(arguments), "status"])
    dashboard.require_screen(os.environ)
    return dashboard.run(arguments)


def _demo(arguments: argparse.Namespace) -> int:
    """Show the dashboard on an embedded fleet; without a terminal, print its status once.

    A terminal that only prints is refused either way: nobody would see the demo.
    """
    from sgm_tui.commands import dashboard

    dashboard.require_screen(os.environ)
    if dashboard.has_terminal():
        return dashboard.run_demo(arguments)
    return dashboard.print_demo(arguments, _parser({"status"}).parse_args(["status"]))


def _given(arguments: argparse.Namespace) -> list[str]:
    """The global options as they were written, for a command run in another's place."""
    given = [f"--config={arguments.config}"] if arguments.config else []
    return [*given, f"--repo={arguments.repo}"] if arguments.repo else given
