"""What a person reads: the words of the field, and keys as an imperative verb with its object."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sgm_tui
from sgm_tui.ui import keys

PACKAGE = Path(sgm_tui.__file__).parent
NOT_SAID = re.compile(
    r"\blets? it\b|\bgo(es)? on\b|\bgo over\b|\bgoes over\b|\bin the way\b|\bfor a person\b|\bwants\b|\bstage before\b"
    r"|\bway back\b|\bis silent\b|\bnever finished\b|\bwave by wave\b|\bby itself\b|\bnot now\b|\btake it\b|\bdefect\b"
    r"|\buntouched\b|\bnobody looks\b|\bnobody knows\b|\bknown against\b|\w asked for\b(?! here)|\bis told\b"
)


def texts() -> Iterator[tuple[str, str]]:
    """Every string of the program that is not a docstring, with where it is; the sandbox speaks for other programs."""
    for file in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" in file.parts:
            continue
        tree = ast.parse(file.read_text())
        documentation = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                yield f"{file.relative_to(PACKAGE)}:{node.lineno}", node.value


def test_no_text_uses_a_phrase_the_field_does_not() -> None:
    found = [f"{where}: {text}" for where, text in texts() if NOT_SAID.search(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", keys.KEYS)
def test_a_key_is_an_imperative_in_the_help_and_two_words_in_the_footer(place: keys.Place) -> None:
    for key in keys.KEYS[place]:
        first = key.help.partition(" ")[0]
        assert first not in {"The", "A", "An", "All", "Only", "Another", "Every", "Everything", "What", "To"}, key
        assert len(key.help) <= 50, key.help
        assert ", or " not in key.help, key.help
        assert len(key.word.split()) <= 2, key.word
