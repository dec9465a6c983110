"""A message states the time that was really waited, whichever of the deadlines ended the wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

from sgm_tui.errors import UnreachableError
from sgm_tui.live import connection as connections
from sgm_tui.live import prometheus
from sgm_tui.live.connection import ClusterConnection


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(connections.time, "monotonic", clock.monotonic)
    return clock


@pytest.mark.parametrize("error", [aiohttp.ConnectionTimeoutError(), aiohttp.SocketTimeoutError(), TimeoutError()])
@pytest.mark.parametrize(("waited", "expected"), [(5.0, "5 s"), (30.0, "30 s"), (0.25, "0.2 s")])
async def test_a_cluster_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, error: Exception, waited: float, expected: str
) -> None:
    connection = ClusterConnection("prod-eu1", tmp_path)

    async def silent(*_: Any) -> None:
        clock.now += waited
        raise error

    monkeypatch.setattr(connection, "_send", silent)
    with pytest.raises(UnreachableError, match=rf"^prod-eu1 did not answer within {expected}$"):
        await connection.get("/apis", deadline=30.0)


@pytest.mark.parametrize(("waited", "expected"), [(5.0, "5 s"), (9.6, "10 s")])
def test_a_prometheus_that_does_not_answer(clock: Clock, waited: float, expected: str) -> None:
    def ask() -> None:
        with prometheus.translate_errors("requests_per_second"):
            clock.now += waited
            raise requests.ReadTimeout

    with pytest.raises(UnreachableError, match=rf"^Prometheus did not answer within {expected} "):
        ask()
