"""`sgm completion`: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from sgm_tui.commands import output

SHELLS = ("bash", "zsh", "fish", "tcsh")


def add(commands: Any, shared: argparse.ArgumentParser, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Declare the command; `parser` makes the whole one."""
    command = commands.add_parser(
        "completion", parents=[shared], help="completion for your shell: bash, zsh, fish, tcsh"
    )
    command.add_argument("shell", choices=SHELLS, help="the shell it is for")
    command.set_defaults(run=lambda arguments: run(arguments, parser()))


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print the script; `eval "$(sgm completion bash)"` loads it."""
    import shtab

    output.data(shtab.complete(parser, shell=arguments.shell).rstrip())
    return 0
