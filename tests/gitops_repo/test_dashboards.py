"""The link in a pull request leads to a dashboard that the platform's chart brings, with the variables it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.operations.pull_request_body import dashboard_url
from sgm_tui.resources import gitops_repository
from sgm_tui.sandbox.helm.render import render

ROOT = gitops_repository()
VALUES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/app-service/*/values.yaml"))
STACKS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/kube-prometheus-stack/values.yaml"))


def read(path: str) -> bytes | None:
    file = ROOT / path
    return file.read_bytes() if file.is_file() else None


def dashboard_of(values: str) -> dict[str, Any]:
    service = Path(values).parent.name
    objects = render(read, "charts/microservice", service, f"app-{service}", [f"/{values}"])
    (found,) = [one for one in objects if one["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]
    (text,) = found["data"].values()
    dashboard: dict[str, Any] = json.loads(text)
    return dashboard


@pytest.mark.parametrize("values", VALUES)
def test_the_link_of_a_pull_request_fits_the_dashboard_of_its_service(values: str) -> None:
    service = ServiceName(Path(values).parent.name)
    key = CellKey(service, StageName("prod"), ClusterName("prod-eu1"))
    link = urlsplit(dashboard_url("https://grafana.example.com/", key))
    dashboard = dashboard_of(values)
    assert link.path == f"/d/{dashboard['uid']}"
    variables = {one["name"] for one in dashboard["templating"]["list"]}
    asked = parse_qs(link.query)
    assert {f"var-{name}" for name in variables} == set(asked)
    assert asked["var-cluster"] == ["prod-eu1"]
    assert all("${cluster}" in json.dumps(panel) for panel in dashboard["panels"])


@pytest.mark.parametrize("path", STACKS)
def test_the_data_source_a_dashboard_chooses_is_named_after_its_cluster(path: str) -> None:
    stack = yaml.safe_load((ROOT / path).read_text())["kube-prometheus-stack"]
    cluster = stack["prometheus"]["prometheusSpec"]["externalLabels"]["cluster"]
    assert stack["grafana"]["sidecar"]["datasources"]["name"] == cluster
