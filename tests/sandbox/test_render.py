"""The embedded manifest generation renders what Helm renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sgm_tui.resources import gitops_repository
from sgm_tui.sandbox.helm.render import RenderError, render

ROOT = gitops_repository()
CHART = "charts/microservice"
VALUES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/app-service/*/values.yaml"))


def read(path: str) -> bytes | None:
    file = ROOT / path
    return file.read_bytes() if file.is_file() else None


def helm_objects(values: bytes, service: str) -> list[dict[str, Any]]:
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")
    chart = helm.Chart.load(str(ROOT / CHART))
    rendered = chart.render(helm.values_from_yaml(values.decode()), name=service, namespace=f"app-{service}")
    texts = [text for name, text in rendered.items() if not name.endswith("NOTES.txt")]
    return [one for text in texts for one in YAML(typ="safe", pure=True).load_all(text) if one]


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def ours(values: str) -> list[dict[str, Any]]:
    service = Path(values).parent.name
    return render(read, CHART, service, f"app-{service}", [f"/{values}"])


@pytest.mark.parametrize("values", VALUES)
def test_every_service_on_every_cluster_renders_as_helm_renders_it(values: str) -> None:
    assert by_name(ours(values)) == by_name(helm_objects((ROOT / values).read_bytes(), Path(values).parent.name))


def changed(edits: dict[str, bytes]) -> Any:
    return lambda path: edits.get(path) or read(path)


def rendered(values: bytes) -> list[dict[str, Any]]:
    return render(changed({"v.yaml": values}), CHART, "x", "app-x", ["/v.yaml"])


IMAGE = b"image: {repository: x, tag: v1}\n"
UNUSUAL = [
    IMAGE + b'env: {B: \'a"b\', A: "more\\nlines"}\nresources: {}\nautoscaling: {requestsPerSecond: 5}\n',
    IMAGE + b"team: '123'\nprobes: {path: '/x: y'}\nrollout: {maxSurge: '1', maxUnavailable: 1}\n",
    IMAGE + b"rollout: {steps: []}\n",
    IMAGE + b"rollout: {steps: [{analysis: {}}]}\nanalysis: {enabled: false}\n",
    IMAGE + b"analysis: {successRate: 1.0, latencyP99Seconds: 0.00001}\nslo: {errorBudgetBurn: 1.0}\n",
    IMAGE + b"rollout: {strategy: blueGreen, autoPromotion: false}\nmonitoring: {enabled: false}\n",
    IMAGE + b"rollout: {strategy: blueGreen}\nautoscaling: {enabled: false}\nreplicas: 0\n",
    IMAGE + b"resources: {limits: null}\n",
    b"image: {repository: x, tag: 2026-11-23}\n",
]


@pytest.mark.parametrize("values", UNUSUAL)
def test_unusual_values_render_as_helm_renders_them(values: bytes) -> None:
    assert by_name(rendered(values)) == by_name(helm_objects(values, "x"))


REFUSED = [
    b"image: {repository: x}\n",
    b"image: null\n",
    b"image: {repository: x, tag: 1.10}\n",
    b"image: {repository: x, tag: null}\n",
    b"image: {}\n",
    IMAGE + b"replcas: 3\n",
    IMAGE + b"replcas: 3\nfoo: 1\n",
    IMAGE + b"replicas: 1.5\n",
    IMAGE + b"replicas: 4000\n",
    IMAGE + b"env: {A: 1}\n",
    IMAGE + b"autoscaling: {minReplicas: 0, foo: 1}\n",
    IMAGE + b"rollout: {strategy: yolo}\n",
    IMAGE + b"rollout: {maxSurge: true}\n",
    IMAGE + b"rollout: {steps: [{setWeight: 1, pause: {}}, {}]}\n",
]


@pytest.mark.parametrize("values", REFUSED)
def test_values_that_do_not_fit_are_refused_in_helms_words(values: bytes) -> None:
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")
    with pytest.raises(helm.HelmValuesError) as theirs:
        helm_objects(values, "x")
    with pytest.raises(RenderError) as caught:
        rendered(values)
    assert words(str(caught.value)) == words(f"Error: {theirs.value}")


def words(text: str) -> list[str]:
    """Helm goes through mappings in any order."""
    return sorted(text.replace(",", "").split())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (b"image: [", "error converting YAML to JSON: yaml: line 1"),
        (b"- a\n", "cannot unmarshal array"),
        (b"image: {repository: x, tag: 1.10}\n", "at '/image/tag': got number, want string"),
        (IMAGE + b"rollout: null\n", "the chart needs a value for 'rollout', and it is null"),
    ],
)
def test_broken_values_are_told(values: bytes, says: str) -> None:
    with pytest.raises(RenderError) as caught:
        rendered(values)
    assert says in str(caught.value)


def test_a_missing_values_file_is_told() -> None:
    with pytest.raises(RenderError, match="no such file or directory"):
        render(read, CHART, "x", "app-x", ["/dev/app-service/x/values.yaml"])


def test_null_removes_a_default() -> None:
    rollout = by_name(rendered(IMAGE + b"resources: {limits: null}\n"))["Rollout", "x"]
    assert "limits" not in rollout["spec"]["template"]["spec"]["containers"][0]["resources"]
