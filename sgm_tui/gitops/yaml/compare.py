"""Two values files of one service beside each other: what travels with a promotion, and what stays where it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sgm_tui.fleet.plans.plan import Extra
from sgm_tui.gitops.yaml.flat import flattened, value_at
from sgm_tui.gitops.yaml.values import UnreadableError


def find_extra_keys(source: bytes, target: bytes, keys: Sequence[str]) -> tuple[Extra, ...]:
    """The further keys that a promotion takes along: those of the policy that differ between the two files.

    Raises:
        UnreadableError: one of the files cannot be read, or a value has no form in JSON.
    """
    found = ((key, value_at(source, key), value_at(target, key)) for key in keys)
    return tuple(
        Extra(key, _json(key, wanted), "travels with the version")
        for key, wanted, held in found
        if wanted is not None and wanted != held
    )


def describe_differences(
    source: bytes, target: bytes, moved: Iterable[str], protected: Sequence[str]
) -> tuple[str, ...]:
    """What differs between the two files and does not travel: the protected keys in one line, the others in one."""
    taken = tuple(moved)
    try:
        left = [key for key in find_differing_keys(source, target) if not _below(key, taken)]
    except UnreadableError as error:
        return (f"cannot compare with the previous stage: {error}",)
    kept = [key for key in left if _below(key, protected)]
    own = [key for key in left if key not in kept]
    return tuple(f"{why}: {', '.join(keys)}" for why, keys in (("protected", kept), ("the stage’s own", own)) if keys)


def find_differing_keys(one: bytes, other: bytes) -> tuple[str, ...]:
    """Every key whose value is not the same in both files, sorted.

    Raises:
        UnreadableError: one of the files cannot be read: then nothing is known to be equal.
    """
    here, there = flattened(one), flattened(other)
    return tuple(sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key)))


def has_value(data: bytes, key: str, value: str) -> bool:
    """Whether a key of a file holds this value (JSON text; "" for none) already.

    Raises:
        UnreadableError: the file cannot be read.
    """
    held = value_at(data, key)
    return held is None if not value else held == json.loads(value)


def _json(key: str, value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{key} cannot be written back unchanged: quote it") from error


def _below(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)
