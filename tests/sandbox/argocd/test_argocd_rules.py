"""The rules of Argo CD the sandbox keeps: health of objects, what counts as drift, windows and projects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sgm_tui.fleet.argo.objects import read_sync_window
from sgm_tui.sandbox.argocd.fields import applied, differs
from sgm_tui.sandbox.argocd.health import Health, Named, health_of, overall
from sgm_tui.sandbox.argocd.project import kind_allowed, source_allowed, violation
from sgm_tui.sandbox.argocd.windows import as_argo_cd_reads_it, can_sync

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
APP: dict[str, Any] = {
    "metadata": {"name": "prod-eu1-cart"},
    "spec": {"project": "acme", "destination": {"name": "prod-eu1", "namespace": "app-cart"}},
}


def thing(kind: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": kind,
        "metadata": {"name": "x", "namespace": "app-x", "generation": 2},
        "spec": spec,
    }
    return found if status is None else {**found, "status": status}


@pytest.mark.parametrize(
    ("obj", "status"),
    [
        (thing("Rollout"), "Progressing"),
        (thing("Rollout", {"observedGeneration": "1", "phase": "Healthy"}), "Progressing"),
        (thing("Rollout", {"observedGeneration": "2", "phase": "Healthy"}), "Healthy"),
        (thing("Rollout", {"observedGeneration": "2", "phase": "Paused"}), "Suspended"),
        (thing("Rollout", {"observedGeneration": "2", "phase": "Degraded"}), "Degraded"),
        (thing("Rollout", {"observedGeneration": "56f7d9c4b9", "phase": "Progressing"}), "Progressing"),
        (thing("Rollout", {"observedGeneration": "2", "pauseConditions": [{}]}), "Suspended"),
        (thing("Rollout", {"conditions": [{"type": "InvalidSpec", "message": "no"}]}), "Degraded"),
        (
            thing("HorizontalPodAutoscaler", {"conditions": [{"type": "AbleToScale", "status": "True"}]}),
            "Healthy",
        ),
        (
            thing(
                "HorizontalPodAutoscaler",
                {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}]},
            ),
            "Degraded",
        ),
        (thing("Service"), "Healthy"),
        (thing("Service", type="LoadBalancer"), "Progressing"),
        (thing("AnalysisRun", {"phase": "Inconclusive"}), "Unknown"),
        (thing("Deployment", {"observedGeneration": 2, "availableReplicas": 1}, replicas=2), "Progressing"),
    ],
)
def test_health_of_an_object(obj: dict[str, Any], status: str) -> None:
    found = health_of(obj)
    assert found is not None
    assert found.status == status


def test_objects_of_other_kinds_have_no_health_and_those_being_deleted_are_progressing() -> None:
    assert health_of(thing("ConfigMap")) is None
    deleted = thing("Service")
    deleted["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    assert health_of(deleted) == Health("Progressing", "Pending deletion")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], Health("Healthy")),
        (["Healthy", None], Health("Healthy")),
        (["Healthy", "Suspended"], Health("Suspended", "Caused by argoproj.io/Rollout:app-x/1")),
        (["Missing", "Healthy"], Health("Healthy")),
        (["Missing", "Missing"], Health("Missing")),
        (["Progressing", "Degraded"], Health("Degraded", "Caused by argoproj.io/Rollout:app-x/1")),
    ],
)
def test_an_application_is_as_well_as_its_worst_object(parts: list[str | None], expected: Health) -> None:
    named = [
        (Named("argoproj.io", "Rollout", "app-x", str(number)), None if part is None else Health(part))
        for number, part in enumerate(parts)
    ]
    assert overall(named) == expected


def manifest(spec: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "labels": labels}, "spec": spec}


@pytest.mark.parametrize(
    ("desired", "live", "before", "differ"),
    [
        ({"a": 1}, {"a": 1, "paused": True}, None, False),
        ({"a": 1}, {"a": 2}, None, True),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2], "c": 3}}, None, False),
        ({"a": [{"n": 1}]}, {"a": [{"n": 1, "default": True}]}, None, False),
        ({"a": [1]}, {"a": [1, 2]}, None, True),
        ({"a": 1}, {"a": 1, "gone": 2}, {"a": 1, "gone": 2}, True),
        ({"a": 1}, {"a": 1, "gone": 3}, {"a": 1, "gone": 2}, False),
        ({"a": {}}, {}, None, True),
    ],
)
def test_only_what_git_sets_or_has_given_up_is_drift(
    desired: dict[str, Any], live: dict[str, Any], before: dict[str, Any] | None, differ: bool
) -> None:
    earlier = None if before is None else manifest(before)
    assert differs(manifest(desired), manifest(live), earlier) is differ


def test_applying_keeps_what_is_live_only_and_removes_what_git_gave_up() -> None:
    live = {**manifest({"a": 1, "paused": True, "gone": 2}, mine="1"), "status": {"x": 1}}
    out = applied(manifest({"a": 2}, app="x"), live, manifest({"a": 1, "gone": 2}))
    assert out["spec"] == {"a": 2, "paused": True}
    assert out["metadata"]["labels"] == {"mine": "1", "app": "x"}
    assert out["status"] == {"x": 1}


@pytest.mark.parametrize(
    ("schedule", "duration", "zone", "active"),
    [
        ("0 12 * * *", "1h", "UTC", True),
        ("0 11 * * *", "1h", "UTC", False),
        ("0 11 * * *", "90m", "UTC", True),
        ("0 13 * * *", "1h", "Europe/Berlin", True),
        ("0 12 * * mon", "1h", "UTC", True),
        ("0 12 * * 2-6", "1h", "UTC", False),
        ("*/15 * * * *", "1m", "UTC", True),
        ("0 12 31 12 *", "36h", "Nowhere/Land", False),
        ("0 0 1 * 1", "24h", "UTC", True),
    ],
)
def test_a_window_is_active_for_its_duration_after_each_start(
    schedule: str, duration: str, zone: str, active: bool
) -> None:
    declared = read_sync_window({"kind": "deny", "schedule": schedule, "duration": duration, "timeZone": zone}, "")
    assert as_argo_cd_reads_it(declared).is_open(MONDAY_NOON) is active


def window(kind: str, *, manual: bool = False, active: bool = True, **about: list[str]) -> dict[str, Any]:
    schedule = "* * * * *" if active else "0 3 1 1 *"
    return {
        "kind": kind,
        "schedule": schedule,
        "duration": "1h",
        "manualSync": manual,
        **(about or {"clusters": ["*"]}),
    }


@pytest.mark.parametrize(
    ("windows", "automated", "manual"),
    [
        ([], True, True),
        ([window("deny")], False, False),
        ([window("deny", manual=True)], False, True),
        ([window("deny", manual=True), window("deny")], False, False),
        ([window("deny", active=False)], True, True),
        ([{**window("allow"), "schedule": "@daily"}], False, False),
        ([window("allow"), {**window("deny", manual=True), "schedule": "0 22 * * 7"}], False, False),
        ([{**window("deny", applications=["dev-*"]), "schedule": "@daily"}], True, True),
        ([window("allow", active=False)], False, False),
        ([window("allow", active=False, manual=True)], False, True),
        ([window("allow")], True, True),
        ([window("deny", applications=["dev-*"])], True, True),
        ([{**window("deny", active=False), "duration": "1d"}], False, False),
        ([{**window("allow", manual=True), "duration": "8 hours"}], False, False),
        ([{**window("deny", applications=["dev-*"]), "duration": "1d"}], True, True),
        ([{**window("deny"), "duration": "3600000ms"}], False, False),
        ([window("deny", applications=["prod-*"])], False, False),
        ([{**window("deny", applications=["prod-*"], clusters=["dev-*"]), "andOperator": True}], True, True),
    ],
)
def test_windows_let_a_sync_through_or_not(windows: list[dict[str, Any]], automated: bool, manual: bool) -> None:
    assert can_sync(windows, APP, MONDAY_NOON, manual=False) is automated
    assert can_sync(windows, APP, MONDAY_NOON, manual=True) is manual


@pytest.mark.parametrize(
    ("patterns", "url", "allowed"),
    [
        (["*"], "https://any/where.git", True),
        (["https://github.com/acme/*"], "https://GitHub.com/acme/gitops.git", True),
        (["https://github.com/*"], "https://github.com/acme/gitops.git", False),
        (["https://github.com/**"], "https://github.com/acme/gitops.git", True),
        (["!https://github.com/evil/*", "*"], "https://github.com/evil/x", False),
        (["!https://github.com/evil/*"], "https://github.com/acme/x", True),
        ([], "https://github.com/acme/x", False),
    ],
)
def test_source_repositories_are_allowed_by_glob(patterns: list[str], url: str, allowed: bool) -> None:
    assert source_allowed(patterns, url) is allowed


def test_kinds_are_allowed_by_scope_and_lists() -> None:
    rules = {"clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}], "namespaceResourceBlacklist": [
        {"group": "", "kind": "ResourceQuota"}]}  # fmt: skip
    project = {"metadata": {"name": "acme"}, "spec": rules}
    assert kind_allowed(project, "", "Namespace", namespaced=False)
    assert not kind_allowed(project, "", "Node", namespaced=False)
    assert kind_allowed(project, "argoproj.io", "Rollout", namespaced=True)
    assert not kind_allowed(project, "", "ResourceQuota", namespaced=True)


def test_a_denied_source_is_named() -> None:
    spec = {"sourceRepos": ["https://a/*"], "destinations": [{"name": "*", "namespace": "*"}]}
    app = {**APP, "spec": {**APP["spec"], "source": {"repoURL": "https://b/x", "path": "p"}}}
    said = violation(app, {"metadata": {"name": "acme"}, "spec": spec}, {"prod-eu1": "https://p"})
    assert said == "application repo https://b/x is not permitted in project 'acme'"
