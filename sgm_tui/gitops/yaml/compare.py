"""Compare two values files of one service: the keys promoted with the version, and the remaining differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sgm_tui.fleet.plans.plan import Extra
from sgm_tui.gitops.yaml.values import UnreadableError, flatten_values, read_value
from sgm_tui.json_reader import read_json


def find_extra_keys(source: bytes, target: bytes, keys: Sequence[str]) -> tuple[Extra, ...]:
    """Return the keys of the policy that differ between two files, which a promotion changes too.

    Args:
        source: the file of the previous stage.
        target: the file to change.
        keys: `policy.travels`.

    Raises:
        UnreadableError: one of the files cannot be read, or a value has no form in JSON.
    """
    values = ((key, read_value(source, key), read_value(target, key)) for key in keys)
    return tuple(
        Extra(key, _format_json(key, new), "travels with the version")
        for key, new, current in values
        if new is not None and new != current
    )


def describe_differences(
    source: bytes, target: bytes, moved: Iterable[str], protected: Sequence[str]
) -> tuple[str, ...]:
    """Return the differences that stay: the protected keys in one line, the other keys in one.

    Args:
        source: the file of the previous stage.
        target: the file after the promotion.
        moved: the keys the promotion changes.
        protected: `policy.protected`.
    """
    moved_keys = tuple(moved)
    try:
        remaining = [key for key in find_differing_keys(source, target) if not _is_below(key, moved_keys)]
    except UnreadableError as error:
        return (f"cannot compare with the previous stage: {error}",)
    protected_keys = [key for key in remaining if _is_below(key, protected)]
    own_keys = [key for key in remaining if key not in protected_keys]
    return tuple(
        f"{why}: {', '.join(keys)}"
        for why, keys in (("protected", protected_keys), ("the stage’s own", own_keys))
        if keys
    )


def find_differing_keys(first: bytes, second: bytes) -> tuple[str, ...]:
    """Return every key whose value is not the same in both files, sorted.

    Raises:
        UnreadableError: one of the files cannot be read: then no key is known to be equal.
    """
    before, after = flatten_values(first), flatten_values(second)
    return tuple(sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key)))


def has_value(data: bytes, key: str, value: str) -> bool:
    """Whether a key of a file has this value already (JSON text; "" for no key).

    Raises:
        UnreadableError: the file cannot be read.
    """
    current = read_value(data, key)
    return current is None if not value else current == read_json(value)


def _format_json(key: str, value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{key} cannot be written back unchanged: quote it") from error


def _is_below(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)
