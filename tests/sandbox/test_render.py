"""The embedded manifest generation renders what Helm renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sgm_tui.resources import gitops_repository
from sgm_tui.sandbox.render import RenderError, render

ROOT = gitops_repository()
CHART = "charts/microservice"
VALUES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/app-service/*/values.yaml"))


def read(path: str) -> bytes | None:
    file = ROOT / path
    return file.read_bytes() if file.is_file() else None


def helm_objects(values: str) -> list[dict[str, Any]]:
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")
    service = Path(values).parent.name
    loaded = YAML(typ="safe", pure=True).load(ROOT / values)
    rendered = helm.Chart.load(str(ROOT / CHART)).render(loaded, name=service, namespace=f"app-{service}")
    texts = [text for name, text in rendered.items() if not name.endswith("NOTES.txt")]
    return [one for text in texts for one in YAML(typ="safe", pure=True).load_all(text) if one]


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def ours(values: str) -> list[dict[str, Any]]:
    service = Path(values).parent.name
    return render(read, CHART, service, f"app-{service}", [f"/{values}"])


@pytest.mark.parametrize("values", VALUES)
def test_every_service_on_every_cluster_renders_as_helm_renders_it(values: str) -> None:
    assert by_name(ours(values)) == by_name(helm_objects(values))


def changed(edits: dict[str, bytes]) -> Any:
    return lambda path: edits.get(path) or read(path)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (b"image: [", "error converting YAML to JSON"),
        (b"- a\n", "cannot unmarshal array"),
        (b"image: {repository: x}\n", "at '/image/tag': minLength"),
        (b"image: {repository: x, tag: 1.10}\n", "at '/image/tag': got number, want string"),
        (b"image: {repository: x, tag: v1}\nreplcas: 3\n", "additional properties 'replcas' not allowed"),
        (b"image: {repository: x, tag: v1}\nrollout: {strategy: yolo}\n", "value must be one of 'canary', 'blueGreen'"),
    ],
)
def test_broken_values_are_told_in_helms_words(values: bytes, says: str) -> None:
    with pytest.raises(RenderError) as caught:
        render(changed({"v.yaml": values}), CHART, "x", "app-x", ["/v.yaml"])
    assert says in str(caught.value)


def test_a_missing_values_file_is_told() -> None:
    with pytest.raises(RenderError, match="no such file or directory"):
        render(read, CHART, "x", "app-x", ["/dev/app-service/x/values.yaml"])


def test_null_removes_a_default() -> None:
    values = b"image: {repository: r, tag: v1}\nresources: {limits: null}\n"
    rollout = by_name(render(changed({"v.yaml": values}), CHART, "x", "app-x", ["/v.yaml"]))["Rollout", "x"]
    assert "limits" not in rollout["spec"]["template"]["spec"]["containers"][0]["resources"]
