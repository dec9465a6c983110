"""The autoscalers of one cluster: replica bounds and targets, polled because they change slowly."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sgm_tui.fleet.facts import Scaling
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import ScalingListed, SourceOff, SourceUnreachable
from sgm_tui.live.connection import AbsentError, ClusterConnection
from sgm_tui.live.naming import Naming
from sgm_tui.live.rollout_wire import tracked_by
from sgm_tui.live.watch import backoff_of, list_all
from sgm_tui.live.wire import Metadata, RawObject, Unreadable, Wire, read_object
from sgm_tui.sources import IsActive, PollLoop, Publish
from sgm_tui.untrusted_text import clean

_PATH = "/apis/autoscaling/v2/horizontalpodautoscalers"
_INTERVAL = 20.0
_IDLE_INTERVAL = 60.0
"""Seconds between two polls of a cluster in which nothing is changing."""
_SHORTEST_RETRY = 1.0
_MESSAGE = 400
"""Characters of a message that are kept."""
_log = logging.getLogger("sgm.scaling")


class _Target(Wire, frozen=True):
    kind: str = ""
    name: str = ""


class _Spec(Wire, frozen=True):
    scale_target_ref: _Target = _Target()
    min_replicas: int | None = None
    max_replicas: int = 0


class _Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _Status(Wire, frozen=True):
    current_replicas: int | None = None
    desired_replicas: int | None = None
    conditions: tuple[_Condition, ...] | None = None


class _Autoscaler(Wire, frozen=True):
    metadata: Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


class ScalingSource:
    """Polls the HorizontalPodAutoscalers that scale Rollouts."""

    def __init__(
        self, connection: ClusterConnection, cluster: str, naming: Naming, is_active: IsActive = lambda: True
    ) -> None:
        """Poll nothing yet; `is_active` returns whether anything in the cluster is changing."""
        self.source = SourceId("scaling", cluster)
        self._connection = connection
        self._cluster = cluster
        self._naming = naming
        backoff = backoff_of(connection.pace)
        backoff.shortest = _SHORTEST_RETRY
        self._polling = PollLoop(_INTERVAL, backoff, idle_interval=_IDLE_INTERVAL, is_active=is_active)

    def refresh(self) -> None:
        """Poll now."""
        self._polling.wake()

    async def run(self, publish: Publish) -> None:
        """Publish every autoscaler of a Rollout until cancelled; failures are published, never raised."""

        async def poll() -> None:
            try:
                items, _ = await list_all(self._connection, _PATH, deadline=self._connection.pace.unary)
            except AbsentError as error:
                publish(SourceOff(self.source, error.message))
            else:
                publish(ScalingListed(self.source, self._scaling_by_cell(items)))

        await self._polling.run(
            poll, lambda error, pause: publish(SourceUnreachable(self.source, error.message, pause))
        )

    def _scaling_by_cell(self, items: list[RawObject]) -> dict[CellKey, Scaling]:
        scaling: dict[CellKey, Scaling] = {}
        for raw in items:
            autoscaler: _Autoscaler | Unreadable = read_object(raw, _Autoscaler)
            if isinstance(autoscaler, Unreadable):
                _log.warning("an autoscaler of %s cannot be read: %s", self._cluster, autoscaler.reason)
                continue
            metadata, target = autoscaler.metadata, autoscaler.spec.scale_target_ref
            key = self._naming.of_rollout(self._cluster, metadata.namespace, target.name, tracked_by(metadata))
            if key is not None and target.kind == "Rollout":
                scaling[key] = _to_scaling(autoscaler)
        return scaling


def _to_scaling(autoscaler: _Autoscaler) -> Scaling:
    spec, status = autoscaler.spec, autoscaler.status
    conditions, desired = status.conditions or (), status.desired_replicas or 0
    is_limited = any(
        condition.type == "ScalingLimited" and condition.status == "True" and condition.reason == "TooManyReplicas"
        for condition in conditions
    )
    return Scaling(
        minimum=1 if spec.min_replicas is None else spec.min_replicas,
        maximum=spec.max_replicas,
        current=status.current_replicas or 0,
        desired=desired,
        maxed=is_limited and desired >= spec.max_replicas,
        trouble=_failure(conditions),
    )


def _failure(conditions: Sequence[_Condition]) -> str:
    """Return why the autoscaler cannot scale or read its metrics; "" where it can, or is off (zero replicas)."""
    failing = (
        condition.message or condition.reason
        for condition in conditions
        if condition.type in {"AbleToScale", "ScalingActive"}
        and condition.status == "False"
        and condition.reason != "ScalingDisabled"
    )
    return clean(next(failing, ""), _MESSAGE)
