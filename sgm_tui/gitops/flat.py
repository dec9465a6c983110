"""A values file as plain values: one at a dotted key, or all of them as a flat table to compare two files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sgm_tui.fleet.text import clean
from sgm_tui.gitops.values import UnreadableError

_LARGEST = 1 << 20
_MOST = 10_000


def flattened(data: bytes) -> dict[str, str]:
    """Every dotted key of a file and its value as one line of text, exact and not fit to show: `clean` it first.

    Lists are one value, as JSON; so are strings that would be taken for something else ("1.10", "true", "", one with
    line breaks). A name with a dot in it stands in quotes. Empty mappings are `{}`.

    Raises:
        UnreadableError: the file is no YAML, too large, unfolds to too much, or has a key in several documents.
    """
    documents = _documents(data)
    try:
        return _table(documents)
    except RecursionError as error:
        raise UnreadableError("the file is nested too deep, or an alias of it contains itself") from error


def value_at(data: bytes, key: str) -> Any:
    """The plain value at a dotted key; None where there is none.

    Raises:
        UnreadableError: the file cannot be read, the key is in several documents, or the value unfolds to too much.
    """
    found = [value for one in _documents(data) if (value := _at(one, key)) is not None]
    if len(found) > 1:
        raise UnreadableError(f"{key} is in several documents of the file")
    if not found:
        return None
    try:
        _json(found[0], [_MOST])
    except RecursionError as error:
        raise UnreadableError(f"{key} contains itself") from error
    return found[0]


def _at(value: Any, key: str) -> Any:
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _table(documents: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    budget = [_MOST]
    for document in documents:
        if not isinstance(document, Mapping):
            raise UnreadableError("the file holds no mapping")
        for key, value in _leaves(document, "", budget):
            if key in found:
                raise UnreadableError(f"{key} is there more than once")
            found[key] = value
    return found


def _documents(data: bytes) -> list[Any]:
    if len(data) > _LARGEST:
        raise UnreadableError("the file is larger than 1 MB")
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        text = data.decode("utf-8-sig")
        return [one for one in yaml.load_all(text) if one is not None]
    except UnicodeDecodeError:
        raise UnreadableError("the file is not UTF-8") from None
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UnreadableError(f"{line}{clean(error.problem)}") from error
    except (YAMLError, RecursionError, ValueError, TypeError) as error:
        raise UnreadableError(f"not YAML: {clean(error)}") from error


def _leaves(mapping: Mapping[Any, Any], above: str, budget: list[int]) -> Iterator[tuple[str, str]]:
    for name, value in mapping.items():
        written = name if isinstance(name, str) else _json(name, budget)
        key = above + clean(json.dumps(written, ensure_ascii=False) if "." in written or not written else written)
        if isinstance(value, Mapping) and value:
            _spend(budget)
            yield from _leaves(value, f"{key}.", budget)
        else:
            yield key, _text(value, budget)


def _text(value: object, budget: list[int]) -> str:
    written = _json(value, budget)
    if not isinstance(value, str) or not value.isprintable() or value != value.strip() or not value:
        return written
    try:
        json.loads(value)
    except ValueError:
        return value
    return written


def _json(value: Any, budget: list[int]) -> str:
    """A value on one line; what JSON has no form for (dates) as its text. It never unfolds more than the budget."""
    _spend(budget)
    if isinstance(value, Mapping):
        pairs = (f"{_json(str(name), budget)}: {_json(one, budget)}" for name, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple | set):
        return "[" + ", ".join(_json(one, budget) for one in value) + "]"
    if value is None or isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _spend(budget: list[int]) -> None:
    budget[0] -= 1
    if budget[0] < 0:
        raise UnreadableError(f"the file unfolds to more than {_MOST} values")
