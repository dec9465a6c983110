"""How many pods each ReplicaSet of a canary gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_lab import rollout

from sgm_tui.sandbox.rollouts.objects import HASH_LABEL, ReplicaSet, Rollout
from sgm_tui.sandbox.rollouts.scale import at_wanted_counts, counts, set_weight


def replica_set(name: str, wanted: int, available: int | None = None) -> ReplicaSet:
    available = wanted if available is None else available
    return ReplicaSet.of(
        {
            "metadata": {"name": name, "uid": name, "labels": {HASH_LABEL: name}},
            "spec": {"replicas": wanted},
            "status": {"replicas": wanted, "readyReplicas": available, "availableReplicas": available},
        }
    )


def canary(weight: int, *, replicas: int = 10, status: dict[str, Any] | None = None, **strategy: Any) -> Rollout:
    steps = [{"setWeight": weight}, {"pause": {}}]
    found = rollout({"canary": {"steps": steps, **strategy}}, replicas=replicas)
    return Rollout({**found, "status": {"stableRS": "old", "currentPodHash": "new", **(status or {})}})


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "unavailable", "new", "stable", "expected"),
    [
        (10, 10, 1, 1, 0, 10, (1, 9)),
        (10, 30, 3, 0, 0, 10, (3, 10)),
        (10, 30, 0, 5, 0, 10, (0, 7)),
        (10, 5, 1, 1, 0, 10, (1, 10)),
        (1, 5, 1, 0, 0, 1, (1, 1)),
        (1, 95, 1, 0, 0, 1, (1, 1)),
        (5, 20, "25%", "25%", 0, 5, (1, 4)),
        (5, 60, "25%", "25%", 1, 4, (3, 3)),
        (4, 50, "25%", "25%", 0, 4, (1, 3)),
        (5, 100, "25%", "25%", 3, 2, (5, 1)),
    ],
    ids=str,
)
def test_pods_follow_the_weight_within_surge_and_unavailability(
    replicas: int, weight: int, surge: Any, unavailable: Any, new: int, stable: int, expected: tuple[int, int]
) -> None:
    asked = canary(weight, replicas=replicas, maxSurge=surge, maxUnavailable=unavailable)
    assert counts(asked, replica_set("new", new), replica_set("old", stable), [], None) == expected


@given(
    replicas=st.integers(1, 30),
    weight=st.integers(0, 100),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    new=st.integers(0, 20),
    stable=st.integers(0, 20),
)
def test_no_move_goes_above_the_surge_or_below_what_must_be_available(
    replicas: int, weight: int, surge: int, unavailable: int, new: int, stable: int
) -> None:
    surge = surge or (0 if unavailable else 1)
    asked = canary(weight, replicas=replicas, maxSurge=surge, maxUnavailable=unavailable)
    new_count, stable_count = counts(asked, replica_set("new", new), replica_set("old", stable), [], None)
    least = replicas - min(unavailable, replicas)
    assert new_count >= 0
    assert stable_count >= 0
    assert new_count + stable_count <= max(replicas + surge, new + stable)
    assert min(new_count, new) + min(stable_count, stable) >= min(least, new + stable)


@pytest.mark.parametrize("weight", [1, 10, 33, 50, 90, 99, 100])
def test_repeated_moves_arrive_at_the_weight_and_stay(weight: int) -> None:
    asked = canary(weight, replicas=7)
    new, stable = replica_set("new", 0), replica_set("old", 7)
    for _ in range(30):
        new_count, stable_count = counts(asked, new, stable, [], None)
        new, stable = replica_set("new", new_count), replica_set("old", stable_count)
    assert at_wanted_counts(asked, new, stable, [], None)
    assert new.replicas + stable.replicas in {7, 8}
    assert abs(new.replicas * 100 / (new.replicas + stable.replicas) - weight) <= 100 / 8


def test_older_pods_go_before_the_stable_ones() -> None:
    asked = canary(50, replicas=4)
    older = replica_set("older", 1)
    assert counts(asked, replica_set("new", 0), replica_set("old", 4), [older], None) == (0, 4)


def test_an_aborted_canary_goes_back_to_nothing() -> None:
    asked = canary(50, replicas=4, status={"abort": True})
    assert set_weight(asked) == 0
    assert counts(asked, replica_set("new", 2), replica_set("old", 2), [], None) == (1, 3)
    assert counts(asked, replica_set("new", 1), replica_set("old", 4), [], None) == (0, 4)


def test_with_a_traffic_router_the_stable_pods_stay_whole_unless_asked_to_shrink() -> None:
    routed = {"trafficRouting": {"nginx": {"stableIngress": "app"}}}
    plain, dynamic = canary(25, replicas=8, **routed), canary(25, replicas=8, dynamicStableScale=True, **routed)
    new, stable = replica_set("new", 0), replica_set("old", 8)
    assert counts(plain, new, stable, [], None) == (2, 8)
    weights = {"canary": {"weight": 0}, "stable": {"weight": 100}}
    assert counts(dynamic, new, stable, [], weights) == (2, 8)
    assert counts(dynamic, new, stable, [], {"canary": {"weight": 25}, "stable": {"weight": 75}}) == (2, 6)


def test_a_set_canary_scale_step_says_how_many_until_it_follows_the_weight_again() -> None:
    steps = [{"setCanaryScale": {"replicas": 3}}, {"setWeight": 50}, {"setCanaryScale": {"matchTrafficWeight": True}}]
    strategy = {"canary": {"steps": steps, "trafficRouting": {"plugins": {}}}}
    for index, expected in ((0, 3), (1, 3), (2, 4)):
        status = {"stableRS": "old", "currentPodHash": "new", "currentStepIndex": index}
        asked = Rollout({**rollout(strategy, replicas=8), "status": status})
        assert counts(asked, replica_set("new", 0), replica_set("old", 8), [], None) == (expected, 8)
