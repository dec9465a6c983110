"""The past health of a cell's Rollout: one range query of its cluster's Prometheus, sent on demand.

The Rollouts controller exports `rollout_info` with the phase as a label, for the current phase only. So the query has
to yield 1 where the Rollout was healthy, 0 where it was not, and nothing where it was not scraped.
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
from sgm_tui.live.prometheus import Rows, connect, finite_number, translate_errors
from sgm_tui.live.single_call_thread import SingleCallThread

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
_MOST_POINTS = 10_000
"""Prometheus refuses more than 11 000."""
_SHORTEST_STEP = 30.0
"""Seconds from one point to the next, at least: about the usual scrape interval."""
_LONGEST_RANGE = timedelta(days=90)
"""The points of a longer range would lie too far apart to show a rollout between them."""
_DEADLINE = 6.0
_RETRY_SECONDS = 15.0
"""Seconds until a Prometheus that failed is queried again: every cell of its cluster would wait for it."""
_SUBJECT = "its health history"


class HealthHistory:
    """Queries the past health of Rollouts from the Prometheus of their clusters."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._naming = Naming(config)
        self._failures: dict[str, tuple[float, str]] = {}
        """Cluster → when its Prometheus may be queried again (seconds of the loop's clock), and why not sooner."""

    async def samples(self, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        """Return whether the Rollout of a cell was healthy at regular times, or why that is unknown."""
        cluster = self._naming.clusters.get(key.cluster)
        if cluster is None or not cluster.prometheus:
            return f"no prometheus is configured for {key.cluster}"
        now = asyncio.get_running_loop().time()
        retry_at, reason = self._failures.get(key.cluster, (now, ""))
        if retry_at > now:
            return reason
        thread = SingleCallThread(cluster.prometheus, _DEADLINE)
        try:
            return await thread.run(lambda: self._query_samples(cluster, key, since, until))
        except SgmError as error:
            self._failures[key.cluster] = now + _RETRY_SECONDS, error.message
            return error.message
        finally:
            thread.end()

    def _query_samples(self, cluster: ClusterConfig, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        first = max(since, until - _LONGEST_RANGE).timestamp()
        step = step_for(until.timestamp() - first)
        # On whole steps, so that repeated queries are for the same times, which Prometheus may have cached.
        start = math.floor(first / step) * step
        times = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(until.timestamp(), UTC)
        with connect(cluster.prometheus.rstrip("/"), self._config.metrics) as prometheus:
            rows = prometheus.query_range(_SUBJECT, self._query(key), *times, step)
        with translate_errors(f"{cluster.prometheus}: {_SUBJECT}"):
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
    """Return the whole seconds from one point to the next, for a range of so many seconds."""
    return math.ceil(max(_SHORTEST_STEP, seconds / _MOST_POINTS))


def _samples(rows: Rows, start: float, step: int, count: int) -> Samples | str:
    if len(rows) > 1:
        return f"prometheus.queries.{QUERY} yields {len(rows)} series, not one"
    values: list[bool | None] = [None] * count
    for at, text in rows[0]["values"] if rows else ():
        index, value = round((float(at) - start) / step), finite_number(text)
        if 0 <= index < count and value is not None:
            values[index] = value >= 1
    return Samples(start, float(step), tuple(values))


def _quoted(text: str) -> str:
    """Escape a text for a PromQL string: a service is named after a folder, which may be called anything."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
