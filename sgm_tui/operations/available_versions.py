"""List the versions a service could be promoted to: every version git ever had, and every tag of the registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sgm_tui.fleet.images import parse_image
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import newest_first
from sgm_tui.threads import Lane, run_in

if TYPE_CHECKING:
    from sgm_tui.forge.registry import Registry
    from sgm_tui.gitops.history import History


def list_available_versions(
    history: History, registry: Registry | None, snapshot: Callable[[], FleetSnapshot]
) -> Callable[[ServiceName], Awaitable[tuple[Version, ...]]]:
    """Return a function that lists the versions of a service, newest first."""

    async def versions(service: ServiceName) -> tuple[Version, ...]:
        desired = await run_in(Lane.GIT_READS, history.versions_of, service)
        image = _image_of(snapshot(), service)
        tags = await registry.tags(image) if registry is not None and image else ()
        # A registry that does not answer is not an error here: the versions in git can still be chosen.
        return newest_first((*desired, *(() if isinstance(tags, str) else map(Version, tags))))

    return versions


def _image_of(snapshot: FleetSnapshot, service: ServiceName) -> str:
    """Return the image a service runs in any cell, without its version, or "" if it runs in none."""
    for key, cell in snapshot.cells.items():
        rollout = cell.facts.rollout if key.service == service else None
        for replica_set in rollout.replica_sets if rollout else ():
            for image in replica_set.images:
                return parse_image(image).name
    return ""
