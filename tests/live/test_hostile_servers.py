"""A Prometheus or an API server that trickles, floods or redirects: a typed error in bounded time, nothing followed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import hostile
import pytest

from sgm_tui.config.schema import MetricsConfig
from sgm_tui.errors import UnreachableError
from sgm_tui.live import connection, prometheus
from sgm_tui.live.connection import ClusterConnection, Pace
from sgm_tui.live.prometheus import PrometheusClient
from sgm_tui.transport.limits import Limits

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
QUESTIONS: dict[str, Callable[[PrometheusClient], object]] = {
    "now": lambda one: one.query("requests", "up"),
    "over": lambda one: one.query_range("requests", "up", NOW, NOW, 60),
    "alerts": lambda one: one.alerts(),
}
PAGE = hostile.whole(b"<html>Sign in</html>")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_LIMITS", Limits(silence=0.3, total=0.5, size=1 << 20))
    monkeypatch.setattr(connection, "_LARGEST_ANSWER", 1 << 20)


def test_the_limits_of_prometheus_bound_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert prometheus._LIMITS.total <= 30
    assert prometheus._LIMITS.size <= 64 << 20


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "answer",
    [
        hostile.trickle(),
        hostile.trickle(b"HTTP/1.1 200 OK\r\nX-Slow:"),
        hostile.endless,
        hostile.bomb(),
        hostile.nested(),
        hostile.whole(b"[" * 50_000, "400 Bad Request"),
        hostile.elsewhere("http://127.0.0.1:1"),
        PAGE,
        *(
            hostile.whole(text)
            for text in (
                b"",
                b"null",
                b"{}",
                b"[]",
                b'"ok"',
                b'{"status": "success", "data": null}',
                b'{"status": "success", "data": {}}',
                b'{"status": "success", "data": {"result": {}, "alerts": {}}}',
                b'{"status": "success", "data": {"result": "none", "alerts": "none"}}',
                b'{"status": "error", "data": {"result": [], "alerts": []}}',
                b'{"status": "success", "data": {"result": [], "alerts": [',
                b'{"data": {"result": [], "alerts": []}}',
            )
        ),
    ],
)
def test_what_prometheus_does_not_say_is_not_none(question: str, answer: hostile.Answer) -> None:
    with hostile.serving(answer) as (url, _), prometheus.connect(url, MetricsConfig()) as one:
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="Prometheus"):
            QUESTIONS[question](one)
        assert time.monotonic() - started < 10


def test_no_credential_follows_a_redirect_to_another_server(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    refused = pytest.raises(UnreachableError, match="redirects")
    with (
        hostile.serving(PAGE) as (other, there),
        hostile.serving(hostile.elsewhere(other)) as (url, _),
        prometheus.connect(url, MetricsConfig(token_file=token)) as one,
        refused,
    ):
        one.query("requests", "up")
    assert there == []


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[str], ClusterConnection]:
    def make(url: str) -> ClusterConnection:
        file = tmp_path / "kubeconfig"
        file.write_text(
            json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "one",
                "clusters": [{"name": "one", "cluster": {"server": url}}],
                "users": [{"name": "one", "user": {"token": "secret"}}],
                "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            })
        )  # fmt: skip
        return ClusterConnection("one", file, Pace(connect=0.5, unary=0.5))

    return make


@pytest.fixture
async def closing() -> AsyncIterator[list[ClusterConnection]]:
    clusters: list[ClusterConnection] = []
    yield clusters
    for one in clusters:
        await one.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_no_request_to_an_api_server_is_sent_elsewhere(
    connect: Callable[[str], ClusterConnection], closing: list[ClusterConnection], status: str
) -> None:
    with hostile.serving(hostile.whole(b"{}")) as (other, there):
        with hostile.serving(hostile.elsewhere(other, status)) as (url, lines):
            cluster = connect(url)
            closing.append(cluster)
            with pytest.raises(UnreachableError, match=r"redirects to 127\.0\.0\.1: not followed"):
                await cluster.get("/api/v1/pods")
            with pytest.raises(UnreachableError, match=r"redirects to 127\.0\.0\.1: not followed"):
                await cluster.patch("/api/v1/pods/one", {}, content_type="application/merge-patch+json")
        assert [line.split()[0] for line in lines] == ["GET", "PATCH"]
        assert there == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (hostile.endless, "larger than 1 MB"),
        (hostile.bomb(), "larger than 1 MB"),
        (hostile.trickle(), "did not answer within"),
        (hostile.whole(b" " * (4 << 20), "503 Unavailable"), "answered 503"),
        (hostile.whole(b"[" * 50_000, "500 Broken"), "answered 500"),
    ],
)
async def test_an_api_server_is_read_within_limits(
    connect: Callable[[str], ClusterConnection],
    closing: list[ClusterConnection],
    answer: hostile.Answer,
    words: str,
) -> None:
    with hostile.serving(answer) as (url, _):
        cluster = connect(url)
        closing.append(cluster)
        with pytest.raises(UnreachableError, match=words):
            await cluster.get("/api/v1/pods")
