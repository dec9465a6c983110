"""Files nobody would write by hand: every accepted edit changes exactly the version, as three readers see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sgm_tui.gitops.yaml.edits import EditRefusedError, descend, edit
from sgm_tui.gitops.yaml.proof import comparable
from sgm_tui.yaml_reader.nodes import Node, YamlError, compose

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCALARS = (
    "v1",
    "1",
    "'a: b'",
    '"# no"',
    "~",
    "true",
    "",
    "a b c",
    "{a: b, c: [d]}",
    "[]",
    "x#y",
    "http://a:80/b",
    "-1",
)
COMMENTS = ("", "", "  # note", " # tag: v9", " #")
HAZARDS = (
    "h: &h {tag: v7}\ni: *h", "h: &h {tag: v7}\ni:\n  <<: *h", "h: 'over\n  lines'", "h: over\n  lines", "? h\n: i",
    "h: !!str 5", "h: !mine {a: b}", "h: [a,\n  b]", "h: |2\n    x\n  y", "image: {tag: v6}", "h: {{ x }}", "sops: {}",
    "h:\tx", "h: 'open", "- h", "h: *nowhere", "h: \x85", "---\nimage:\n  tag: v5", "h: \"a\\\n  b\"", "...\n---",
)  # fmt: skip
NEW = ("v2.0.0", "yes", "1.10", "sha256:0a1b", "a #b", "it's", 'a "b"', "2026-11-23", "😀")


@dataclass(frozen=True)
class File:
    """A generated file, where its version stands, and whether anything in it may be refused."""

    text: str
    start: int
    end: int
    hazard: bool


@st.composite
def neighbours(draw: st.DrawFn, indent: str, start: int) -> list[str]:
    """Entries beside the way, of any kind a values file has."""
    lines = []
    for number in range(draw(st.integers(0, 2))):
        name = f"{indent}k{start + number}:"
        kind = draw(st.integers(0, 5))
        if kind == 0:
            lines += [name, f"{indent}  tag: v9{draw(st.sampled_from(COMMENTS))}", f"{indent}  image: {{tag: v9}}"]
        elif kind == 1:
            lines += [
                name,
                f"{indent}- setWeight: 10",
                f"{indent}- pause: {{}}",
                f"{indent}- tag: v9",
                f"{indent}  b: c",
            ]
        elif kind == 2:
            lines += [f"{name} |", f"{indent}  image:", f"{indent}    tag: v9", "", f"{indent}  # text"]
        elif kind == 3:
            lines += ["", f"{indent}# tag: v9", f"{name} >-", f"{indent}      a", f"{indent}      b"]
        else:
            lines += [f"{name} {draw(st.sampled_from(SCALARS))}{draw(st.sampled_from(COMMENTS))}"]
    return lines


@st.composite
def files(draw: st.DrawFn, path: Sequence[str]) -> File:
    """A file of any look with one string at a path, marked."""
    step = " " * draw(st.integers(1, 5))
    quote = draw(st.sampled_from(["", "'", '"']))
    around = draw(st.sampled_from(["{}", "{}", "'{}'", '"{}"']))
    lines: list[str] = []
    tails: list[list[str]] = []
    for depth, name in enumerate(path):
        indent = step * depth
        lines += draw(neighbours(indent, 10 * depth))
        tails.append(draw(neighbours(indent, 10 * depth + 5)))
        last = depth == len(path) - 1
        value = f" «{quote}v1.0{quote}»" if last else ""
        lines.append(indent + around.format(name) + ":" + value + draw(st.sampled_from(COMMENTS)))
    for tail in reversed(tails):
        lines += tail
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n# end\n"]))
    hazard = draw(st.integers(0, 3)) == 0
    if hazard:
        text = "\n".join(draw(st.permutations([text, draw(st.sampled_from(HAZARDS))])))
    elif draw(st.integers(0, 3)) == 0:
        text = "\n".join(draw(st.permutations([text.rstrip("\n"), "---", "other:\n- image: {tag: v1}"])))
        hazard = text.find("\n---\n") < text.index("«")  # Helm reads the first document alone
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return _file(draw(st.sampled_from(["", "", "\ufeff"])) + text, hazard=hazard)


def _file(marked: str, *, hazard: bool) -> File:
    start, end = marked.index("«"), marked.index("»") - 1
    return File(marked.replace("«", "").replace("»", ""), start, end, hazard)


def _newer(text: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text))


def _older(text: str) -> list[Any]:
    return list(yaml.load_all(text, LOADER))


def _check(file: File, path: Sequence[str], new: str) -> None:
    try:
        after = edit(file.text.encode(), ".".join(path), new).decode()
    except EditRefusedError:
        assert file.hazard, "an ordinary file has to be accepted"
        return
    rest = len(file.text) - file.end
    assert after[: file.start] == file.text[: file.start]
    assert after[len(after) - rest :] == file.text[file.end :]
    for read in (_newer, _older):
        _same_but_there(read, file.text, after, path, new)


def _same_but_there(read: Callable[[str], list[Any]], before: str, after: str, path: Sequence[str], new: str) -> None:
    try:
        expected = read(before.removeprefix("\ufeff"))
    except Exception:
        assert ":\t" in before or "!mine" in before, "what no reader takes is not changed"
        return
    for document in expected:
        current = document
        for name in path[:-1]:
            current = current.get(name) if isinstance(current, dict) else None
        if isinstance(current, dict) and path[-1] in current:
            current[path[-1]] = new
    assert read(after.removeprefix("\ufeff")) == expected


KEYS = ["tag", "image.tag", "images.web.tag", "spec.values.image.tag"]
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=40, deadline=None, suppress_health_check=QUIET)
@given(data=st.data(), new=st.sampled_from(NEW))
def test_a_generated_file_changes_in_its_version_only(key: str, data: st.DataObject, new: str) -> None:
    path = key.split(".")
    _check(data.draw(files(path)), path, new)


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
@settings(suppress_health_check=QUIET)
@given(data=st.data(), new=st.sampled_from(NEW))
def test_many_a_generated_file_changes_in_its_version_only(key: str, data: st.DataObject, new: str) -> None:
    path = key.split(".")
    _check(data.draw(files(path)), path, new)


LINES = (
    "a:", "a: v", "a: |", "a: {}", "b: 'x'", "b: >- # c", "image:", "image: {tag: v1}", "tag: v1 # c", "'tag': \"v1\"",
    "k: x  y", "k: http://x:80/y#z", "k: [a, {b: c}]", "k: {a, b: c}", "k: *a", "k: &a b", "<<: {a: b}", "# c", "",
    "---", "...", "- a", "- a: v", "- - a", "-", "-   tag: v1", "? a", "a:b", "b: 'x", "k: [a,", "more text",
    "k: !x y", "1: 2",
)  # fmt: skip
SOUP = st.lists(
    st.tuples(st.sampled_from(["", "", "  ", "  ", "    ", "   "]), st.sampled_from(LINES)).map("".join), max_size=8
).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(SOUP, st.sampled_from(["", "\n"]), st.sampled_from([["a"], ["image", "tag"], ["a", "b"]]))
def test_what_is_kept_for_a_key_says_what_the_whole_file_says(soup: str, end: str, path: list[str]) -> None:
    try:
        whole = compose(soup + end)
    except YamlError:
        with pytest.raises(YamlError):
            compose(soup + end, path)
        return
    assert _all_at(compose(soup + end, path), path) == _all_at(whole, path)


def _all_at(nodes: list[Node], path: list[str]) -> list[object]:
    """What stands at the path in each document that has it, or why it is refused."""
    lines: list[object] = []
    for document in nodes:
        try:
            node = descend(document, path, "it")
        except EditRefusedError as error:
            lines.append(str(error))
        else:
            lines += [comparable(node)] if node is not None else []
    return lines
