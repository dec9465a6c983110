"""How a cell's Rollout fared in the past: one range query of its cluster's Prometheus, asked when somebody looks.

The Rollouts controller exports `rollout_info`, one series a phase, and only the one the Rollout is in. So the query
has to yield 1 where it was healthy, 0 where it was something else, and nothing where nobody looked.
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta

from sgm_tui.config.schema import ClusterConfig, Config
from sgm_tui.errors import SgmError
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.reverts.health import Samples
from sgm_tui.live.naming import Naming
from sgm_tui.live.prometheus import Rows, asking, number, told
from sgm_tui.live.single_call_thread import Aside

QUERY = "healthy"
"""Its name under `prometheus.queries`."""
# The phase is in the controller's own words (protocols C4): what status.phase calls Healthy is Completed here. A
# Prometheus that does not honour labels calls the Rollout's own namespace `exported_namespace`.
_HEALTHY = (
    'rollout_info{exported_namespace="{namespace}",name="{rollout}",phase="Completed"}'
    ' or rollout_info{namespace="{namespace}",name="{rollout}",phase="Completed"}'
)
_ANY = (
    'rollout_info{exported_namespace="{namespace}",name="{rollout}"}'
    ' or rollout_info{namespace="{namespace}",name="{rollout}"}'
)
DEFAULT = f"max({_HEALTHY}) or 0 * max({_ANY})"
_POINTS = 10_000
"""At most; Prometheus refuses more than 11 000."""
_FINEST = 30.0
"""Seconds from one point to the next, at least: about as often as Prometheus itself looks."""
_FURTHEST = timedelta(days=90)
"""So far back is asked: further, the points would lie too far apart to see a rollout between them."""
_PATIENCE = 6.0
_SILENT = 15.0
"""Seconds in which a Prometheus that gave no answer is not asked again: every cell of its cluster would wait for it."""
_WHAT = "its health history"


class HealthHistory:
    """Asks each cluster's Prometheus."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._naming = Naming(config)
        self._silent: dict[str, tuple[float, str]] = {}
        """Cluster → until when it is not asked, and why."""

    async def samples(self, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        """Whether the Rollout of a cell was healthy, at regular moments; or why nobody knows."""
        cluster = self._naming.clusters.get(key.cluster)
        if cluster is None or not cluster.prometheus:
            return f"no prometheus is configured for {key.cluster}"
        now = asyncio.get_running_loop().time()
        until_then, why = self._silent.get(key.cluster, (now, ""))
        if until_then > now:
            return why
        aside = Aside(cluster.prometheus, _PATIENCE)
        try:
            return await aside.result_of(lambda: self._asked(cluster, key, since, until))
        except SgmError as error:
            self._silent[key.cluster] = now + _SILENT, error.message
            return error.message
        finally:
            aside.end()

    def _asked(self, cluster: ClusterConfig, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        begin = max(since, until - _FURTHEST).timestamp()
        step = step_for(until.timestamp() - begin)
        # On whole steps, so that the same moments are asked for again and again: Prometheus may know the answer.
        start = math.floor(begin / step) * step
        moments = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(until.timestamp(), UTC)
        with asking(cluster.prometheus.rstrip("/"), self._config.metrics) as prometheus:
            rows = prometheus.over(_WHAT, self._query(key), *moments, step)
        with told(f"{cluster.prometheus}: {_WHAT}"):
            return _samples(rows, start, step, math.floor((until.timestamp() - start) / step) + 1)

    def _query(self, key: CellKey) -> str:
        query = self._config.metrics.queries.get(QUERY) or DEFAULT
        values = {
            "{namespace}": self._naming.namespace_of(key.service),
            "{rollout}": self._config.rollouts.name.replace("{service}", key.service),
            "{service}": key.service,
            "{cluster}": key.cluster,
        }
        for name, value in values.items():
            query = query.replace(name, _quoted(value))
        return query


def step_for(seconds: float) -> int:
    """Whole seconds from one point to the next, so that so many seconds have few enough of them."""
    return math.ceil(max(_FINEST, seconds / _POINTS))


def _samples(rows: Rows, start: float, step: int, count: int) -> Samples | str:
    if len(rows) > 1:
        return f"prometheus.queries.{QUERY} yields {len(rows)} series, not one"
    values: list[bool | None] = [None] * count
    for at, text in rows[0]["values"] if rows else ():
        index, value = round((float(at) - start) / step), number(text)
        if 0 <= index < count and value is not None:
            values[index] = value >= 1
    return Samples(start, float(step), tuple(values))


def _quoted(text: str) -> str:
    """Inside of the quotes of PromQL: a folder of a repository may be called anything."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
