"""A world: laid out settled, the same for a seed, quiet when nothing happens, and each scenario as it claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sgm_tui.sandbox.git.fleet_files import FleetFiles
from sgm_tui.sandbox.world.scenarios import SCENARIOS
from sgm_tui.sandbox.world.world import World

STARTED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    made: list[World] = []

    def make(scenario: str = "release", **options: Any) -> World:
        directory = tmp_path / str(len(made))
        world = World(scenario=SCENARIOS[scenario](), directory=directory, started_at=STARTED, **options)
        made.append(world)
        world.start()
        return world

    yield make
    for world in made:
        world.close()


def run(world: World, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    end = world.clock.now + seconds
    while world.clock.now < end and not until():
        world.step()


def states(world: World) -> dict[str, tuple[str, str]]:
    """Sync and health of every service's Application."""
    return {
        one["metadata"]["name"]: (one["status"]["sync"]["status"], one["status"]["health"]["status"])
        for one in world.hub.list("Application", "argocd")
        if "service" in (one["metadata"].get("labels") or {})
    }


def phases(world: World) -> Counter[str]:
    return Counter(one["status"]["phase"] for store in world.stores.values() for one in store.list("Rollout"))


def rollout(world: World, cluster: str, service: str) -> dict[str, Any]:
    found = world.stores[cluster].get("Rollout", f"app-{service}", service)
    assert found is not None
    return found


def cluster_of(world: World, where: str) -> str:
    return next(one.name for one in world.clusters if where in {one.name, one.stage})


def test_the_bundled_fleet_starts_settled_with_months_behind_it(make_world: MakeWorld) -> None:
    world = make_world(scenario="calm")
    assert set(states(world).values()) == {("Synced", "Healthy")}
    assert len(states(world)) == 60
    assert phases(world) == {"Healthy": 60}
    app = world.hub.get("Application", "argocd", "prod-eu1-checkout")
    assert app is not None
    assert app["status"]["sync"]["revision"] == world.repository.head()
    assert len(app["status"]["history"]) > 1
    assert app["status"]["history"][-1]["revision"] != world.repository.head()
    assert rollout(world, "prod-eu1", "checkout")["metadata"]["creationTimestamp"] < "2026-11-2"


def test_a_calm_world_stays_quiet(make_world: MakeWorld) -> None:
    world = make_world(scenario="calm")
    revisions = {name: one["metadata"]["generation"] for name, one in applications(world).items()}
    before = {name: store.revision for name, store in world.stores.items()}
    run(world, 60.0)
    assert set(states(world).values()) == {("Synced", "Healthy")}
    assert {name: one["metadata"]["generation"] for name, one in applications(world).items()} == revisions
    assert phases(world) == {"Healthy": 60}
    # Autoscalers write what they measure; nothing else moves.
    moved = {name: store.revision - before[name] for name, store in world.stores.items()}
    assert all(count <= 400 for count in moved.values()), moved


def applications(world: World) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in world.hub.list("Application", "argocd")}


def test_the_same_seed_is_the_same_world(make_world: MakeWorld) -> None:
    def told(world: World) -> list[Any]:
        seen: list[Any] = []
        for name, store in world.api_servers.items():
            store.listeners.append(
                lambda event, kind, obj, name=name: seen.append((name, event, kind, obj["metadata"]["name"]))
            )
        run(world, 40.0)
        return seen

    one, other = make_world(scenario="release", seed="s"), make_world(scenario="release", seed="s")
    assert one.repository.head() == other.repository.head()
    assert states(one) == states(other)
    assert told(one) == told(other)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("size", [{}, {"services": 4, "clusters": 3}])
def test_something_can_be_promoted_from_every_stage_in_every_scenario(
    make_world: MakeWorld, scenario: str, size: dict[str, int]
) -> None:
    world = make_world(scenario=scenario, **size)
    head = world.repository.head()
    files = FleetFiles({path: world.repository.read(head, path) or b"" for path in world.repository.blobs(head)})
    for before, after in (("dev", "staging"), ("staging", "prod")):
        clean = [
            (place, version)
            for place, version in files.waiting(before, after)
            if (place.service, version) not in world.defects
            and world.targets[cluster_of(world, place.where)].reachable
            and rollout(world, cluster_of(world, place.where), place.service)["status"]["phase"] == "Healthy"
        ]
        assert clean, f"{scenario}: nothing clean from {before} to {after}"


def test_a_commit_moves_its_service_and_every_revision(make_world: MakeWorld) -> None:
    world = make_world(scenario="calm")
    files = FleetFiles(world.files)
    place, version = next(one for one in files.waiting("staging", "prod") if "pause: {}" not in files.text(one[0]))
    cluster = cluster_of(world, place.where)
    world.people.deliver((place, version))
    name = f"{cluster}-{place.service}"
    run(world, 60.0, lambda: states(world)[name][0] == "OutOfSync")
    run(world, 30.0, lambda: states(world)[name] == ("Synced", "Progressing"))
    assert states(world)[name] == ("Synced", "Progressing")
    run(world, 900.0, lambda: states(world)[name] == ("Synced", "Healthy"))
    assert states(world)[name] == ("Synced", "Healthy")
    live = rollout(world, cluster, place.service)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{version}")
    assert live["status"]["stableRS"] == live["status"]["currentPodHash"]
    head = world.repository.head()
    assert {one["status"]["sync"]["revision"] for one in applications(world).values()} == {head}


def test_release_has_things_in_flight_everywhere(make_world: MakeWorld) -> None:
    world = make_world(scenario="release")
    found = [one for store in world.stores.values() for one in store.list("Rollout")]
    paused = [one for one in found if one["status"]["phase"] == "Paused"]
    reasons = {reason["reason"] for one in paused for reason in one["status"].get("pauseConditions") or ()}
    assert "CanaryPauseStep" in reasons
    assert "BlueGreenPause" in reasons
    gates = [
        one
        for one in paused
        if "canary" in one["spec"]["strategy"]
        and one["spec"]["strategy"]["canary"]["steps"][one["status"]["currentStepIndex"]] == {"pause": {}}
    ]
    assert gates
    moving = [one for one in found if one["status"]["phase"] != "Healthy"]
    assert len(moving) >= 4


def test_a_bad_canary_has_been_aborted_while_git_still_asks_for_it(make_world: MakeWorld) -> None:
    world = make_world(scenario="bad-canary")
    broken = [one for store in world.stores.values() for one in store.list("Rollout") if one["status"].get("abort")]
    assert len(broken) == 1
    (bad,) = broken
    assert bad["status"]["phase"] == "Degraded"
    assert "assessed Failed" in bad["status"]["message"]
    assert Counter(states(world).values())["Synced", "Degraded"] == 1


def test_the_next_bad_version_fails_in_staging_when_it_is_promoted(make_world: MakeWorld) -> None:
    world = make_world(scenario="bad-canary")
    files = FleetFiles(world.files)
    place, version = next(one for one in files.waiting("dev", "staging") if (one[0].service, one[1]) in world.defects)
    cluster = cluster_of(world, "staging")
    assert rollout(world, cluster_of(world, "dev"), place.service)["status"]["phase"] == "Healthy"
    world.people.deliver((place, version))
    run(world, 600.0, lambda: states(world)[f"{cluster}-{place.service}"][1] == "Degraded")
    live = rollout(world, cluster, place.service)
    assert live["status"]["abort"] is True
    assert "assessed Failed" in live["status"]["message"]


def test_drift_stays_out_of_sync(make_world: MakeWorld) -> None:
    world = make_world(scenario="drift")
    drifted = [name for name, (sync, _) in states(world).items() if sync == "OutOfSync"]
    assert len(drifted) == 3
    run(world, 120.0)
    assert [name for name, (sync, _) in states(world).items() if sync == "OutOfSync"] == drifted


def test_the_hub_goes_on_saying_a_dead_cluster_is_well(make_world: MakeWorld) -> None:
    world = make_world(scenario="outage")
    (dead,) = [name for name, target in world.targets.items() if not target.reachable]
    assert world.faults[dead].hang
    run(world, 150.0)
    assert {state for name, state in states(world).items() if name.startswith(dead)} == {("Synced", "Healthy")}
    world.reconnect(dead)
    assert not world.faults[dead].hang


def test_a_storm_moves_much_at_once(make_world: MakeWorld) -> None:
    world = make_world(scenario="storm")
    assert sum(count for phase, count in phases(world).items() if phase != "Healthy") >= 15


def test_a_world_taken_over_goes_on_where_git_stands(tmp_path: Path) -> None:
    first = World(scenario=SCENARIOS["calm"](), directory=tmp_path, started_at=STARTED)
    first.start()
    place, version = FleetFiles(first.files).waiting("dev", "staging")[0]
    first.people.deliver((place, version))
    head = first.repository.head()
    first.close()
    second = World(scenario=SCENARIOS["calm"](), directory=tmp_path, started_at=STARTED)
    second.start()
    try:
        assert second.repository.head() == head
        image = rollout(second, cluster_of(second, "staging"), place.service)["spec"]["template"]["spec"]["containers"][
            0
        ]
        assert image["image"].endswith(f":{version}")
    finally:
        second.close()


def test_values_that_do_not_render_make_the_application_unknown_with_helms_words(make_world: MakeWorld) -> None:
    world = make_world(scenario="calm", services=3, clusters=3)
    path = "staging/app-service/cart/values.yaml"
    good = world.repository.read(world.repository.head(), path) or b""
    broken = good.replace(b"  tag:", b"  tags:")
    world.repository.commit("main", {path: broken}, "feat(cart): staging -> broken", at=world.clock.wall())
    run(world, 10.0, lambda: states(world)["staging-eu1-cart"][0] == "Unknown")
    assert states(world)["staging-eu1-cart"] == ("Unknown", "Healthy")
    (condition,) = applications(world)["staging-eu1-cart"]["status"]["conditions"]
    assert condition["type"] == "ComparisonError"
    assert "failed running helm: `helm template . --name-template cart" in condition["message"]
    world.repository.commit("main", {path: good}, "fix(cart): staging", at=world.clock.wall())
    run(world, 10.0, lambda: states(world)["staging-eu1-cart"][0] == "Synced")
    assert states(world)["staging-eu1-cart"] == ("Synced", "Healthy")


def test_a_pull_request_is_merged_and_deployed(make_world: MakeWorld) -> None:
    world = make_world(scenario="calm", services=3, clusters=3)
    place, version = FleetFiles(world.files).waiting("dev", "staging")[0]
    world.people.propose((place, version))
    (pull,) = [one for one in world.github.pulls.values() if one.closed is None]
    run(world, 120.0, lambda: world.github.pulls.standing(pull).meets_rules)
    world.github.merger.merge(pull, "operator")
    name = f"staging-eu1-{place.service}"
    run(world, 60.0, lambda: states(world)[name][1] == "Progressing")
    run(world, 600.0, lambda: states(world)[name] == ("Synced", "Healthy"))
    image = rollout(world, "staging-eu1", place.service)["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(f":{version}")
