"""Find the values of a Helm chart that reach its pods: those the pod template of its Rollout reads.

The templates are searched as text, not rendered. Where the text is not conclusive (`.Values` passed as a whole, a
computed name, a helper of a library chart), any value may reach the pods.
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


class _InconclusiveError(Exception):
    """The text does not show which values are read."""


@dataclass(slots=True)
class _Reading:
    """The keys found so far, and the helpers read."""

    helpers: Mapping[str, str]
    """Named templates of the chart and their text."""
    keys: set[str] = field(default_factory=set)
    visited: set[str] = field(default_factory=set)
    """Helpers, and variables with a `$` before their name, that were read already."""


def find_pod_values(files: Mapping[str, bytes]) -> frozenset[str] | None:
    """Return the dotted keys of the values that the pod templates of a chart read; None if that is not clear.

    Args:
        files: path within the chart → content.
    """
    texts = {
        path: _COMMENT.sub("", data.decode("utf-8", "replace"))
        for path, data in files.items()
        if "templates/" in path and path.endswith((".yaml", ".yml", ".tpl", ".txt"))
    }
    reading = _Reading(dict(helper for text in texts.values() for helper in _find_helpers(text)))
    templates = (text for path, text in texts.items() if path.startswith("templates/"))
    documents = [document for text in templates for document in _DOCUMENT.split(text)]
    workloads = [document for document in documents if _WORKLOAD.search(document)]
    if not workloads or any(_ANY_KIND.search(document) for document in documents):
        return None
    try:
        has_pod_template = [_read_workload(reading, workload) for workload in workloads]
    except _InconclusiveError:
        return None
    return frozenset(reading.keys) if any(has_pod_template) else None


def filter_keys_read(differing: Iterable[str], read: frozenset[str]) -> tuple[str, ...]:
    """Return the keys among `differing` of which a part, or all, is read."""
    return tuple(key for key in differing if any(_overlap(key, read_key) for read_key in read))


def _overlap(key: str, read_key: str) -> bool:
    """Whether two keys are the same, or one is inside the other."""
    return key == read_key or key.startswith((f"{read_key}.", f"{read_key}[")) or read_key.startswith(f"{key}.")


def _find_helpers(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every named template of a file."""
    for definition in _DEFINE.finditer(text):
        depth = 1
        for action in _ACTION.finditer(text, definition.end()):
            word = action[1].partition(" ")[0]
            depth += (word in _OPENS) - (word == "end")
            if not depth:
                yield definition[1], text[definition.end() : action.start()]
                break


def _read_workload(reading: _Reading, document: str) -> bool:
    """Read the pod template of a workload; return False if it has none, because it refers to a Deployment."""
    template = _TEMPLATE.search(document)
    if template is None:
        if "workloadRef:" in document:
            return False
        raise _InconclusiveError
    block = [template[0]]
    for line in document[template.end() + 1 :].splitlines():
        if line.strip() and not line.lstrip().startswith("{{") and _indent(line) <= len(template[1]):
            break
        block.append(line)
    assignments = _find_assignments(document)
    _read_text(reading, "\n".join(block), assignments)
    for condition in _conditions_at(document, template.start()):
        _read_expression(reading, condition, assignments)
    return True


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _conditions_at(document: str, position: int) -> list[str]:
    """Return the conditions under which the text at a position is rendered at all."""
    stack: list[list[str]] = []
    for action in _ACTION.finditer(document, 0, position):
        word = action[1].partition(" ")[0]
        if word in _OPENS:
            stack.append([action[1]])
        elif word == "else" and stack:
            stack[-1].append(action[1])
        elif word == "end" and stack:
            stack.pop()
    return [condition for level in stack for condition in level]


def _find_assignments(text: str) -> dict[str, list[str]]:
    """Return variable → every expression assigned to it."""
    assignments: dict[str, list[str]] = {}
    for action in _ACTION.finditer(text):
        match = _ASSIGNED.search(action[1])
        for name in match.groups()[:2] if match else ():
            if match and name:
                assignments.setdefault(name, []).append(match[3])
    return assignments


def _read_text(reading: _Reading, text: str, assignments: Mapping[str, list[str]]) -> None:
    for action in _ACTION.finditer(text):
        _read_expression(reading, action[1], assignments)


def _read_expression(reading: _Reading, expression: str, assignments: Mapping[str, list[str]]) -> None:
    if _OBSCURE.search(expression) or _WHOLE.search(_INDEXED.sub("", expression)):
        raise _InconclusiveError
    reading.keys.update(one[1:] for one in _VALUE.findall(expression))
    reading.keys.update(".".join(re.findall(r"\"([^\"]+)\"", one)) for one in _INDEXED.findall(expression))
    for name in _INCLUDED.findall(expression):
        _read_helper(reading, name)
    for name in _VARIABLE.findall(expression):
        if name not in assignments:
            raise _InconclusiveError
        if f"${name}" not in reading.visited:
            reading.visited.add(f"${name}")
            for assigned_expression in assignments[name]:
                _read_expression(reading, assigned_expression, assignments)


def _read_helper(reading: _Reading, name: str) -> None:
    if name not in reading.helpers:
        raise _InconclusiveError
    if name not in reading.visited:
        reading.visited.add(name)
        text = reading.helpers[name]
        _read_text(reading, text, _find_assignments(text))
