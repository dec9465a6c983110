"""The rules of the house that a linter does not know, held by reading the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sgm_tui

PACKAGE = Path(sgm_tui.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

ONLY_HERE = {
    "kubernetes": "live/kubeconfig.py",
    "prometheus_api_client": "live/prometheus.py",
    "github": "forge/client.py",
    "git": "gitops/repository.py",
}
"""Each client library is imported by one module."""

LINES_PER_MODULE = 500
LINES_PER_CLASS = 300
LINES_PER_FUNCTION = 40


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def length(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize(("library", "home"), ONLY_HERE.items(), ids=ONLY_HERE.keys())
def test_a_client_library_is_known_to_one_module(library: str, home: str) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if library in imports_of(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert users == {home}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_stays_small_enough_to_read(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    too_long = [f"the module has {lines} lines"] if (lines := len(source.splitlines())) > LINES_PER_MODULE else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and length(node) > LINES_PER_CLASS:
            too_long.append(f"class {node.name} has {length(node)} lines")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LINES_PER_FUNCTION:
            too_long.append(f"{node.name} has {length(node)} lines")
    assert too_long == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_says_what_it_is_for_and_silences_no_check(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert "type: ignore" not in source
    assert "# noqa" not in source


def test_the_dashboard_knows_no_client_library_and_no_rule_before_its_first_frame() -> None:
    heavy = ["kubernetes", "github", "git", "prometheus_api_client", "aiohttp", "ruamel", "yaml"]
    heavy += [f"sgm_tui.{one}" for one in ("policy", "fleet.proposal", "fleet.gate", "fleet.rollout", "fleet.observed")]
    program = f"import sys, sgm_tui.cli, sgm_tui.ui.app; print([one for one in {heavy} if one in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_sgm_itself_starts_without_the_screen_library() -> None:
    program = "import sys, sgm_tui.cli; print('textual' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
