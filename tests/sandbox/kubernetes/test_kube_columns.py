"""What `kubectl get` shows is what it would show of the real thing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sgm_tui.sandbox.kubernetes.columns import columns_of, human_duration

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CREATED = {"name": "x", "creationTimestamp": "2026-11-23T10:00:00Z"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (303, "5m3s"), (600, "10m"),
        (6480, "108m"), (10800, "3h"), (25440, "7h4m"), (28800, "8h"), (172799, "47h"), (172800, "2d"),
        (525600, "6d2h"), (691200, "8d"), (63072000, "2y"), (95472000, "3y10d"), (315360000, "10y"),
    ],
)  # fmt: skip
def test_an_age_is_told_as_kubectl_tells_it(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("kind", "obj", "cells"),
    [
        ("Application", {}, ["x", None, None, None, None]),
        ("Rollout", {"spec": {"replicas": 2}, "status": {"replicas": 3}}, ["x", 2, 3, None, None, "120m"]),
        (
            "Pod",
            {
                "spec": {"containers": [{"name": "app"}]},
                "status": {
                    "phase": "Pending",
                    "containerStatuses": [
                        {"ready": False, "restartCount": 3, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
                    ],
                },
            },
            ["x", "0/1", "ImagePullBackOff", "3", "120m"],
        ),
        (
            "HorizontalPodAutoscaler",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Rollout", "name": "cart"},
                    "maxReplicas": 8,
                    "metrics": [{"resource": {"name": "cpu", "target": {"averageUtilization": 70}}}],
                },
                "status": {
                    "currentReplicas": 2,
                    "currentMetrics": [{"resource": {"name": "cpu", "current": {"averageUtilization": 41}}}],
                },
            },
            ["x", "Rollout/cart", "cpu: 41%/70%", "1", 8, 2, "120m"],
        ),
        ("Service", {"spec": {"ports": [{"port": 80}]}}, ["x", "ClusterIP", "<none>", "<none>", "80/TCP", "120m"]),
        ("AppProject", {}, ["x", "120m"]),
        ("Namespace", {"metadata": {"name": "x", "creationTimestamp": "rubbish"}}, ["x", "Active", "<unknown>"]),
    ],
)
def test_the_cells_of_a_kind(kind: str, obj: dict[str, Any], cells: list[Any]) -> None:
    read = [column.read({"metadata": CREATED, **obj}, NOW) for column in columns_of(kind)]
    assert read[: len(cells)] == cells
