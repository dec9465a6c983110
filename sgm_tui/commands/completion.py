"""`sgm completion`: what a shell needs to complete commands, options, and the names of services, stages and clusters.

The names are asked of `sgm` itself when a key is pressed: it reads the configuration and the clone that is there, never
the network, and says nothing of what goes wrong, for it would land in somebody's command line.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sgm_tui.commands import output
from sgm_tui.commands.common import load_config
from sgm_tui.commands.completed_names import NAME_KINDS
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import SgmError, UsageError

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config

SHELLS = ("bash", "zsh", "fish", "tcsh")
_HARMLESS = re.compile(r"[\w.-]+")
"""A shell may expand what it completes with: other names are not offered."""
_FISH = """
function _sgm_names
    set -l line (commandline -opc)
    set -l given
    for at in (seq (count $line))
        switch $line[$at]
            case --config --repo
                set -a given $line[$at] $line[(math $at + 1)]
            case '--config=*' '--repo=*'
                set -a given $line[$at]
        end
    end
    command $line[1] $given completion --names $argv[1] 2> /dev/null
end
"""
_WRITTEN = (
    # An argument that may be given again is one that excludes the rest, as shtab writes it.
    (re.compile(r'"\(\*\)::'), '"*:'),
    # Only with `=` in its name an option may be given as --option=value too.
    (re.compile(r'^(  "\*?--[\w-]+|  \{-\w,--[\w-]+)(\}"\[.*\]:|\[.*\]:)', re.MULTILINE), r"\1=\2"),
)
"""What zsh has to read otherwise than shtab writes it."""


def add(commands: Any, shared: argparse.ArgumentParser, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Declare the command; `parser` makes the whole one."""
    command = commands.add_parser("completion", parents=[shared], help=COMMANDS["completion"])
    command.add_argument("shell", nargs="?", choices=SHELLS, help="the shell it is for")
    command.add_argument("--names", choices=tuple(NAME_KINDS.values()), help=argparse.SUPPRESS)
    command.set_defaults(run=lambda arguments: run(arguments, parser))


def run(arguments: argparse.Namespace, parser: Callable[[], argparse.ArgumentParser]) -> int:
    """Print the script; `eval "$(sgm completion bash)"` loads it."""
    if arguments.names:
        return _print_names(arguments)
    if arguments.shell is None:
        raise UsageError(f"sgm completion: name a shell: {', '.join(SHELLS)}", 'Try: eval "$(sgm completion bash)"')
    import shtab

    script = shtab.complete(parser(), shell=arguments.shell).rstrip()
    if arguments.shell == "fish":
        script = f"{_FISH.strip()}\n\n{script}"
    for written, read in _WRITTEN if arguments.shell == "zsh" else ():
        script = written.sub(read, script)
    output.data(script)
    return 0


def _print_names(arguments: argparse.Namespace) -> int:
    try:
        config = asyncio.run(load_config(arguments))
        names = _names(config, arguments.names)
    except (SgmError, OSError) as error:
        return error.exit_code if isinstance(error, SgmError) else 3
    harmless = sorted(name for name in names if _HARMLESS.fullmatch(name))
    if harmless:
        output.data("\n".join(harmless))
    return 0


def _names(config: Config, kind: str) -> set[str]:
    if kind == "stages":
        return {stage.name for stage in config.stages}
    if kind == "clusters":
        return {cluster.name for cluster in config.clusters}
    from sgm_tui.gitops.repository import Repository
    from sgm_tui.gitops.tree import Tree
    from sgm_tui.wiring import state_directory

    where = state_directory(config) / "repositories"
    repository = Repository(config.repository.url, config.repository.branch, where)
    return {str(key.service) for key in Tree(config).places(repository.tree(repository.head()))}
