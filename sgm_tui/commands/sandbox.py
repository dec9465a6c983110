"""`sgm sandbox`: serve the embedded demo fleet until interrupted; and the options that `sgm demo` shares with it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sgm_tui.commands.arguments import count, positive
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import UsageError

_SCENARIOS = ("calm", "release", "bad-canary", "drift", "outage", "storm")


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("sandbox", parents=[shared], help=COMMANDS["sandbox"])
    add_fleet_options(parser)
    parser.add_argument(
        "--ready-file", type=Path, metavar="F", help="also write the ready line to this file, atomically"
    )
    parser.add_argument("--directory", type=Path, metavar="D", help="working directory (default: a new one)")
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port to listen on (default: any free port)")
    parser.add_argument("--parent-pid", type=int, default=0, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def add_fleet_options(parser: argparse.ArgumentParser) -> None:
    """Declare what decides which fleet is served."""
    parser.add_argument("--services", type=count, metavar="N", help="number of services (default: the bundled ones)")
    parser.add_argument("--clusters", type=count, metavar="M", help="number of clusters (default: the bundled ones)")
    parser.add_argument("--seed", default="sgm", metavar="S", help="seed of the generated fleet (default: sgm)")
    parser.add_argument(
        "--speed", type=positive, default=10.0, metavar="X", help="run durations X times faster (default: 10)"
    )
    parser.add_argument(
        "--scenario", choices=_SCENARIOS, default="release", help="scenario to simulate (default: release)"
    )


def list_fleet_options(arguments: argparse.Namespace) -> list[str]:
    """Return the options of `add_fleet_options` as they were given, for the sandbox in a process of its own."""
    options = [f"--seed={arguments.seed}", f"--speed={arguments.speed}", f"--scenario={arguments.scenario}"]
    if arguments.services:
        options.append(f"--services={arguments.services}")
    if arguments.clusters:
        options.append(f"--clusters={arguments.clusters}")
    return options


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Serve the fleet until interrupted.

    Raises:
        UsageError: the directory, the port or the ready file cannot be used.
    """
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
