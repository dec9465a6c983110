"""The past health of a cell against a server on loopback that answers as Prometheus does, and as it should not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from test_metrics_http import CHECKOUT, CONFIG, Prometheus, always, good

from sgm_tui.config.schema import ClusterConfig, Config, MetricsConfig, StageConfig
from sgm_tui.fleet.model import ServiceName
from sgm_tui.fleet.reverts.health import Samples
from sgm_tui.live.health import HealthHistory, step_for

UNTIL = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
RANGE = "/api/v1/query_range"


def config_of(url: str, **queries: str) -> Config:
    cluster = ClusterConfig("prod-eu1", "prod", "eu1", prometheus=url)
    return replace(CONFIG, stages=(StageConfig("prod", (cluster,)),), metrics=MetricsConfig(queries=queries))


def matrix(*series: list[list[Any]]) -> web.Response:
    return good({"resultType": "matrix", "result": [{"metric": {}, "values": one} for one in series]})


class Server(Prometheus):
    """Answers a range query with what a test says, by the moments that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.series: list[list[list[Any]]] = []
        self.instead[RANGE] = self.range

    async def range(self, _: web.Request) -> web.Response:
        return matrix(*self.series)


@asynccontextmanager
async def serving(server: Prometheus) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def fetch_samples(server: Prometheus, hours: float = 1.0, **queries: str) -> Samples | str:
    async with serving(server) as url:
        history = HealthHistory(config_of(url, **queries))
        return await history.samples(CHECKOUT, UNTIL - timedelta(hours=hours), UNTIL)


async def test_one_range_query_tells_when_the_rollout_was_healthy_when_not_and_when_nobody_looked() -> None:
    server, end = Server(), UNTIL.timestamp()
    server.series = [[[end - 60, "1"], [end - 30, "0"], [end, "NaN"]]]
    samples = await fetch_samples(server)
    assert isinstance(samples, Samples)
    assert (samples.step, len(samples.values)) == (30.0, 121)
    assert samples.values[-4:] == (None, True, False, None)
    assert len(server.requests) == 1
    query = server.requests[0].query["query"]
    assert 'namespace="app-checkout",name="checkout",phase="Completed"' in query
    assert "or 0 * max(" in query


async def test_a_long_past_is_asked_for_in_fewer_points_than_prometheus_refuses() -> None:
    server = Server()
    await fetch_samples(server, hours=24 * 365)
    request = server.requests[0].query
    span, step = float(request["end"]) - float(request["start"]), float(request["step"])
    assert span / step < 11_000
    assert span <= 91 * 86400
    assert (step_for(60), step_for(30 * 86400)) == (30, 260)


async def test_the_teams_own_query_is_asked_with_the_names_of_the_cell() -> None:
    server = Server()
    await fetch_samples(server, healthy='up{ns="{namespace}",app="{service}",of="{cluster}",ro="{rollout}"}')
    assert server.requests[0].query["query"] == 'up{ns="app-checkout",app="checkout",of="prod-eu1",ro="checkout"}'


async def test_a_service_with_a_name_that_is_no_name_stays_inside_of_its_quotes() -> None:
    server = Server()
    async with serving(server) as url:
        history = HealthHistory(config_of(url, healthy='up{app="{service}"}'))
        odd = replace(CHECKOUT, service=ServiceName('a"} or vector(1) #\\'))
        await history.samples(odd, UNTIL, UNTIL)
    assert server.requests[0].query["query"] == 'up{app="a\\"} or vector(1) #\\\\"}'


async def test_several_series_are_ambiguous_and_none_at_all_is_no_measurement() -> None:
    server = Server()
    server.series = [[], []]
    assert await fetch_samples(server) == "prometheus.queries.healthy yields 2 series, not one"
    server.series = []
    samples = await fetch_samples(server)
    assert isinstance(samples, Samples)
    assert set(samples.values) == {None}


async def test_a_prometheus_that_refuses_or_talks_nonsense_is_a_reason_and_no_error() -> None:
    server = Server()
    server.instead[RANGE] = always('{"status": "error", "error": "too many points"}', 400)
    assert "too many points" in str(await fetch_samples(server))
    server.instead[RANGE] = always('{"status": "success", "data": {"result": [{"values": [1]}]}}')
    assert "cannot be read" in str(await fetch_samples(server))


async def test_a_silent_prometheus_is_not_asked_again_for_every_cell_of_its_cluster() -> None:
    server = Server()
    server.instead[RANGE] = always("down", 503, "text/plain")
    async with serving(server) as url:
        history = HealthHistory(config_of(url))
        first = await history.samples(CHECKOUT, UNTIL, UNTIL)
        assert await history.samples(CHECKOUT, UNTIL, UNTIL) == first
    assert len(server.requests) == 1


async def test_a_cluster_without_prometheus_says_so() -> None:
    samples = await HealthHistory(config_of("")).samples(CHECKOUT, UNTIL, UNTIL)
    assert samples == "no prometheus is configured for prod-eu1"
