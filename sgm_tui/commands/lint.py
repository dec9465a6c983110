"""`sgm lint`: check a GitOps repository for mistakes, before Argo CD finds out."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sgm_tui.commands import output
from sgm_tui.commands.common import one_of
from sgm_tui.commands.table import COMMANDS
from sgm_tui.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from sgm_tui.config.schema import Config
    from sgm_tui.lint.findings import Report

_FORMATS = ("text", "json", "sarif", "github")
_TEAM_FILE = "sgm.yaml"


def add(commands: _SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser = commands.add_parser("lint", parents=[shared], help=COMMANDS["lint"])
    parser.add_argument(
        "path",
        type=Path,
        nargs="?",
        metavar="PATH",
        help="a checkout with sgm.yaml (default: --repo, or the one around the current directory)",
    )
    parser.add_argument("--rule", action="append", default=[], metavar="ID", help="only this rule; repeatable")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="not this rule; repeatable")
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings too")
    parser.add_argument(
        "--applications", action="store_true", help="also list the Applications, including generated ones"
    )
    parser.add_argument("--verbose", action="store_true", help="also list the rules that were skipped")
    parser.add_argument("-o", "--output", choices=_FORMATS, default="text", help="output format (default: text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 when there is an error (with `--strict` a warning), 0 otherwise."""
    from sgm_tui.lint.checkout import read_checkout
    from sgm_tui.lint.run import lint

    _check_rules([*arguments.rule, *arguments.ignore])
    folder = _root(arguments)
    file = (arguments.config or folder / _TEAM_FILE).expanduser().resolve()
    config = _config(file)
    root = _where_paths_count_from(folder, config)
    report = lint(read_checkout(root, file), config, only=arguments.rule, ignore=arguments.ignore)
    if rendered := _rendered(report, root, arguments):
        output.data(rendered)
    if arguments.verbose:
        for skipped in report.skipped:
            output.note(f"skipped {', '.join(skipped.rules)}: {skipped.reason}")
    return 1 if report.count("error") or (arguments.strict and report.count("warning")) else 0


def _check_rules(names: Sequence[str]) -> None:
    from sgm_tui.lint.catalogue import BY_ID

    for name in names:
        one_of("rule", name, BY_ID)


def _root(arguments: argparse.Namespace) -> Path:
    """The folder to look at: it holds sgm.yaml, or `--config` says where that is."""
    hint = f"Name a checkout with {_TEAM_FILE}: sgm lint PATH"
    repository = (arguments.repo or "").removeprefix("file://")
    if not arguments.path and "://" in repository:
        raise UsageError(f"{repository} is not a local path", "Clone it, and name the checkout: sgm lint PATH")
    named = arguments.path or (Path(repository) if repository else None)
    if named is None:
        here = Path.cwd()
        inside = next((one for one in (here, *here.parents) if (one / _TEAM_FILE).is_file()), None)
        if inside is None and arguments.config is None:
            raise UsageError(f"there is no {_TEAM_FILE} in {here} or above it", hint)
        return (inside or here).resolve()
    root = named.expanduser()
    if not root.is_dir():
        raise UsageError(f"{named} is not a directory", hint)
    if arguments.config is None and not (root / _TEAM_FILE).is_file():
        raise UsageError(f"{named} has no {_TEAM_FILE}", hint)
    return root.resolve()


def _config(file: Path) -> Config | ConfigError:
    """The team file as it is written: what a repository says must not depend on who looks."""
    from sgm_tui.config.file import load

    environ = {name: value for name, value in os.environ.items() if not name.startswith("SGM_")}
    try:
        return load(file, flags={}, environ=environ)
    except ConfigError as error:
        if not error.message.startswith(f"{file}:"):
            raise
        return ConfigError(error.message.removeprefix(f"{file.parent}/"), error.hint)


def _where_paths_count_from(folder: Path, config: Config | ConfigError) -> Path:
    """The folder itself; the root of its git repository where the layout finds its files only from there."""
    top = _git_root(folder)
    if top == folder or isinstance(config, ConfigError) or _fits(folder, config) or not _fits(top, config):
        return folder
    return top


def _fits(root: Path, config: Config) -> bool:
    from sgm_tui.gitops.tree import Tree
    from sgm_tui.lint.checkout import read_checkout

    return bool(Tree(config).places(dict.fromkeys(read_checkout(root).files, "")))


def _git_root(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _rendered(report: Report, root: Path, arguments: argparse.Namespace) -> str:
    from sgm_tui.lint import render, sarif

    form = arguments.output
    if form == "json":
        return render.format_json(report)
    if form == "text":
        text = render.format_text(report, _below(root, Path.cwd()), every_note=bool(arguments.rule))
        return f"{text}\n\n{render.format_applications(report)}" if arguments.applications else text
    prefix = _below(root, _git_root(root))
    return sarif.format_sarif(report, prefix) if form == "sarif" else render.format_github(report, prefix)


def _below(root: Path, base: Path) -> str:
    """What leads from one folder down to the other; "" where it is not below it."""
    base = base.resolve()
    return f"{root.relative_to(base).as_posix()}/" if root != base and root.is_relative_to(base) else ""
