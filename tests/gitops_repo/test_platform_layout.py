"""The bundled repository is complete: every service everywhere, everything owned, the configuration as the files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sgm_tui.config.file import load
from sgm_tui.resources import gitops_repository, styles

ROOT = gitops_repository()
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
VALUES = [path for path in FILES if "/app-service/" in path]
OVERLAYS = ["dev", "staging", "prod/prod-eu1", "prod/prod-us1", "prod/prod-ap1"]
SERVICES = sorted(path.name for path in (ROOT / "dev/app-service").iterdir())
COMPONENTS = ["argo-rollouts", "kube-prometheus-stack", "prometheus-adapter"]


def loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_bundled_files_are_found_beside_the_code() -> None:
    assert (gitops_repository() / "charts/microservice/Chart.yaml").is_file()
    assert any(styles().glob("*.tcss"))


def test_every_service_has_values_for_every_stage_and_prod_cluster() -> None:
    assert len(SERVICES) >= 12
    wanted = {f"{overlay}/app-service/{service}/values.yaml" for overlay in OVERLAYS for service in SERVICES}
    assert set(VALUES) == wanted


@pytest.mark.parametrize("path", VALUES)
def test_a_version_is_a_string_and_the_image_is_the_services_own(path: str) -> None:
    image = loaded(path)["image"]
    assert isinstance(image["tag"], str)
    assert re.fullmatch(r"v\d+\.\d+\.\d+", image["tag"])
    assert image["repository"] == f"ghcr.io/acme/{Path(path).parent.name}"


def version(overlay: str, service: str) -> tuple[int, ...]:
    tag = loaded(f"{overlay}/app-service/{service}/values.yaml")["image"]["tag"]
    return tuple(int(part) for part in tag.removeprefix("v").split("."))


def test_versions_flow_from_dev_to_prod_and_some_are_on_their_way() -> None:
    for service in SERVICES:
        assert version("dev", service) >= version("staging", service), service
        assert all(version("staging", service) >= version(prod, service) for prod in OVERLAYS[2:]), service
    assert any(version("dev", service) > version("staging", service) for service in SERVICES)
    assert sum(version("staging", service) > version("prod/prod-eu1", service) for service in SERVICES) >= 2
    equal = [one for one in SERVICES if len({version(overlay, one) for overlay in OVERLAYS}) == 1]
    assert equal
    assert len(SERVICES) - len(equal) >= 4


def test_most_are_canaries_some_wait_for_people_and_two_are_blue_green() -> None:
    prod = {service: loaded(f"prod/prod-eu1/app-service/{service}/values.yaml")["rollout"] for service in SERVICES}
    blue_green = {service: rollout for service, rollout in prod.items() if rollout["strategy"] == "blueGreen"}
    assert sorted(rollout["autoPromotion"] for rollout in blue_green.values()) == [False, True]
    canaries = {service: rollout["steps"] for service, rollout in prod.items() if rollout["strategy"] == "canary"}
    assert all(
        [step["setWeight"] for step in steps if "setWeight" in step] == [10, 30, 60] for steps in canaries.values()
    )
    gated = [service for service, steps in canaries.items() if {"pause": {}} in steps]
    assert 1 <= len(gated) < len(canaries) / 2
    assert all({"analysis": {}} in steps for steps in canaries.values())


def test_hands_write_files_in_more_than_one_way() -> None:
    texts = [(ROOT / path).read_text() for path in VALUES]
    spellings = [re.compile(r"tag: v"), re.compile(r'tag: "v'), re.compile(r"tag: 'v"), re.compile(r"\{.*tag: ")]
    assert all(any(spelling.search(text) for text in texts) for spelling in spellings)
    assert any(text.startswith("---\n") for text in texts)
    assert any("\n    tag: " in text for text in texts)
    assert any(not text.endswith("\n") for text in texts)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("component", COMPONENTS)
def test_every_place_has_the_platform_pinned_and_configured_under_its_dependency(overlay: str, component: str) -> None:
    chart = loaded(f"{overlay}/platform/{component}/Chart.yaml")
    (dependency,) = chart["dependencies"]
    assert dependency["name"] == component
    assert re.fullmatch(r"\d+\.\d+\.\d+", dependency["version"])
    assert dependency["repository"] in loaded_all("argocd/projects/default-project.yaml")[1]["spec"]["sourceRepos"]
    assert set(loaded(f"{overlay}/platform/{component}/values.yaml")) == {component}


def loaded_all(path: str) -> list[Any]:
    return [one for one in yaml.safe_load_all((ROOT / path).read_text()) if one]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_selects_what_services_bring_and_grafana_is_there(overlay: str) -> None:
    stack = loaded(f"{overlay}/platform/kube-prometheus-stack/values.yaml")["kube-prometheus-stack"]
    spec = stack["prometheus"]["prometheusSpec"]
    assert spec["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False
    assert stack["grafana"]["enabled"] is True
    address = loaded("charts/microservice/values.yaml")["analysis"]["prometheusAddress"]
    assert address.startswith(f"http://{stack['fullnameOverride']}-prometheus.monitoring:")


def test_prod_keeps_more_than_dev() -> None:
    def spec(overlay: str) -> Any:
        stack = loaded(f"{overlay}/platform/kube-prometheus-stack/values.yaml")
        return stack["kube-prometheus-stack"]["prometheus"]["prometheusSpec"]

    assert spec("prod/prod-eu1")["replicas"] > spec("dev")["replicas"]
    assert spec("prod/prod-eu1")["retention"] != spec("dev")["retention"]


def owner_lines() -> list[tuple[str, list[str]]]:
    lines = [line.split() for line in (ROOT / "CODEOWNERS").read_text().splitlines()]
    return [(words[0], words[1:]) for words in lines if words and not words[0].startswith("#")]


def owners(path: str) -> list[str]:
    found: list[str] = []
    for pattern, teams in owner_lines():
        if pattern == "*" or f"/{path}".startswith(pattern):
            found = teams
    return found


def test_every_line_of_codeowners_names_teams_and_a_path_that_exists() -> None:
    for pattern, teams in owner_lines():
        assert teams, pattern
        assert all(re.fullmatch(r"@acme/[a-z]+", team) for team in teams), pattern
        assert pattern == "*" or (ROOT / pattern.strip("/")).exists(), pattern


@pytest.mark.parametrize("path", VALUES)
def test_teams_own_their_services_in_dev_and_sre_owns_prod(path: str) -> None:
    team = f"@acme/{loaded(path)['team']}"
    stage = path.split("/", maxsplit=1)[0]
    assert (
        owners(path)
        == {
            "dev": [team],
            "staging": [team, "@acme/sre"],
            "prod": ["@acme/sre", "@acme/platform"],
        }[stage]
    )


def test_the_platform_owns_everything_else() -> None:
    assert all("@acme/platform" in owners(path) for path in FILES if path not in VALUES)


def test_the_configuration_lists_exactly_the_declared_clusters_in_the_order_of_promotion() -> None:
    config = loaded("sgm.yaml")
    assert [stage["name"] for stage in config["stages"]] == ["dev", "staging", "prod"]
    listed = {cluster["name"]: cluster["location"] for stage in config["stages"] for cluster in stage["clusters"]}
    declared = {path.stem: path.stem.partition("-")[2] for path in (ROOT / "argocd/clusters").glob("*.yaml")}
    assert listed == declared
    assert [stage["name"] for stage in config["stages"] if stage.get("protected")] == ["prod"]


def test_the_configuration_loads() -> None:
    config = load(ROOT / "sgm.yaml", flags={}, environ={"HOME": "/nonexistent"})
    assert [stage.protected for stage in config.stages] == [False, False, True]
    assert config.github.repository == "acme/gitops"
