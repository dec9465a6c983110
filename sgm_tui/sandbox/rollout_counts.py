"""How many pods each ReplicaSet of a basic canary gets: the real controller's arithmetic (utils/replicaset)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

FULL_WEIGHT = 100


def whole_or_percent(value: object, replicas: int, *, up: bool) -> int:
    """An `IntOrString` of pods: "25%" of the replicas, rounded up or down, or a number."""
    if isinstance(value, str) and value.endswith("%"):
        part = replicas * int(value[:-1]) / 100
        return math.ceil(part) if up else math.floor(part)
    return int(str(value))


def max_surge(canary: Mapping[str, Any], replicas: int) -> int:
    """Pods there may be above the wanted number."""
    return whole_or_percent(canary.get("maxSurge", "25%"), replicas, up=True)


def max_unavailable(canary: Mapping[str, Any], replicas: int) -> int:
    """Pods that may be missing; at least one where nothing may surge."""
    missing = min(whole_or_percent(canary.get("maxUnavailable", "25%"), replicas, up=False), replicas)
    return 1 if missing == 0 and max_surge(canary, replicas) == 0 else missing


def weighted(replicas: int, weight: int, surge: int) -> tuple[int, int]:
    """Canary and stable pods that come closest to a weight, with one pod more where that is allowed."""
    if replicas == 0:
        return 0, 0
    exact = replicas * weight / FULL_WEIGHT
    high, low = math.ceil(exact), math.floor(exact)
    ends = weight in {0, FULL_WEIGHT}
    options: list[tuple[int, int]] = []
    if high < replicas or ends:
        options.append((high, replicas))
    if not _tied(replicas, weight) and (low or ends):
        options.append((low, replicas))
    if surge > 0:
        options.append((high, replicas + 1))
        if not _tied(replicas + 1, weight) and (low or ends):
            options.append((low, replicas + 1))
    if not options:
        return 0, replicas
    canary, total = min(options, key=lambda one: abs(weight - one[0] * FULL_WEIGHT / one[1]))
    return canary, total - canary


def _tied(replicas: int, weight: int) -> bool:
    return (replicas * weight / FULL_WEIGHT) % 1 == 0.5


def next_counts(
    canary: Mapping[str, Any],
    replicas: int,
    wanted: tuple[int, int],
    new: tuple[int, int],
    stable: tuple[int, int] | None,
    others: Sequence[tuple[int, int]],
) -> tuple[int, int]:
    """The next pods of the new and the stable ReplicaSet on the way to what is wanted.

    Args:
        canary: the strategy, for its surge and unavailability.
        replicas: the Rollout's.
        wanted: new and stable pods in the end.
        new: pods asked for and available now.
        stable: the same of the stable ReplicaSet; None where there is no other than the new one.
        others: the same of older ones, which go first.
    """
    new_count = new[0]
    stable_count = stable[0] if stable else 0
    want_new, want_stable = wanted if stable else (replicas, 0)
    room = replicas + max_surge(canary, replicas) - new_count - stable_count - sum(one for one, _ in others)
    if stable and stable_count < want_stable and room > 0:
        raised = min(stable_count + room, want_stable)
        room -= raised - stable_count
        stable_count = raised
    if new_count < want_new and room > 0:
        new_count = min(new_count + room, want_new)
    if sum(one for one, _ in others) > 0:
        return new_count, stable_count
    available = new[1] + (stable[1] if stable else 0)
    spare = max(0, available - (replicas - max_unavailable(canary, replicas)))
    if new_count > want_new:
        lowered = max(want_new, new_count - spare - max(0, new[0] - new[1]))
        spare -= max(0, new_count - lowered)
        new_count = lowered
    if stable and stable_count > want_stable:
        stable_count = max(want_stable, stable_count - max(0, spare))
    return new_count, stable_count
