"""The services that write, once the configuration has been read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sgm_tui.fleet.model import ServiceName, Version

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config
    from sgm_tui.operations.audit import Audit
    from sgm_tui.operations.planning import Planning
    from sgm_tui.operations.promoter import Promoter
    from sgm_tui.operations.pull_requests import PullRequests
    from sgm_tui.operations.recovery import Recovery
    from sgm_tui.operations.reverter import Reverter
    from sgm_tui.operations.rollout_actions import RolloutActions
    from sgm_tui.operations.waves import Waves


class Refreshable(Protocol):
    """Something that can refresh on request."""

    def refresh(self) -> None:
        """Refresh now."""
        ...


@dataclass(frozen=True, slots=True)
class WriteServices:
    """Everything that writes, once the configuration has been read."""

    config: Config
    planning: Planning
    promoter: Promoter
    reverter: Reverter
    recovery: Recovery
    waves: Waves
    audit: Audit
    pulls: PullRequests | None
    """None if no forge is configured."""
    rollouts: RolloutActions
    versions: Callable[[ServiceName], Awaitable[tuple[Version, ...]]]
    """Returns every version of a service in git's history or the registry, newest first."""
