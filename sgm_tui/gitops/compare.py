"""Two values files of one service beside each other: what travels with a promotion, and what stays where it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sgm_tui.fleet.plan import Extra
from sgm_tui.fleet.text import clean

_LARGEST = 1 << 20
_DEEPEST = 20
_LONGEST = 60


def travelling(source: bytes, target: bytes, keys: Sequence[str]) -> tuple[Extra, ...]:
    """The further keys that a promotion takes along: those of the policy that differ between the two files."""
    if not keys:
        return ()
    here, there = _document(source), _document(target)
    found = ((key, _at(here, key), _at(there, key)) for key in keys)
    return tuple(
        Extra(key, json.dumps(wanted), "travels with the version")
        for key, wanted, held in found
        if wanted is not None and wanted != held
    )


def staying(source: bytes, target: bytes, moved: Iterable[str], protected: Sequence[str]) -> tuple[str, ...]:
    """What differs between the two files and does not travel: the protected keys in one line, the others in one."""
    taken = tuple(moved)
    left = [key for key in differing(source, target) if not _below(key, taken)]
    kept = [key for key in left if _below(key, protected)]
    own = [key for key in left if key not in kept]
    return tuple(f"{why}: {', '.join(keys)}" for why, keys in (("protected", kept), ("the stage’s own", own)) if keys)


def differing(one: bytes, other: bytes) -> tuple[str, ...]:
    """Every key whose value is not the same in both files, sorted."""
    here, there = _leaves(_document(one)), _leaves(_document(other))
    return tuple(sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key)))


def same_value(data: bytes, key: str, value: str) -> bool:
    """Whether a key of a file holds this value (JSON text; "" for none) already."""
    held = _at(_document(data), key)
    return held is None if not value else held == json.loads(value)


def _document(data: bytes) -> Mapping[str, Any]:
    """The first mapping of a file as plain values; empty where it cannot be read, which is said elsewhere."""
    if len(data) > _LARGEST or b"&" in data:
        return {}
    try:
        loaded = list(YAML(typ="safe", pure=True).load_all(data.decode("utf-8-sig")))
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        return {}
    return next((one for one in loaded if isinstance(one, Mapping)), {})


def _at(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document.get(part) if isinstance(document, Mapping) else None
    return document


def _leaves(value: Any, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Dotted key → its value in one line; lists count as one value."""
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        found: dict[str, str] = {}
        for name, one in value.items():
            found |= _leaves(one, f"{prefix}.{name}" if prefix else clean(str(name)), depth + 1)
        return found
    return {prefix: clean(json.dumps(value, default=str), _LONGEST)} if prefix else {}


def _below(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)
