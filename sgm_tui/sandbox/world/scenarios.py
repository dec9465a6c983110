"""The scenarios of the sandbox: what is in progress when a world starts, by commits, edits and faults.

A scenario changes the files before they are committed, then runs in the virtual minutes before the start, so the same
controllers that continue a rollout have also started it. Services are chosen by their strategy, so every scenario works
with every size of fleet; in each, at least one service can be promoted from every stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sgm_tui.sandbox.agenda import Script
from sgm_tui.sandbox.git.fleet_files import FleetFiles, Place, next_version
from sgm_tui.sandbox.prometheus.server import Defect

if TYPE_CHECKING:
    from sgm_tui.sandbox.world.world import World

_STAGES = ("dev", "staging", "prod")
_EVERYWHERE = frozenset(_STAGES)
_UNDER_LOAD = frozenset({"staging", "prod"})
"""Stages with real traffic; a defect that needs it does not show in dev."""
_SET = "argocd/applicationsets/app-service.yaml"

_STORM = 90
"""The most places that change at once, however big the fleet."""

_VersionChange = tuple[Place, str]


class Scenario:
    """The scenario `calm` and base of the others: nothing in progress, a few versions to promote."""

    warm_up = 5.0
    """Virtual seconds simulated before the start."""

    def shape(self, world: World) -> None:
        """Change the files before they are committed: leave a version to promote between every two stages."""
        files = FleetFiles(world.files)
        if not files.waiting("staging", "prod"):
            files.advance(files.services[-1], _STAGES[:2])
        if not files.waiting("dev", "staging"):
            files.advance(files.services[0], _STAGES[:1])

    def play(self, world: World) -> Script:
        """Run the events over virtual time."""
        del world
        yield 0.0


class Release(Scenario):
    """Rollouts in progress: canaries, one at a manual gate, a blue-green before promotion, open pull requests."""

    warm_up = 260.0

    def play(self, world: World) -> Script:
        """Start the slow rollouts first, so that all are in progress at the start."""
        files = FleetFiles(world.files)
        waiting = files.waiting("staging", "prod")
        used_changes: list[_VersionChange] = []
        gated = _take_change(waiting, used_changes, lambda place: "pause: {}" in files.text(place))
        manual = _take_change(waiting, used_changes, lambda place: "autoPromotion: false" in files.text(place))
        rolling = [
            _take_change(waiting, used_changes, lambda place: not _needs_approval(files.text(place))) for _ in range(3)
        ]
        world.people.deliver(gated)
        yield 140.0
        world.people.deliver(manual)
        yield 60.0
        for change in rolling[:2]:
            world.people.deliver(change)
            yield 25.0
        behind = files.waiting("dev", "staging")
        if len(behind) > 1:
            world.people.deliver(behind[-1])
        for change in [*rolling[2:], *[other for other in waiting if other not in used_changes][-2:-1]]:
            world.people.propose(change)
            yield 2.0


class BadCanary(Scenario):
    """A canary that analysis aborted while git still has its version; the next bad version is in dev."""

    warm_up = 260.0

    def shape(self, world: World) -> None:
        """Give a service in dev a defective version."""
        super().shape(world)
        files = FleetFiles(world.files)
        if len({place.service for place, _ in files.waiting("dev", "staging")}) < 2:
            files.advance(files.services[len(files.services) // 2], _STAGES[:1])
        place, version = _with_analysis(files, files.waiting("dev", "staging"))[0]
        world.defects[place.service, version] = Defect(_UNDER_LOAD, error_ratio=0.22, latency_factor=1.6)

    def play(self, world: World) -> Script:
        """Deploy another bad version to one prod cluster, where it is aborted."""
        files = FleetFiles(world.files)
        defective = {service for service, _ in world.defects}
        waiting = _with_analysis(files, files.waiting("staging", "prod"))
        fit = [change for change in waiting if change[0].service not in defective]
        chosen = next((change for change in fit if not _needs_approval(files.text(change[0]))), None)
        place = chosen[0] if chosen else files.of(files.services[0], "prod")[0]
        version = next_version(files.version(place), 2)
        world.defects[place.service, version] = Defect(_UNDER_LOAD, error_ratio=0.31, latency_factor=2.2)
        world.people.deliver((place, version))
        yield 0.0


class Drift(Scenario):
    """Drift: self-heal is off and people edited the clusters by hand, so Applications stay OutOfSync."""

    warm_up = 60.0

    def shape(self, world: World) -> None:
        """Turn self-heal off in the ApplicationSet."""
        super().shape(world)
        FleetFiles(world.files).replace(_SET, "selfHeal: true", "selfHeal: false")

    def play(self, world: World) -> Script:
        """Edit two autoscalers and an image by hand."""
        files = FleetFiles(world.files)
        promotable = {place.path for place, _ in files.waiting("staging", "prod")}
        quiet = [place for place in files.places if place.stage == "prod" and place.path not in promotable]
        for number, place in enumerate((quiet or files.places[-1:])[:: max(1, len(quiet) // 3)][:3]):
            if number == 1:
                world.people.edit_image(place, next_version(files.version(place)))
            else:
                world.people.edit_scaling(place, 2 + number)
            yield 10.0


class Outage(Scenario):
    """A prod cluster is unreachable; the hub still reports its Applications as Synced and Healthy."""

    warm_up = 45.0

    def play(self, world: World) -> Script:
        """Make the last prod cluster unreachable shortly before the start."""
        yield 20.0
        prod = [change for change in world.clusters if change.stage == "prod"]
        # The only prod cluster stays reachable: otherwise nothing could be promoted.
        world.cut_off(prod[-1].name if len(prod) > 1 else world.clusters[0].name)


class Storm(Scenario):
    """Everything at once: rollouts in every cluster, a bad version among them, and alerts."""

    warm_up = 75.0

    def shape(self, world: World) -> None:
        """Give a service in prod a defective version, so that its alerts fire."""
        super().shape(world)
        files = FleetFiles(world.files)
        service = files.services[len(files.services) // 3]
        for place in files.of(service, "prod"):
            world.defects[service, files.version(place)] = Defect(frozenset({"prod"}), 0.09, 1.9)

    def play(self, world: World) -> Script:
        """Deploy a new version to two thirds of the fleet, a few places at a time."""
        files = FleetFiles(world.files)
        left_alone = (*files.waiting("staging", "prod")[-1:], *files.waiting("dev", "staging")[-1:])
        quiet = {place.service for place, _ in left_alone}
        changes = [(place, next_version(files.version(place))) for place in files.places if place.service not in quiet]
        changes = [change for number, change in enumerate(changes) if number % 3][:_STORM]
        if changes:
            bad = changes[0]
            world.defects[bad[0].service, bad[1]] = Defect(_EVERYWHERE, error_ratio=0.4, latency_factor=3.0)
        groups = [changes[start::8] for start in range(8)]
        for group in groups:
            world.people.deliver(*group)
            yield 7.0


SCENARIOS: dict[str, type[Scenario]] = {
    "calm": Scenario,
    "release": Release,
    "bad-canary": BadCanary,
    "drift": Drift,
    "outage": Outage,
    "storm": Storm,
}
"""Name, as `--scenario` takes it → scenario."""


def _take_change(
    waiting: Sequence[_VersionChange], used_changes: list[_VersionChange], fits: Callable[[Place], bool]
) -> _VersionChange | None:
    """Return an unused change that fits, and mark it as used; None if only one is left, for people to promote."""
    if len(used_changes) + 1 >= len(waiting):
        return None
    services = {place.service for place, _ in used_changes}
    free = [one for one in waiting if one not in used_changes and one[0].service not in services and fits(one[0])]
    if not free:
        return None
    # Take the clusters in turn, so that not everything happens in the first one.
    chosen = free[len(used_changes) % len([one for one in free if one[0].service == free[0][0].service])]
    used_changes.append(chosen)
    return chosen


def _with_analysis(files: FleetFiles, waiting: Sequence[_VersionChange]) -> list[_VersionChange]:
    """Return the changes of canaries with an analysis step (the chart's default steps have one), else all changes."""

    def has_analysis(place: Place) -> bool:
        text = files.text(place)
        return "blueGreen" not in text and ("steps:" not in text or "analysis: {}" in text)

    return [one for one in waiting if has_analysis(one[0])] or list(waiting)


def _needs_approval(text: str) -> bool:
    return "pause: {}" in text or "autoPromotion: false" in text
