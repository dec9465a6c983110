"""What Argo CD and the clusters are given has the fields of its kinds, and says what the platform's design says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from object_fields import unfit_fields

from sgm_tui.resources import gitops_repository
from sgm_tui.sandbox.helm.render import render

ROOT = gitops_repository()
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


@pytest.mark.parametrize("values", VALUES)
def test_what_a_service_renders_to_has_the_fields_of_its_kinds_only(values: str) -> None:
    unfit = {f"{obj['kind']} {obj['metadata']['name']}": unfit_fields(obj) for obj in rendered(values)}
    assert {"Rollout", "Service", "PodDisruptionBudget"} <= {name.split()[0] for name in unfit}
    assert {name: fields for name, fields in unfit.items() if fields} == {}


MISTAKES: list[tuple[str, str, str | None, Any]] = [
    ("Rollout", "spec.replcas", None, 2),
    ("Rollout", "spec.revisionHistoryLimit", "revisionHistoryLimit", "10"),
    ("Rollout", "spec.selector", "Field required", ...),
    ("Rollout", "spec.template.spec.containers.0.imagePulPolicy", None, "Always"),
    ("Rollout", "spec.template.spec.containers.0.ports.0.containerPort", "containerPort", "8080"),
    ("Rollout", "spec.strategy.canary.steps.0.setWeigth", None, 10),
    ("Rollout", "spec.strategy.canary.steps.0.pause", "exactly one kind", {}),
    ("Rollout", "spec.strategy.canary.steps.0.setWeight", "less than or equal to 100", 101),
    ("Rollout", "spec.strategy.canary.steps.1.pause.duration", "is no Go duration", "5 minutes"),
    ("Rollout", "spec.strategy.blueGreen", "either canary or blueGreen", {"activeService": "cart"}),
    ("AnalysisTemplate", "spec.metrics.0.interval", "is no Go duration", "1d"),
    ("AnalysisTemplate", "spec.metrics.0.provider.prometheus.querry", None, "up"),
    ("HorizontalPodAutoscaler", "spec.minReplicas", "minReplicas", "2"),
    ("PodDisruptionBudget", "spec.maxUnavailble", None, 1),
    ("Service", "spec.ports.0.targetport", None, "http"),
    ("ServiceMonitor", "spec.endpoints.0.intervall", None, "30s"),
    ("PrometheusRule", "spec.groups.0.rules.0.alert", "either records or alerts", "Both"),
]


def with_mistake(obj: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of an object with another value at a dotted path; without that field where the value is `...`."""
    changed = copy.deepcopy(obj)
    *parents, last = path.split(".")
    inner: Any = changed
    for name in parents:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return changed


@pytest.mark.parametrize(("kind", "path", "reason", "value"), MISTAKES, ids=[f"{row[0]}.{row[1]}" for row in MISTAKES])
def test_a_misspelt_missing_or_mistyped_field_is_noticed(kind: str, path: str, reason: str | None, value: Any) -> None:
    obj = next(obj for obj in rendered("prod/prod-eu1/app-service/checkout/values.yaml") if obj["kind"] == kind)
    assert unfit_fields(obj) == []
    unfit = "; ".join(unfit_fields(with_mistake(obj, path, value)))
    assert (reason or path.rpartition(".")[2]) in unfit


def test_a_kind_nobody_has_listed_does_not_pass_for_one_that_fits() -> None:
    with pytest.raises(KeyError):
        unfit_fields({"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "x"}, "spec": {}})


def test_projects_have_the_fields_of_their_kind_only() -> None:
    assert [one["metadata"]["name"] for one in projects()] == ["acme", "platform"]
    assert [unfit_fields(one) for one in projects()] == [[], []]
    windows = projects()[0]["spec"]["syncWindows"]
    assert unfit_fields(with_mistake(projects()[0], "spec.syncWindows", [{**windows[0], "timezone": "UTC"}]))


def test_the_root_the_sets_and_what_they_make_have_the_fields_of_their_kinds_only() -> None:
    (root,) = documents("argocd/root-apps.yaml")
    assert unfit_fields(root) == []
    assert unfit_fields(with_mistake(root, "spec.destination.server", "https://x"))
    assert unfit_fields(with_mistake(root, "spec.syncPolicy.syncOptions", ["CreateNamespaces=true"]))
    for name in ("app-service", "platform"):
        (application_set,) = documents(f"argocd/applicationsets/{name}.yaml")
        assert unfit_fields(application_set) == []
        template = application_set["spec"]["template"]
        application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **template}
        assert unfit_fields(application) == []
        assert unfit_fields(with_mistake(application, "spec.source.targetRevison", "main"))


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
