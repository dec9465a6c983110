"""The table of keys: one record a key, and every binding of the program made from it."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import sgm_tui
from sgm_tui.ui import keys

UI = Path(sgm_tui.__file__).parent / "ui"
MODULES = sorted(path for path in UI.rglob("*.py") if path.name != "keys.py")


def test_an_identifier_names_one_record() -> None:
    records = {id(key): key.id for place in keys.KEYS.values() for key in place}
    assert [name for name, count in Counter(records.values()).items() if count > 1] == []


@pytest.mark.parametrize("place", keys.KEYS)
def test_a_key_runs_one_action_of_its_screen(place: keys.Place) -> None:
    names = Counter(name for key in keys.KEYS[place] for name in key.keys.split(","))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(UI).as_posix())
def test_bindings_come_from_the_table(path: Path) -> None:
    """A screen takes its bindings with `keys.make_bindings`; no other module makes one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"Binding", "binding.Binding", "self.bind", "app.bind"}
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "BINDINGS" for target in targets):
                assert ast.unparse(node.value).startswith("keys.make_bindings(")


def test_the_table_says_which_actions_write_and_which_need_a_cell() -> None:
    assert keys.find_cell_actions("matrix") == {
        "open", "mark", "promote", "promote_row", "promote_stage", "promote_location", "revert", "why", "rollout",
    }  # fmt: skip
    writing = keys.find_writing_actions(keys.make_bindings("matrix"))
    assert writing == {"promote", "promote_row", "promote_stage", "promote_location", "rollout", "undo"}


def test_a_remapped_key_works_without_a_screen_too() -> None:
    assert keys.find_keys_without_screen({}) == {"ctrl+c", "ctrl+z"}
    assert keys.find_keys_without_screen({"suspend": "f9, f10"}) == {"ctrl+c", "f9", "f10"}
