"""The sizes of the stable and the new ReplicaSet of a canary, by the controller's own arithmetic.

Without a traffic router the share of pods is the share of traffic, so maxSurge and maxUnavailable bound every move;
with one, the canary is sized by its weight and the stable ReplicaSet keeps its size (or shrinks, if dynamicStableScale
is set).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sgm_tui.sandbox.rollouts.objects import ReplicaSet, Rollout, total_available, total_wanted

Counts = tuple[int, int]
"""The number of pods of the new and of the stable ReplicaSet."""


def set_weight(rollout: Rollout) -> int:
    """Return the weight the steps set, up to the current one."""
    if rollout.aborted:
        return 0
    index = rollout.step_index
    if rollout.step is None or index is None:
        return rollout.full_weight
    weights = [step["setWeight"] for step in rollout.steps[: index + 1] if step.get("setWeight") is not None]
    return int(weights[-1]) if weights else 0


def wanted_weight(rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None) -> int:
    """Return the same, but an abort that shrinks the canary step by step goes back the way it came."""
    if not (rollout.aborted and rollout.dynamic_stable and new and stable):
        return set_weight(rollout)
    missing = rollout.replicas - stable.available
    canary = missing if rollout.waits_long_after_abort else max(missing, new.available)
    for step in reversed(rollout.steps):
        weight = step.get("setWeight")
        if weight is not None and _by_weight(rollout, weight) < canary:
            return int(weight)
    return 0


def counts(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, other_sets: Sequence[ReplicaSet],
    weights: dict[str, dict[str, int]] | None,
) -> Counts:  # fmt: skip
    """Return the sizes a canary should have now."""
    if rollout.routed:
        return _routed_counts(rollout, new, stable, weights)
    return _basic_counts(rollout, new, stable, other_sets)


def at_wanted_counts(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, other_sets: Sequence[ReplicaSet],
    weights: dict[str, dict[str, int]] | None,
) -> bool:  # fmt: skip
    """Return whether the pods exist that a setWeight step waits for."""
    new_count, stable_count = counts(rollout, new, stable, other_sets, weights)
    if new is None or not (new.replicas == new_count and new.available == new_count):
        return False
    if not (rollout.routed and rollout.dynamic_stable) and not (
        stable is not None and stable.replicas == stable_count and stable.actual == stable_count
    ):
        return False
    return rollout.routed or total_available(other_sets) == 0


def _desired_counts(rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None) -> tuple[int | None, int]:
    """Return the number of pods set by a setCanaryScale step, and otherwise the weight."""
    if rollout.promote_full or not rollout.stable_hash or rollout.promoted:
        return None, rollout.full_weight
    scale = _canary_scale(rollout)
    if scale is not None and scale.get("replicas") is not None:
        return int(scale["replicas"]), 0
    if scale is not None and scale.get("weight") is not None:
        return None, int(scale["weight"])
    return None, wanted_weight(rollout, new, stable)


def _canary_scale(rollout: Rollout) -> dict[str, int] | None:
    index = rollout.step_index
    if not rollout.routed or rollout.step is None or index is None:
        return None
    if rollout.aborted and rollout.abort_scale_down_delay() is not None:
        return None
    for step in reversed(rollout.steps[: index + 1]):
        scale: dict[str, int] | None = step.get("setCanaryScale")
        if scale is not None:
            return None if scale.get("matchTrafficWeight") else scale
    return None


def _by_weight(rollout: Rollout, weight: int) -> int:
    return math.ceil(weight * rollout.replicas / rollout.full_weight)


def _routed_counts(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, weights: dict[str, dict[str, int]] | None
) -> Counts:
    set_replicas, weight = _desired_counts(rollout, new, stable)
    canary = _by_weight(rollout, weight) if set_replicas is None else set_replicas
    if set_replicas is None:
        canary = _at_least(rollout, canary)
    if not rollout.dynamic_stable:
        return canary, rollout.replicas
    stable_count = _by_weight(rollout, rollout.full_weight - weight)
    if weights is not None:
        stable_count = max(stable_count, _by_weight(rollout, weights["stable"]["weight"]))
        if rollout.aborted:
            canary = max(canary, _by_weight(rollout, weights["canary"]["weight"]))
    return _at_least(rollout, canary), _at_least(rollout, stable_count)


def _at_least(rollout: Rollout, count: int) -> int:
    least = (rollout.canary or {}).get("minPodsPerReplicaSet")
    return count if count == 0 or least is None else max(count, min(int(least), rollout.replicas))


def _basic_counts(
    rollout: Rollout, new: ReplicaSet | None, stable: ReplicaSet | None, other_sets: Sequence[ReplicaSet]
) -> Counts:
    surge, missing = rollout.fences
    _, weight = _desired_counts(rollout, new, stable)
    new_goal, stable_goal = _nearest(rollout.replicas, weight, rollout.full_weight, surge)
    two = stable is not None and (new is None or new.name != stable.name)
    if not two:
        new_goal, stable_goal = rollout.replicas, 0
    new_now = new.replicas if new else 0
    stable_now = stable.replicas if stable and two else 0
    most = rollout.replicas + surge
    new_count, stable_count = _scaled_up(
        (new_now, new_goal), (stable_now, stable_goal), most - total_wanted(other_sets) - new_now - stable_now
    )
    if total_wanted(other_sets) > 0:
        return new_count, stable_count  # what is older goes first
    least = rollout.replicas - missing
    growing = new is None or new_goal >= new.replicas
    spare = _standing(new, any_state=not growing) + _standing(stable, any_state=growing) - least
    if spare <= 0:
        return new_count, stable_count
    if not growing:
        new_count = _drained(new, new_goal, spare, new_count)
        return _within_limits(new, stable, new_count, stable_count, most, least)
    if two:
        stable_count = _drained(stable, stable_goal, spare, stable_count)
        stable_count, new_count = _within_limits(stable, new, stable_count, new_count, most, least)
    return new_count, stable_count


def _scaled_up(new: tuple[int, int], stable: tuple[int, int], room: int) -> Counts:
    """Grow the stable ReplicaSet first, then the new one, into the available room."""
    new_count, stable_count = new[0], stable[0]
    if stable_count < stable[1] and room > 0:
        step = min(room, stable[1] - stable_count)
        stable_count += step
        room -= step
    if new_count < new[1] and room > 0:
        new_count += min(room, new[1] - new_count)
    return new_count, stable_count


def _nearest(replicas: int, weight: int, full: int, surge: int) -> Counts:
    """Return the numbers of pods whose share is nearest to a weight; with surge one more pod may be used."""
    if replicas == 0:
        return 0, 0
    up, down = math.ceil(replicas * weight / full), replicas * weight // full
    zero_allowed = weight in {full, 0} or (replicas == 1 and surge == 0)
    options: list[tuple[int, int]] = []
    if up < replicas or zero_allowed:
        options.append((up, replicas))
    if not _tied(weight, full, replicas) and (down != 0 or zero_allowed):
        options.append((down, replicas))
    if surge > 0:
        options.append((up, replicas + 1))
        if not _tied(weight, full, replicas + 1) and (down != 0 or zero_allowed):
            options.append((down, replicas + 1))
    if not options:
        return 0, replicas
    canary, total = min(options, key=lambda option: abs(option[0] * full / option[1] - weight))
    return canary, total - canary


def _tied(weight: int, full: int, total: int) -> bool:
    return math.modf(total * (weight / full))[0] == 0.5


def _standing(replica_set: ReplicaSet | None, *, any_state: bool) -> int:
    """Return the pods that count when others are removed; those of the drained side count in any state."""
    if replica_set is None:
        return 0
    return replica_set.replicas if any_state or replica_set.replicas < replica_set.available else replica_set.available


def _drained(replica_set: ReplicaSet | None, goal: int, spare: int, count: int) -> int:
    return max(goal, replica_set.replicas - spare) if replica_set is not None and replica_set.replicas > goal else count


def _within_limits(
    drained: ReplicaSet | None, other: ReplicaSet | None, drained_count: int, other_count: int, most: int, least: int
) -> Counts:
    """Keep the sum under the surge limit without going below the least that must be available."""
    if other is None:
        return drained_count, other_count
    adjusted = other_count - max(0, other_count + drained_count - most)
    available = min(other.available, adjusted) + (min(drained.available, drained_count) if drained else 0)
    lost = max(0, other.available - adjusted)
    adjusted += min(lost, max(0, least - available))
    return drained_count - max(0, adjusted + drained_count - most), adjusted
