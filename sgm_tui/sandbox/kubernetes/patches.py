"""Apply JSON Merge Patches (RFC 7386), JSON Patches (RFC 6902) and simple strategic merge patches.

No function changes its arguments. Merge patches share unchanged parts with their target; JSON Patches copy it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException


class PatchError(Exception):
    """A JSON Patch that cannot be applied: a failing `test`, a missing path or an unknown operation."""


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a merge patch: null deletes a key, maps are merged, every other value replaces the old one."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def without_nulls(value: Any) -> Any:
    """Return the value without nulls in maps, which the server prunes from custom resources."""
    if isinstance(value, dict):
        pruned = {key: without_nulls(item) for key, item in value.items() if item is not None}
        unchanged = len(pruned) == len(value) and all(pruned[key] is item for key, item in value.items())
        return value if unchanged else pruned
    if isinstance(value, list):
        items = [without_nulls(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch to maps and scalars: lists are replaced, directives are ignored.

    The sandbox has no schemas with the merge keys of lists; labels, annotations and replicas need none.
    """
    return merge_patch(target, _without_directives(patch))


def _without_directives(patch: Any) -> Any:
    if isinstance(patch, Mapping):
        return {key: _without_directives(value) for key, value in patch.items() if not key.startswith("$")}
    return patch


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Apply the operations of a JSON Patch in order, all or nothing, to a copy of the target.

    Raises:
        PatchError: an operation cannot be applied.
    """
    document = copy.deepcopy(target)
    try:
        for operation in copy.deepcopy(operations):
            if not _tests_absent_key_for_null(document, operation):
                document = JsonPatch([operation]).apply(document, in_place=True)
    except (JsonPatchException, JsonPointerException) as error:
        raise PatchError(str(error)) from error
    return document


def _apply(target: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "test":
            if _tested(target, path) != _value(operation):
                raise PatchError(f"testing path {operation['path']} failed")
            return target
        case "add":
            return _put(target, path, _value(operation), insert=True)
        case "replace":
            _lookup(target, path)
            return _put(target, path, _value(operation), insert=False)
        case "remove":
            return _remove(target, path)
        case "copy":
            return _put(target, path, _lookup(target, _pointer(operation.get("from"))), insert=True)
        case "move":
            source = _pointer(operation.get("from"))
            moved = _lookup(target, source)
            return _put(_remove(target, source), path, moved, insert=True)
        case other:
            raise PatchError(f"unexpected kind: {other}")


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError("missing value")
    return operation["value"]


def _pointer(path: Any) -> tuple[str, ...]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise PatchError(f"not a JSON pointer: {path!r}")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])


def _index(items: Sequence[Any], part: str, limit: int) -> int:
    if not part.isdecimal() or int(part) > limit:
        raise PatchError(f"no element {part!r} in a list of {len(items)}")
    return int(part)


def _lookup(target: Any, path: Sequence[str]) -> Any:
    for part in path:
        if isinstance(target, Mapping) and part in target:
            target = target[part]
        elif isinstance(target, list):
            target = target[_index(target, part, len(target) - 1)]
        else:
            raise PatchError(f"no such path: {part}")
    return target


def _tested(target: Any, path: Sequence[str]) -> Any:
    """Return the value a `test` compares: the server's library treats a missing key of a map as null."""
    if path:
        parent = _lookup(target, path[:-1])
        if isinstance(parent, Mapping):
            return parent.get(path[-1])
    return _lookup(target, path)


def _put(target: Any, path: Sequence[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    part, rest = path[0], path[1:]
    if isinstance(target, Mapping):
        if rest and part not in target:
            raise PatchError(f"no such path: {part}")
        return {**target, part: _put(target.get(part), rest, value, insert=insert)}
    if not isinstance(target, list):
        raise PatchError(f"no such path: {part}")
    if rest or not insert:
        index = _index(target, part, len(target) - 1)
        return [*target[:index], _put(target[index], rest, value, insert=insert), *target[index + 1 :]]
    index = len(target) if part == "-" else _index(target, part, len(target))
    return [*target[:index], value, *target[index:]]


def _remove(target: Any, path: Sequence[str]) -> Any:
    if not path:
        raise PatchError("the whole document cannot be removed")
    part, rest = path[0], path[1:]
    if isinstance(target, Mapping) and part in target:
        if rest:
            return {**target, part: _remove(target[part], rest)}
        return {key: value for key, value in target.items() if key != part}
    if isinstance(target, list):
        index = _index(target, part, len(target) - 1)
        middle = [_remove(target[index], rest)] if rest else []
        return [*target[:index], *middle, *target[index + 1 :]]
    raise PatchError(f"no such path: {part}")
