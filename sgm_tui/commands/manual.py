"""`sgm help`: the usage of sgm or of one of its commands, and the pages of `docs/` that ship with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from sgm_tui.commands import output
from sgm_tui.commands.common import nearest
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import UsageError


def add(commands: Any, shared: argparse.ArgumentParser, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Declare the command; `parser` makes the whole command line."""
    command = commands.add_parser("help", parents=[shared], help=COMMANDS["help"])
    command.add_argument("topic", nargs="?", metavar="TOPIC", help="a command or a page (default: list all)")
    command.set_defaults(run=lambda arguments: run(arguments, parser()))


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print the usage of a command or a page of the manual; without a topic, the usage of sgm and the pages.

    Raises:
        UsageError: no command and no page has this name.
    """
    from sgm_tui.resources import manual

    pages, commands = manual(), _commands(parser)
    topic = arguments.topic
    if topic is None:
        output.data(f"{parser.format_help()}\npages of the manual: {', '.join(pages)}\n  sgm help PAGE prints a page.")
    elif topic in commands:
        output.data(commands[topic].format_help().rstrip())
        if topic in pages:
            output.data(f"\n{pages[topic].read_text(encoding='utf-8').rstrip()}")
    elif topic in pages:
        output.data(pages[topic].read_text(encoding="utf-8").rstrip())
    else:
        raise UsageError(f"no command or page is called {topic!r}", nearest(topic, list({**commands, **pages})))
    return 0


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = vars(parser)["_actions"]
    choices = next(action.choices for action in actions if action.nargs == argparse.PARSER)
    return dict(choices)
