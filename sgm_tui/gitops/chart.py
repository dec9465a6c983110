"""Which values of a Helm chart reach its pods: those the pod template of its Rollout reads, told from its text.

Nothing is rendered. What cannot be told from the text (a value taken whole, a name computed, a helper of a library) is
not guessed at: then any value may reach the pods.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_DEFINE = re.compile(r"\{\{-?\s*define\s+\"([^\"]+)\"\s*-?\}\}")
_DOCUMENT = re.compile(r"(?m)^---.*$")
_WORKLOAD = re.compile(r"(?m)^kind:\s*[\"']?(?:Rollout|Deployment)[\"']?\s*$")
_ANY_KIND = re.compile(r"(?m)^kind:.*\{\{")
_TEMPLATE = re.compile(r"(?m)^( +)template:[ \t]*(?:\{\{.*|#.*)?$")
_ASSIGNED = re.compile(r"\$(\w+)(?:\s*,\s*\$(\w+))?\s*:?=\s*(.+)", re.DOTALL)
_VALUE = re.compile(r"\.Values((?:\.[A-Za-z_]\w*)+)")
_INDEXED = re.compile(r"index\s+\$?\.Values((?:\s+\"[^\"]+\")+)")
_WHOLE = re.compile(r"\.Values(?!\.?\w)")
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_INCLUDED = re.compile(r"\b(?:include|template)\s+(?:\"([^\"]+)\")?")
_OBSCURE = re.compile(r"\b(?:tpl|lookup|block)\b")
_OPENS = ("if", "with", "range", "define", "block")


class _UntoldError(Exception):
    """It cannot be told from the text."""


@dataclass(slots=True)
class _Reading:
    """What has been found so far."""

    helpers: Mapping[str, str]
    """Named templates of the chart and their text."""
    keys: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    """Helpers that were read already."""


def find_pod_values(files: Mapping[str, bytes]) -> frozenset[str] | None:
    """The dotted keys of the values that the pod templates of a chart read; None when that cannot be told.

    Args:
        files: path within the chart → content.
    """
    texts = {
        path: _COMMENT.sub("", data.decode("utf-8", "replace"))
        for path, data in files.items()
        if "templates/" in path and path.endswith((".yaml", ".yml", ".tpl", ".txt"))
    }
    reading = _Reading(dict(helper for text in texts.values() for helper in _helpers(text)))
    documents = [one for path, text in texts.items() if path.startswith("templates/") for one in _documents(text)]
    workloads = [one for one in documents if _WORKLOAD.search(one)]
    if not workloads or any(_ANY_KIND.search(one) for one in documents):
        return None
    try:
        found = [_read_workload(reading, one) for one in workloads]
    except _UntoldError:
        return None
    return frozenset(reading.keys) if any(found) else None


def filter_keys_read(differing: Iterable[str], read: frozenset[str]) -> tuple[str, ...]:
    """The keys among `differing` of which a part, or all, is read."""
    return tuple(one for one in differing if any(_meet(one, key) for key in read))


def _meet(one: str, other: str) -> bool:
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith(f"{one}.")


def _documents(text: str) -> list[str]:
    return _DOCUMENT.split(text)


def _helpers(text: str) -> Iterator[tuple[str, str]]:
    """Every named template of a file."""
    for found in _DEFINE.finditer(text):
        depth = 1
        for action in _ACTION.finditer(text, found.end()):
            word = action[1].partition(" ")[0]
            depth += (word in _OPENS) - (word == "end")
            if not depth:
                yield found[1], text[found.end() : action.start()]
                break


def _read_workload(reading: _Reading, document: str) -> bool:
    """Read the pod template of a workload; False for a Rollout whose pods are those of a Deployment it refers to."""
    found = _TEMPLATE.search(document)
    if found is None:
        if "workloadRef:" in document:
            return False
        raise _UntoldError
    block = [found[0]]
    for line in document[found.end() + 1 :].splitlines():
        if line.strip() and not line.lstrip().startswith("{{") and _indent(line) <= len(found[1]):
            break
        block.append(line)
    assigned = _assigned(document)
    _read_text(reading, "\n".join(block), assigned)
    for condition in _open_at(document, found.start()):
        _read_expression(reading, condition, assigned)
    return True


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _open_at(document: str, position: int) -> list[str]:
    """The conditions under which the text at a position is rendered at all."""
    stack: list[list[str]] = []
    for action in _ACTION.finditer(document, 0, position):
        word = action[1].partition(" ")[0]
        if word in _OPENS:
            stack.append([action[1]])
        elif word == "else" and stack:
            stack[-1].append(action[1])
        elif word == "end" and stack:
            stack.pop()
    return [one for level in stack for one in level]


def _assigned(text: str) -> dict[str, list[str]]:
    """Variable → everything that is assigned to it."""
    found: dict[str, list[str]] = {}
    for action in _ACTION.finditer(text):
        match = _ASSIGNED.search(action[1])
        for name in match.groups()[:2] if match else ():
            if match and name:
                found.setdefault(name, []).append(match[3])
    return found


def _read_text(reading: _Reading, text: str, assigned: Mapping[str, list[str]]) -> None:
    for action in _ACTION.finditer(text):
        _read_expression(reading, action[1], assigned)


def _read_expression(reading: _Reading, expression: str, assigned: Mapping[str, list[str]]) -> None:
    if _OBSCURE.search(expression) or _WHOLE.search(_INDEXED.sub("", expression)):
        raise _UntoldError
    reading.keys.update(one[1:] for one in _VALUE.findall(expression))
    reading.keys.update(".".join(re.findall(r"\"([^\"]+)\"", one)) for one in _INDEXED.findall(expression))
    for name in _INCLUDED.findall(expression):
        _read_helper(reading, name)
    for name in _VARIABLE.findall(expression):
        if name not in assigned:
            raise _UntoldError
        if f"${name}" not in reading.seen:
            reading.seen.add(f"${name}")
            for one in assigned[name]:
                _read_expression(reading, one, assigned)


def _read_helper(reading: _Reading, name: str) -> None:
    if name not in reading.helpers:
        raise _UntoldError
    if name not in reading.seen:
        reading.seen.add(name)
        text = reading.helpers[name]
        _read_text(reading, text, _assigned(text))
