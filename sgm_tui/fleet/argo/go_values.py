"""Values of Go templates: how Go prints them, and what stands for one that is not there."""

from __future__ import annotations

from collections.abc import Mapping

NO_VALUE = "<no value>"
"""What Go prints where a key is not there."""


class UnsupportedError(Exception):
    """Something real that is not understood here; the text names it."""


class Missing:
    """No such key."""


MISSING = Missing()


def printed(value: object) -> str:
    """Return a value as `fmt.Print` writes it."""
    if isinstance(value, Missing) or value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{' '.join(map(printed, value))}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{printed(value[key])}' for key in sorted(value))}]"
    return str(value)
