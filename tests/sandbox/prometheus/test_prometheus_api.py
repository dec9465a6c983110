"""Prometheus' HTTP API: the recorded refusals word by word, and a real client library on top."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from load_lab import STARTED, LoadLab
from plain_server import mounted
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.util.retry import Retry

from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.prometheus import api as prometheus_api

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "prometheus" / "errors.jsonl").read_text().splitlines()
]


@dataclass
class Served:
    """A cluster's Prometheus on loopback."""

    lab: LoadLab
    faults: KubeFaults
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **parameters: Any) -> tuple[int, Any]:
        async with self.session.get(f"{self.url}{path}", params=parameters) as answer:
            return (
                answer.status,
                await answer.json() if answer.content_type == "application/json" else await answer.text(),
            )

    async def data(self, path: str, **parameters: Any) -> Any:
        status, body = await self.get(f"/api/v1/{path}", **parameters)
        assert (status, body["status"]) == (200, "success"), body
        return body["data"]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    lab = LoadLab()
    for service in ("cart", "search"):
        lab.service(service, {"v1": 4}, stableRS="v1", phase="Healthy")
    lab.rules("cart", {"record": "sgm:requests:rate5m", "expr": "vector(1)"},
              {"alert": "TooManyRequests", "expr": "sgm:requests:rate5m{service='cart'} > 0", "for": "1m",
               "labels": {"severity": "page"}, "annotations": {"summary": "busy"}})  # fmt: skip
    lab.pass_time(120)
    faults = KubeFaults()
    async with (
        mounted("/prometheus", prometheus_api.routes(lab.load, {"prod-eu1": faults})) as base,
        aiohttp.ClientSession() as session,
    ):
        yield Served(lab, faults, f"{base}/prometheus/prod-eu1", session)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: one["request"]["path"])
async def test_refusals_are_the_recorded_ones(served: Served, recorded: dict[str, Any]) -> None:
    expected = recorded["response"]
    async with served.session.get(served.url + recorded["request"]["path"]) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (expected["status"], expected["content_type"])
        if expected["status"] == 422:
            body = await answer.json()
            # The series in the message are the recorded exporter's.
            assert body["errorType"] == "execution"
            assert body["error"].startswith("found duplicate series for the match group {service=")
            assert body["error"].endswith(expected["body"]["error"].partition("];")[2])
        elif isinstance(expected["body"], str):
            assert await answer.text() == expected["body"]
        else:
            assert await answer.json() == expected["body"]


async def test_every_type_of_result_has_its_form(served: Served) -> None:
    at = STARTED.timestamp() + 120
    assert await served.data("query", query="1/0", time=at) == {"resultType": "scalar", "result": [at, "+Inf"]}
    assert (await served.data("query", query="0/0"))["result"][1] == "NaN"
    assert (await served.data("query", query='"text"', time=at))["result"] == [at, "text"]
    assert await served.data("query", query="nothing_here") == {"resultType": "vector", "result": []}
    found = await served.data("query", query="rollout_info", time="2026-11-23T14:02:00Z")
    assert found["result"][0]["value"] == [at, "1"]
    matrix = await served.data("query", query="http_requests_total{service='cart',code='200'}[1m]")
    assert matrix["resultType"] == "matrix"
    assert len(matrix["result"][0]["values"]) == 5
    ranged = await served.data("query_range", query="0/0", start=at - 10, end=at, step="5s")
    assert ranged["result"] == [{"metric": {}, "values": [[at - 10, "NaN"], [at - 5, "NaN"], [at, "NaN"]]}]


async def test_a_posted_query_is_the_same(served: Served) -> None:
    async with served.session.post(f"{served.url}/api/v1/query", data={"query": "count(rollout_info)"}) as answer:
        body = await answer.json()
    assert body["data"]["result"][0]["value"][1] == "2"
    async with served.session.post(f"{served.url}/api/v1/alerts") as answer:
        assert answer.status == 404


async def test_labels_and_series_can_be_explored(served: Served) -> None:
    names = await served.data("label/__name__/values")
    assert {"http_requests_total", "http_request_duration_seconds_bucket", "sgm:errors:ratio5m", "ALERTS"} <= set(names)
    assert await served.data("label/service/values", **{"match[]": "http_requests_total"}) == ["cart", "search"]
    assert "rollouts_pod_template_hash" in await served.data("labels")
    series = await served.data("series", **{"match[]": 'http_requests_total{service="cart",code!="404"}'})
    assert [one["code"] for one in series] == ["200", "500"]
    status, body = await served.get("/api/v1/series", **{"match[]": "sum("})
    assert (status, body["errorType"]) == (400, "bad_data")
    status, body = await served.get("/api/v1/label/a-b/values")
    assert (status, body["error"]) == (400, 'invalid label name: "a-b"')


async def test_alerts_and_rules_are_told(served: Served) -> None:
    (alert,) = (await served.data("alerts"))["alerts"]
    assert alert["state"] == "firing"
    assert alert["labels"]["alertname"] == "TooManyRequests"
    assert alert["annotations"] == {"summary": "busy"}
    assert datetime.fromisoformat(alert["activeAt"]) <= datetime.now(UTC) + timedelta(days=365)
    assert float(alert["value"]) > 0
    (group,) = (await served.data("rules"))["groups"]
    recording, alerting = group["rules"]
    assert (recording["type"], recording["name"]) == ("recording", "sgm:requests:rate5m")
    assert (alerting["type"], alerting["state"], alerting["duration"]) == ("alerting", "firing", 60)
    assert [one["type"] for one in (await served.data("rules", type="alert"))["groups"][0]["rules"]] == ["alerting"]
    status, body = await served.get("/api/v1/rules", type="x")
    assert (status, body["error"]) == (400, 'invalid parameter "type": not supported value "x"')


async def test_it_tells_what_it_is_and_that_it_is_ready(served: Served) -> None:
    assert (await served.data("status/buildinfo"))["version"] == "2.42.0"
    assert set(await served.data("status/runtimeinfo")) >= {"startTime", "storageRetention"}
    assert (await served.data("metadata", metric="up"))["up"][0]["type"] == "gauge"
    assert await served.data("targets") == {"activeTargets": [], "droppedTargets": []}
    assert await served.get("/-/ready") == (200, "Prometheus Server is Ready.\n")
    assert await served.get("/-/healthy") == (200, "Prometheus Server is Healthy.\n")
    assert (await served.get("/api/v1/query/more"))[0] == 404
    async with served.session.get(served.url.replace("prod-eu1", "nowhere") + "/-/ready") as answer:
        assert answer.status == 404


async def test_a_query_that_takes_too_long_is_given_up(served: Served) -> None:
    at = STARTED.timestamp()
    parameters = {"query": "sum(count_over_time(http_request_duration_seconds_bucket[1d]))"}
    status, body = await served.get("/api/v1/query_range", start=at - 5000, end=at, step=1, **parameters)
    assert (status, body["errorType"], body["error"]) == (503, "timeout", "query timed out in expression evaluation")


async def test_a_cluster_that_is_cut_off_takes_its_prometheus_along(served: Served) -> None:
    served.faults.hang = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(served.get("/-/ready"), 0.3)
    served.faults.hang = False
    assert (await served.get("/-/ready"))[0] == 200


async def test_the_client_library_reads_it(served: Served) -> None:
    def asked() -> tuple[Any, Any, Any, str]:
        client = PrometheusConnect(served.url, retry=Retry(total=0, raise_on_status=False), timeout=5)
        at = datetime.fromtimestamp(STARTED.timestamp() + 120, UTC)
        vector = client.custom_query("sum by (namespace) (sgm:requests:rate5m)")
        matrix = client.custom_query_range("sgm:requests:rate5m", at - timedelta(minutes=30), at, step="112")
        with pytest.raises(PrometheusApiClientException) as refused:
            client.custom_query("sum(")
        return vector, matrix, client.all_metrics(), str(refused.value)

    vector, matrix, names, refusal = await asyncio.to_thread(asked)
    assert [one["metric"] for one in vector] == [{"namespace": "app-cart"}, {"namespace": "app-search"}]
    assert {len(one["values"]) for one in matrix} == {17}
    assert "http_requests_total" in names
    assert "unclosed left parenthesis" in refusal
