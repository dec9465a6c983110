"""What README and docs/ say is checked against the product: commands, links, gates, fields, options, modules."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sgm_tui import cli
from sgm_tui.fleet.cell import Journey, Verdict
from sgm_tui.fleet.gates.table import render_table
from sgm_tui.report.status import report
from sgm_tui.ui import keys
from tests.builders import release

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("gitops-repo/*.md")]
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = {"", "sh", "yaml"}


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _commands(text: str) -> list[str]:
    """Return every command line of sgm in the fenced blocks, without comments, pipes and redirections."""
    lines = [
        line
        for language, block in _FENCE.findall(text)
        if language in _SHELL
        for line in block.replace("\\\n", " ").splitlines()
    ]
    found = [re.search(r"(?:^|[;(] ?|run: |/bin/)(sgm(?: .*)?)$", line.partition(" #")[0].rstrip()) for line in lines]
    commands = [match[1] for match in found if match]
    parts = [part.strip() for command in commands for part in re.split(r";|&&|\|\|?|&$|>>?", command)]
    return [re.split(r" {3,}", part)[0] for part in parts if part == "sgm" or part.startswith("sgm ")]


def _anchor(heading: str) -> str:
    """Return the anchor GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_the_markers_of_a_merge(page: Path) -> None:
    assert not re.findall(r"^(?:<{7} .*|={7}|>{7} .*|\|{7} .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", _FENCE.sub("", page.read_text(encoding="utf-8")))
    for path, anchor in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", target.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{path}#{anchor}"


@pytest.mark.parametrize(
    ("page", "command"),
    [
        (page.name, command)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for command in _commands(page.read_text(encoding="utf-8"))
    ],
)
def test_every_command_written_down_is_one_sgm_understands(page: str, command: str) -> None:
    words = shlex.split(command)[1:]
    assert cli._parser().parse_args(words) is not None


def test_the_pages_have_commands() -> None:
    commands = [command for page in PAGES for command in _commands(page.read_text(encoding="utf-8"))]
    assert {"sgm", "sgm prs merge 57 --yes", "sgm lint -o github"} <= set(commands)
    assert len(commands) > 50


def test_the_page_has_the_table_of_gates() -> None:
    assert render_table() in _text("docs/gates.md")


def _shape(document: Any) -> Any:
    """Return the names of a document's fields, without their values."""
    if isinstance(document, dict):
        return {name: _shape(value) for name, value in document.items()}
    return _shape(document[0]) if isinstance(document, list) and document and isinstance(document[0], dict) else None


def _merged(shapes: list[Any]) -> Any:
    """Return every field that any of the shapes has."""
    objects = [shape for shape in shapes if isinstance(shape, dict)]
    names = dict.fromkeys(name for shape in objects for name in shape)
    return {name: _merged([shape[name] for shape in objects if name in shape]) for name in names} if objects else None


def test_the_status_document_has_exactly_the_fields_that_are_written_down() -> None:
    block = next(block for language, block in _FENCE.findall(_text("docs/status.md")) if language == "json")
    written = json.loads(block)
    actual = report(release())
    assert list(written) == list(actual)
    assert _shape(written["sources"][0]) == _shape(actual["sources"][0])
    assert _shape(written["cells"][0]) == _merged([_shape(cell) for cell in actual["cells"]])


@pytest.mark.parametrize(("field", "values"), [("journey", Journey), ("verdict", Verdict)])
def test_the_words_of_a_cell_are_those_that_are_written_down(field: str, values: type[Journey | Verdict]) -> None:
    row = re.search(rf"^\| `{field}` \| (.*) \|$", _text("docs/status.md"), re.MULTILINE)
    assert row is not None
    assert set(re.findall(r"`([a-z]+)`", row[1])) == {value.value for value in values}


def _subparser(command: str) -> argparse.ArgumentParser:
    choices = next(action.choices for action in vars(cli._parser())["_actions"] if action.nargs == argparse.PARSER)
    parser = dict(choices)[command]
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


def test_every_scenario_and_option_of_the_sandbox_is_written_down() -> None:
    page = _text("docs/sandbox.md")
    actions = [action for action in vars(_subparser("sandbox"))["_actions"] if action.help != argparse.SUPPRESS]
    options = {name for action in actions for name in action.option_strings if name.startswith("--")}
    everywhere = {"--help", "--config", "--repo", "--read-only", "--no-color", "--log-file"}
    assert set(re.findall(r"`(--[a-z-]+)", page)) == options - everywhere
    scenarios = next(action.choices for action in actions if action.dest == "scenario")
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(scenarios)


def test_every_key_the_readme_names_does_something() -> None:
    bound = [*keys.KEYS["matrix"], *keys.KEYS["everywhere"]]
    known = {key for one in bound for key in (*one.keys.split(","), one.display) if key}
    known |= {"⏎", ":", "…"}
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+?) \| .+? \|$", _text("README.md"), re.MULTILINE)
    named = {key for row in rows for cell in row for key in re.findall(r"`([^`]+)`", cell)}
    assert named
    assert named - {"hjkl"} <= known
    letters = {one.keys for one in bound if len(one.keys) == 1}
    assert letters - named <= {str(number) for number in range(2, 9)}


def test_every_module_the_architecture_names_exists() -> None:
    named = re.findall(r"`([a-z_/]+\.py)`", _text("docs/architecture.md"))
    assert named
    assert [path for path in named if not any((base / path).exists() for base in (ROOT, ROOT / "sgm_tui"))] == []


def test_the_architecture_names_every_layer_in_the_order_that_is_enforced() -> None:
    pyproject = tomllib.loads(_text("pyproject.toml"))
    contract = next(one for one in pyproject["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    diagram = _FENCE.findall(_text("docs/architecture.md"))[0][1]
    assert [layer.strip() for layer in re.split(r"→|\n", diagram) if layer.strip()] == contract["layers"]


def test_no_two_entries_of_the_changelog_say_the_same() -> None:
    entries = [
        " ".join(entry.split())
        for entry in re.findall(r"^- ((?:.*\n)(?:  .*\n)*)", _text("CHANGELOG.md"), re.MULTILINE)
    ]
    assert len(entries) > 40
    words = [frozenset(re.findall(r"[a-z]{3,}", entry.lower())) for entry in entries]
    alike = [
        (first, second)
        for (first, mine), (second, theirs) in itertools.combinations(zip(entries, words, strict=True), 2)
        if len(mine & theirs) > 0.75 * len(mine | theirs)
    ]
    assert alike == []
