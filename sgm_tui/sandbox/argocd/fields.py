"""Compare and merge desired and live objects field by field: only fields that git sets, or has removed, count.

Fields that only the live object has (`spec.paused`, the replicas an autoscaler writes, what a controller adds to a
selector) are not drift; the recordings show that Argo CD neither reports nor removes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KubeObject = dict[str, Any]

_COMPARED_METADATA = ("labels", "annotations")
_NOT_COMPARED = {"apiVersion", "kind", "metadata", "status"}


def differs(desired: KubeObject, live: KubeObject, before: KubeObject | None = None) -> bool:
    """Return whether applying `desired` would change the live object; `before` is the object as last applied."""
    earlier = _parts(before, None) if before else {}
    desired_parts = _parts(desired, before)
    return any(not _covers(live.get(part), value, earlier.get(part)) for part, value in desired_parts.items())


def applied(desired: KubeObject, live: KubeObject, before: KubeObject | None = None) -> KubeObject:
    """Return the live object after applying: git's fields set, fields git has removed deleted, others unchanged."""
    out = dict(live)
    for part, value in _parts(desired, before).items():
        previous = (before or {}).get(part)
        if part == "metadata":
            metadata = dict(live["metadata"])
            for name, labels in value.items():
                metadata[name] = _overlaid(metadata.get(name) or {}, labels, (previous or {}).get(name))
            out[part] = metadata
        else:
            out[part] = _overlaid(live.get(part), value, previous)
    return out


def _parts(desired: KubeObject, before: KubeObject | None) -> dict[str, Any]:
    """Return the top-level fields to compare, with only labels and annotations of the metadata."""
    parts: dict[str, Any] = {key: value for key, value in desired.items() if key not in _NOT_COMPARED}
    metadata = desired["metadata"]
    earlier = before["metadata"] if before else {}
    parts["metadata"] = {
        key: metadata.get(key) or {} for key in _COMPARED_METADATA if metadata.get(key) or earlier.get(key)
    }
    return parts


def _covers(live: Any, desired: Any, before: Any) -> bool:
    if live is desired:
        return True
    if isinstance(desired, Mapping):
        if not isinstance(live, Mapping):
            return not desired and live is None
        given_up = before.keys() - desired.keys() if isinstance(before, Mapping) else ()
        if any(key in live and live[key] == before[key] for key in given_up):
            return False
        earlier = before if isinstance(before, Mapping) else {}
        return all(
            key in live and _covers(live[key], value, earlier.get(key))
            for key, value in desired.items()
            if value is not None
        )
    if isinstance(desired, list):
        if not isinstance(live, list) or len(live) != len(desired):
            return not desired and not live
        return all(_covers(mine, value, None) for mine, value in zip(live, desired, strict=True))
    return bool(live == desired)


def _overlaid(live: Any, desired: Any, before: Any) -> Any:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        earlier = before if isinstance(before, Mapping) else {}
        foreign = {key: value for key, value in live.items() if key in desired or key not in earlier}
        overlay = {key: _overlaid(live.get(key), value, earlier.get(key)) for key, value in desired.items()}
        return {**foreign, **overlay}
    if isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        return [_overlaid(mine, value, None) for mine, value in zip(live, desired, strict=True)]
    return desired
