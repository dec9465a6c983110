"""What Argo CD and the clusters are given is what their schemas allow, and says what the platform's design says."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sgm_tui.resources import gitops_repository
from sgm_tui.sandbox.render import render

ROOT = gitops_repository()
SCHEMAS = Path(__file__).parents[3] / "shared" / "reference" / "crds"
VALUES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/app-service/*/values.yaml"))
REPOSITORY = "https://github.com/acme/gitops.git"


def documents(path: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((ROOT / path).read_text()) if one]


def read(path: str) -> bytes | None:
    file = ROOT / path
    return file.read_bytes() if file.is_file() else None


def rendered(values: str) -> list[dict[str, Any]]:
    service = Path(values).parent.name
    return render(read, "charts/microservice", service, f"app-{service}", [f"/{values}"])


@functools.cache
def validator(file: str) -> jsonschema.Draft202012Validator:
    path = SCHEMAS / file
    if not path.is_file():
        pytest.skip("the schemas of Argo's objects are not here")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    definition = yaml.load(path.read_bytes(), Loader=loader)  # a safe loader
    versions = {one["name"]: one["schema"]["openAPIV3Schema"] for one in definition["spec"]["versions"]}
    return jsonschema.Draft202012Validator(strict(versions["v1alpha1"]))


def strict(schema: Any) -> Any:
    """A structural schema as JSON Schema: what an API server would prune is an error here."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    properties = schema.get("properties")
    converted = {key: strict(value) for key, value in schema.items() if key not in {"format", "properties"}}
    if properties:
        converted["properties"] = {name: strict(value) for name, value in properties.items()}
    if converted.pop("x-kubernetes-int-or-string", False):
        return {"type": ["integer", "string"]}
    open_ended = converted.pop("x-kubernetes-preserve-unknown-fields", False)
    if properties and not open_ended:
        converted.setdefault("additionalProperties", False)
    return converted


def errors(file: str, obj: dict[str, Any]) -> list[str]:
    return [f"{'.'.join(map(str, one.path))}: {one.message}" for one in validator(file).iter_errors(obj)]


@pytest.mark.parametrize("values", VALUES)
def test_rollouts_and_analysis_templates_fit_their_schemas(values: str) -> None:
    by_kind = {one["kind"]: one for one in rendered(values)}
    assert errors("rollouts-rollout-crd.yaml", by_kind["Rollout"]) == []
    if "AnalysisTemplate" in by_kind:
        assert errors("rollouts-analysis-template-crd.yaml", by_kind["AnalysisTemplate"]) == []


def test_the_schemas_are_strict_enough_to_notice_a_typo() -> None:
    rollout = next(one for one in rendered(VALUES[0]) if one["kind"] == "Rollout")
    assert errors("rollouts-rollout-crd.yaml", {**rollout, "spec": {**rollout["spec"], "replcas": 2}})


def test_projects_fit_their_schema() -> None:
    projects = documents("argocd/projects/default-project.yaml")
    assert [one["metadata"]["name"] for one in projects] == ["acme", "platform"]
    assert [errors("argocd-appproject-crd.yaml", one) for one in projects] == [[], []]


def test_the_root_and_what_the_sets_make_fit_the_schema_of_applications() -> None:
    (root,) = documents("argocd/root-apps.yaml")
    assert errors("argocd-application-crd.yaml", root) == []
    for name in ("app-service", "platform"):
        (application_set,) = documents(f"argocd/applicationsets/{name}.yaml")
        template = application_set["spec"]["template"]
        application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **template}
        assert errors("argocd-application-crd.yaml", application) == []


def test_the_root_can_start_where_no_project_of_ours_exists_and_brings_projects_first() -> None:
    (root,) = documents("argocd/root-apps.yaml")
    assert root["spec"]["project"] == "default"
    assert {one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] for one in projects()} == {"-1"}


def projects() -> list[dict[str, Any]]:
    return documents("argocd/projects/default-project.yaml")


def test_services_may_only_go_to_their_own_namespaces_and_developers_only_act_in_dev() -> None:
    acme = projects()[0]["spec"]
    assert acme["sourceRepos"] == [REPOSITORY]
    assert {(one["name"], one["namespace"]) for one in acme["destinations"]} == {
        ("dev-*", "app-*"),
        ("staging-*", "app-*"),
        ("prod-*", "app-*"),
    }
    assert acme["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]
    roles = {role["name"]: role["policies"] for role in acme["roles"]}
    acting = [policy for policy in roles["developer"] if " get," not in policy]
    assert acting
    assert all("acme/dev-*" in policy for policy in acting)
    assert set(roles) == {"developer", "sre"}


@pytest.mark.parametrize("name", ["app-service", "platform"])
def test_sets_refuse_missing_keys_and_use_this_repository_only(name: str) -> None:
    (application_set,) = documents(f"argocd/applicationsets/{name}.yaml")
    spec = application_set["spec"]
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    generators = [inner for one in spec["generators"] for inner in one["matrix"]["generators"]]
    used = {one["git"]["repoURL"] for one in generators if "git" in one} | {
        spec["template"]["spec"]["source"]["repoURL"]
    }
    assert used == {REPOSITORY}


def test_cluster_declarations_carry_labels_and_no_credentials() -> None:
    files = sorted((ROOT / "argocd/clusters").glob("*.yaml"))
    assert len(files) == 5
    for file in files:
        (secret,) = documents(file.relative_to(ROOT).as_posix())
        labels = secret["metadata"]["labels"]
        assert labels["argocd.argoproj.io/secret-type"] == "cluster"
        assert file.stem == secret["stringData"]["name"] == f"{labels['stage']}-{labels['location']}"
        assert set(secret) == {"apiVersion", "kind", "metadata", "type", "stringData"}
        assert set(secret["stringData"]) == {"name", "server"}


def test_pods_of_the_canary_are_scraped_under_the_name_the_analysis_asks_for() -> None:
    objects = {one["kind"]: one for one in rendered("prod/prod-eu1/app-service/checkout/values.yaml")}
    (endpoint,) = objects["ServiceMonitor"]["spec"]["endpoints"]
    assert {"targetLabel": "service", "replacement": "checkout"} in endpoint["relabelings"]
    assert objects["ServiceMonitor"]["spec"]["podTargetLabels"] == ["rollouts-pod-template-hash"]
    query = objects["AnalysisTemplate"]["spec"]["metrics"][0]["provider"]["prometheus"]["query"]
    assert 'rollouts_pod_template_hash="{{args.hash}}"' in query


def test_monitoring_and_analysis_can_be_switched_off_for_clusters_without_them() -> None:
    values = b"image: {repository: r, tag: v1}\nmonitoring: {enabled: false}\nanalysis: {enabled: false}\n"
    objects = render(
        lambda path: values if path == "v.yaml" else read(path), "charts/microservice", "x", "x", ["/v.yaml"]
    )
    assert {one["apiVersion"].partition("/")[0] for one in objects} == {"argoproj.io", "v1", "policy", "autoscaling"}
    rollout = next(one for one in objects if one["kind"] == "Rollout")
    assert all("analysis" not in step for step in rollout["spec"]["strategy"]["canary"]["steps"])
