"""The autoscalers of one cluster: bounds and wishes, looked at now and then because they change slowly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import Scaling
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import Lost, Observation, Off, ScalingListed
from sgm_tui.live.connection import AbsentError, ClusterConnection
from sgm_tui.live.naming import Naming
from sgm_tui.live.polling import Moves, always, rest
from sgm_tui.live.rollout_wire import tracked_by
from sgm_tui.live.watch import Backoff, list_all
from sgm_tui.live.wire import Metadata, Wire
from sgm_tui.untrusted_text import clean

_PATH = "/apis/autoscaling/v2/horizontalpodautoscalers"
_SECONDS = 20.0
_QUIET = 60.0
"""Seconds between two looks at a cluster in which nothing moves."""
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

    def __init__(self, connection: ClusterConnection, cluster: str, naming: Naming, moves: Moves = always) -> None:
        self.source = SourceId("scaling", cluster)
        self._connection = connection
        self._cluster = cluster
        self._naming = naming
        self._moves = moves
        self._wake = asyncio.Event()

    def refresh(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self, publish: Callable[[Observation], None]) -> None:
        """Publish every autoscaler of a Rollout, for ever."""
        waits = Backoff(self._connection.pace)
        while True:
            pause, quiet = _SECONDS, _QUIET
            try:
                items, _ = await list_all(self._connection, _PATH, deadline=self._connection.pace.unary)
                waits.reset()
                publish(ScalingListed(self.source, self._scaling(items)))
            except AbsentError as error:
                publish(Off(self.source, error.message))
            except SgmError as error:
                pause, quiet = max(waits.next(), 1.0), 0.0
                publish(Lost(self.source, error.message, pause))
            await rest(self._wake, pause, quiet=quiet, moves=self._moves)

    def _scaling(self, items: list[msgspec.Raw]) -> dict[CellKey, Scaling]:
        found: dict[CellKey, Scaling] = {}
        for raw in items:
            try:
                one = msgspec.json.decode(raw, type=_Autoscaler, strict=False)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                _log.warning("an autoscaler of %s cannot be read: %s", self._cluster, error)
                continue
            target = one.spec.scale_target_ref
            application = tracked_by(one.metadata)
            key = self._naming.of_rollout(self._cluster, one.metadata.namespace, target.name, application)
            if key is not None and target.kind == "Rollout":
                found[key] = _domain(one)
        return found


def _domain(one: _Autoscaler) -> Scaling:
    limited = any(
        condition.type == "ScalingLimited" and condition.status == "True" and condition.reason == "TooManyReplicas"
        for condition in one.status.conditions or ()
    )
    desired = one.status.desired_replicas or 0
    return Scaling(
        minimum=1 if one.spec.min_replicas is None else one.spec.min_replicas,
        maximum=one.spec.max_replicas,
        current=one.status.current_replicas or 0,
        desired=desired,
        maxed=limited and desired >= one.spec.max_replicas,
        trouble=_trouble(one.status.conditions or ()),
    )


def _trouble(conditions: Sequence[_Condition]) -> str:
    """What it fails to do, to scale or to read its metrics; one that is switched off (zero replicas) has none."""
    failing = (
        condition.message or condition.reason
        for condition in conditions
        if condition.type in {"AbleToScale", "ScalingActive"}
        and condition.status == "False"
        and condition.reason != "ScalingDisabled"
    )
    return clean(next(failing, ""), _MESSAGE)
