"""Metrics and alerts against a server on loopback that answers as Prometheus does, and as it should not."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sgm_tui.config.schema import ClusterConfig, Config, MetricsConfig, RepositoryConfig, StageConfig
from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.fleet.updates import AlertsListed, MetricsListed, SourceUnreachable, SourceUpdate
from sgm_tui.live.metrics import MetricsSource
from sgm_tui.live.naming import Naming
from sgm_tui.live.prometheus import finite_number
from sgm_tui.live.prometheus_access import authorities, basic_auth_for
from sgm_tui.live.single_call_thread import SingleCallThread

Answer = Callable[[web.Request], Awaitable[web.Response]]

CONFIG = Config(
    RepositoryConfig("https://github.com/acme/gitops.git"),
    (StageConfig("prod", (ClusterConfig("prod-eu1", "prod", "eu1"),)),),
)
CHECKOUT = CellKey(ServiceName("checkout"), StageName("prod"), ClusterName("prod-eu1"))


PARSE_ERROR = 'invalid parameter "query": it\'s no "expression"'


class Prometheus:
    """What the server says, and what it was asked."""

    def __init__(self) -> None:
        self.values: dict[str, list[tuple[str, str]]] = {}
        """Recording rule → (namespace, value) of its series."""
        self.points: list[tuple[float, str]] = []
        self.alerts: list[dict[str, Any]] = []
        self.instead: dict[str, Answer] = {}
        """Path → what is answered instead."""
        self.requests: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path in self.instead:
            return await self.instead[request.path](request)
        if request.path == "/api/v1/alerts":
            return good({"alerts": self.alerts})
        query = request.query["query"]
        rule = next((name for name in self.values if name in query), "")
        if request.path == "/api/v1/query_range":
            end = float(request.query["end"])
            series = [[end - before, value] for before, value in self.points]
            return good(
                {"resultType": "matrix", "result": [{"metric": {"namespace": "app-checkout"}, "values": series}]}
            )
        rows = [
            {"metric": {"namespace": namespace}, "value": [0, value]} for namespace, value in self.values.get(rule, ())
        ]
        return good({"resultType": "vector", "result": rows})


def good(data: object) -> web.Response:
    return web.json_response({"status": "success", "data": data})


def always(body: str, status: int = 200, content_type: str = "application/json") -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status, content_type=content_type)

    return answer


@asynccontextmanager
async def looking(
    prometheus: Prometheus, config: MetricsConfig | None = None, moves: Callable[[], bool] = lambda: True
) -> AsyncIterator[Looked]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", prometheus.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    source = MetricsSource(url, "prod-eu1", config or MetricsConfig(), Naming(CONFIG), moves)
    looked = Looked(source)
    task = asyncio.create_task(source.run(looked.queue.put_nowait))
    try:
        yield looked
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


class Looked:
    def __init__(self, source: MetricsSource) -> None:
        self.source = source
        self.queue: asyncio.Queue[SourceUpdate] = asyncio.Queue()
        self.waiting: list[SourceUpdate] = []

    async def next(self, kind: type[Any], of: str = "") -> Any:
        """The first of a kind not taken yet; what comes before it waits to be asked for."""
        for index, one in enumerate(self.waiting):
            if isinstance(one, kind) and of in {"", one.source.kind}:
                return self.waiting.pop(index)
        async with asyncio.timeout(60):
            while not (isinstance(update := await self.queue.get(), kind) and of in {"", update.source.kind}):
                self.waiting.append(update)
        return update

    async def lost(self, kind: str) -> str:
        reason: str = (await self.next(SourceUnreachable, kind)).reason
        return reason


async def test_every_metric_comes_with_one_query_and_belongs_to_its_cell() -> None:
    prometheus = Prometheus()
    prometheus.values = {
        "sgm:requests:rate5m": [("app-checkout", "12.5"), ("kube-system", "3")],
        "sgm:errors:ratio5m": [("app-checkout", "NaN")],
        "sgm:latency:p99_5m": [("app-checkout", "0.25")],
    }
    prometheus.points = [(1800.0, "1"), (900.0, "+Inf"), (0.0, "3")]
    async with looking(prometheus) as looked:
        metrics = (await looked.next(MetricsListed)).metrics
    assert set(metrics) == {CHECKOUT}
    update = metrics[CHECKOUT]
    assert (update.requests_per_second, update.error_ratio, update.latency_p99_seconds) == (12.5, None, 0.25)
    assert (update.trend[0], update.trend[8], update.trend[16]) == (1.0, None, 3.0)
    assert [request.path for request in prometheus.requests].count("/api/v1/query") == 3


async def test_several_series_for_one_cell_are_no_data_rather_than_the_first() -> None:
    prometheus = Prometheus()
    prometheus.values = {"sgm:requests:rate5m": [("app-checkout", "1"), ("app-checkout", "2")]}
    async with looking(prometheus) as looked:
        metrics = (await looked.next(MetricsListed)).metrics
    assert metrics[CHECKOUT].requests_per_second is None


@pytest.mark.parametrize("text", ["1.5", "-0.2", "1e308", "NaN", "+Inf"])
async def test_a_ratio_that_can_be_none_is_not_known_and_logged_once(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    prometheus = Prometheus()
    prometheus.values = {
        "sgm:requests:rate5m": [("app-checkout", "12.5")],
        "sgm:errors:ratio5m": [("app-checkout", text)],
    }
    async with looking(prometheus) as looked:
        await looked.next(MetricsListed)
        looked.source.refresh()
        metrics = (await looked.next(MetricsListed)).metrics
    assert (metrics[CHECKOUT].requests_per_second, metrics[CHECKOUT].error_ratio) == (12.5, None)
    (warning,) = [one.getMessage() for one in caplog.records if one.name == "sgm.metrics"]
    assert f"error_ratio of {CHECKOUT} is not known: Prometheus says {text}" in warning


async def test_a_ratio_a_rounding_beyond_its_range_is_the_end_of_the_range() -> None:
    prometheus = Prometheus()
    prometheus.values = {"sgm:errors:ratio5m": [("app-checkout", "1.0000000000000002")]}
    async with looking(prometheus) as looked:
        assert (await looked.next(MetricsListed)).metrics[CHECKOUT].error_ratio == 1.0


@pytest.mark.parametrize(
    "row", [None, "x", {}, {"metric": []}, {"metric": {}, "value": 3}, {"metric": {}, "value": []}]
)
async def test_a_series_that_cannot_be_read_costs_nobody_else_anything(
    row: object, caplog: pytest.LogCaptureFixture
) -> None:
    good_row = {"metric": {"namespace": "app-checkout"}, "value": [0, "0.25"], "values": []}

    async def answer(_: web.Request) -> web.Response:
        return good({"resultType": "vector", "result": [row, good_row]})

    prometheus = Prometheus()
    prometheus.alerts = [row, {"labels": {"alertname": "Burn", "namespace": "app-checkout"}, "state": "firing"}]  # type: ignore[list-item]
    prometheus.instead = {"/api/v1/query": answer, "/api/v1/query_range": answer}
    async with looking(prometheus) as looked:
        metrics = (await looked.next(MetricsListed)).metrics
        alerts = (await looked.next(AlertsListed)).alerts
    assert metrics[CHECKOUT].error_ratio == 0.25
    assert [one.service for one in alerts] == ["checkout"]
    assert any("cannot be read" in one.getMessage() for one in caplog.records)


async def test_alerts_know_their_service_and_the_ones_that_always_fire_are_left_out() -> None:
    prometheus = Prometheus()
    prometheus.alerts = [
        {"labels": {"alertname": "Watchdog"}, "annotations": {}, "state": "firing"},
        {
            "labels": {"alertname": "ErrorBudgetBurn", "severity": "page", "namespace": "app-checkout"},
            "annotations": {"summary": "burning \x1b[31mfast"},
            "state": "firing",
            "activeAt": "2026-11-23T09:00:00.123456789Z",
        },
    ]
    async with looking(prometheus) as looked:
        alerts = (await looked.next(AlertsListed)).alerts
    assert [(one.name, one.service, one.severity) for one in alerts] == [("ErrorBudgetBurn", "checkout", "page")]
    assert "\x1b" not in alerts[0].summary
    assert alerts[0].since is not None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (always(json.dumps({"status": "error", "error": PARSE_ERROR}), 400), PARSE_ERROR),
        (always("<html>sign in</html>", content_type="text/html"), "the server is not Prometheus"),
        (always('{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}'), "cannot be read"),
        (always('{"status":"success"}'), "cannot be read"),
        (always("upstream is down", 503), "503: upstream is down ("),
    ],
)  # fmt: skip
async def test_a_bad_answer_is_lost_with_the_metric_and_the_reason_in_the_servers_words(
    answer: Answer, expected: str
) -> None:
    prometheus = Prometheus()
    prometheus.instead["/api/v1/query"] = answer
    async with looking(prometheus) as looked:
        reason = await looked.lost("metrics")
    assert expected in reason
    assert "requests_per_second" in reason


async def test_a_server_without_alerts_still_tells_metrics_and_the_reverse() -> None:
    prometheus = Prometheus()
    prometheus.instead["/api/v1/alerts"] = always("404 page not found", 404)
    async with looking(prometheus) as looked:
        await looked.next(MetricsListed)
        assert "404" in await looked.lost("alerts")
    prometheus.instead = {"/api/v1/query": always("", 500)}
    async with looking(prometheus) as looked:
        await looked.lost("metrics")
        await looked.next(AlertsListed)


async def test_an_error_is_not_asked_again_by_itself() -> None:
    prometheus = Prometheus()
    prometheus.instead["/api/v1/query"] = always("", 503)
    async with looking(prometheus) as looked:
        await looked.lost("metrics")
        await looked.next(AlertsListed)
    assert sorted(request.path for request in prometheus.requests) == ["/api/v1/alerts", "/api/v1/query"]


async def test_a_refused_connection_is_lost_with_its_reason_and_refresh_looks_at_once() -> None:
    prometheus = Prometheus()
    async with looking(prometheus) as looked:
        await looked.next(AlertsListed)
        looked.source.refresh()
        await looked.next(MetricsListed)
    source = MetricsSource("http://127.0.0.1:1", "prod-eu1", MetricsConfig(), Naming(CONFIG))
    unreachable = Looked(source)
    task = asyncio.create_task(source.run(unreachable.queue.put_nowait))
    assert "cannot be reached: Connection refused" in await unreachable.lost("metrics")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_moves_is_looked_at_again_after_one_interval() -> None:
    calls: list[None] = []

    def moves() -> bool:
        calls.append(None)
        return True

    async with looking(Prometheus(), MetricsConfig(interval_seconds=0.01), moves) as looked:
        for _ in range(3):
            await looked.next(MetricsListed)
            passed = len(calls)
    assert passed == 2


async def test_the_credential_goes_to_the_server_and_to_no_other(tmp_path: Any) -> None:
    token = tmp_path / "token"
    token.write_text("an-open-secret\n")
    other, prometheus = Prometheus(), Prometheus()
    config = MetricsConfig(token_file=token)
    async with looking(other) as elsewhere:
        there = elsewhere.source._url.replace("127.0.0.1", "localhost")

        async def redirect(request: web.Request) -> web.Response:
            raise web.HTTPFound(f"{there}{request.path_qs}")

        prometheus.instead["/api/v1/query"] = redirect
        prometheus.instead["/api/v1/alerts"] = redirect
        async with looking(prometheus, config) as looked:
            await looked.lost("alerts")
    assert {request.headers.get("Authorization") for request in prometheus.requests} == {"Bearer an-open-secret"}
    assert {request.headers.get("Authorization") for request in other.requests} <= {None}


async def test_a_look_that_never_ends_is_given_up_and_not_asked_twice() -> None:
    release = threading.Event()
    thread = SingleCallThread("http://prometheus", deadline=0.05)
    with pytest.raises(UnreachableError, match="no answer within"):
        await thread.run(release.wait)
    with pytest.raises(UnreachableError, match="still"):
        await thread.run(release.wait)
    release.set()


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "", "1e400", "twelve", None])
def test_what_is_no_finite_number_is_no_data(text: object) -> None:
    assert finite_number(text) is None


async def test_credentials_and_headers_go_with_every_query_and_only_to_hosts_that_may_have_them(tmp_path: Path) -> None:
    password = tmp_path / "basic"
    password.write_text("mia:pass:word\n")
    config = MetricsConfig(basic_auth_file=password, headers={"X-Scope-OrgID": "acme"})
    basic = "Basic " + base64.b64encode(b"mia:pass:word").decode()
    for hosts, authorization in ((None, basic), (frozenset({"127.0.0.1"}), basic), (frozenset({"other"}), None)):
        prometheus = Prometheus()
        async with looking(prometheus, replace(config, credential_hosts=hosts)) as looked:
            await looked.next(AlertsListed)
        assert prometheus.requests
        for request in prometheus.requests:
            assert request.headers["X-Scope-OrgID"] == "acme"
            assert request.headers.get("Authorization") == authorization


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), ("no separator", "holds no user:password"), (b"\xff", "not UTF-8")]
)
def test_a_credential_file_that_cannot_be_used_is_said_by_its_key(
    tmp_path: Path, content: str | bytes | None, reason: str
) -> None:
    file = tmp_path / "basic"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnreachableError, match=f"prometheus.basic_auth_file .*{reason}"):
        basic_auth_for("http://127.0.0.1:1", MetricsConfig(basic_auth_file=file))


def test_certificate_authorities_come_from_the_configuration_then_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    environ = {"REQUESTS_CA_BUNDLE": "/etc/corporate.pem"}
    assert authorities(MetricsConfig(), {}) is True
    assert authorities(MetricsConfig(), environ) == "/etc/corporate.pem"
    with pytest.raises(UnreachableError, match=r"prometheus\.ca_file"):
        authorities(MetricsConfig(ca_file=file), environ)
    file.touch()
    assert authorities(MetricsConfig(ca_file=file), environ) == str(file)


PARTIAL = "No StoreAPIs matched for this query: partial response"


def with_remarks(data: object, **remarks: object) -> Answer:
    return always(json.dumps({"status": "success", "data": data, **remarks}))


@pytest.mark.parametrize(
    ("remarks", "note"),
    [
        ({"warnings": [PARTIAL]}, f"may be incomplete: {PARTIAL}"),
        ({"warnings": [PARTIAL, "another"], "infos": ["hint"]}, f"may be incomplete: {PARTIAL} (and 1 more)"),
        ({"infos": ["PromQL info: not a counter"]}, "Prometheus remarks: PromQL info: not a counter"),
        ({"warnings": ["\x1b[31mred"]}, "may be incomplete: ␛[31mred"),
        ({"warnings": []}, ""),
        ({"warnings": None}, ""),
        ({"warnings": "all of it"}, ""),
        ({"warnings": [{"a": 1}, 7]}, ""),
        ({}, ""),
    ],
    ids=["partial", "several", "infos only", "hostile", "empty", "null", "text", "no texts", "none"],
)
async def test_what_prometheus_warns_of_is_said_beside_its_numbers(remarks: dict[str, object], note: str) -> None:
    prometheus = Prometheus()
    prometheus.instead = {
        "/api/v1/query": with_remarks({"resultType": "vector", "result": []}, **remarks),
        "/api/v1/alerts": with_remarks({"alerts": []}, **remarks),
    }
    async with looking(prometheus) as looked:
        metrics, alerts = await looked.next(MetricsListed), await looked.next(AlertsListed)
    assert "\x1b" not in metrics.note
    assert (metrics.note, alerts.note) == (note, note)


async def test_a_warning_of_the_trend_alone_is_said_too() -> None:
    prometheus = Prometheus()
    prometheus.instead = {
        "/api/v1/query_range": with_remarks({"resultType": "matrix", "result": []}, warnings=[PARTIAL])
    }
    async with looking(prometheus) as looked:
        assert (await looked.next(MetricsListed)).note == f"may be incomplete: {PARTIAL}"
