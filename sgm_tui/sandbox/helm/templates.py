"""The templates of `charts/microservice` in Python: one function for each template, in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """The values the templates are rendered with."""

    name: str
    namespace: str
    values: Mapping[str, Any]
    dashboard: str

    @property
    def labels(self) -> dict[str, str]:
        """`microservice.labels`."""
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/managed-by": "Helm",
            "app.kubernetes.io/part-of": "acme",
            "acme.dev/team": self.values["team"],
        }

    @property
    def selector(self) -> dict[str, str]:
        """`microservice.selector`."""
        return {"app.kubernetes.io/name": self.name}

    def manifest(self, version: str, kind: str, name: str = "", **rest: Any) -> Manifest:
        """Return an object of the release, with its labels."""
        metadata = {"name": name or self.name, "namespace": self.namespace, "labels": self.labels}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def objects_of(release: Release) -> list[Manifest]:
    """Return every object of a release."""
    values = release.values
    objects = [_rollout(release), *_services(release), _disruption_budget(release)]
    if values["autoscaling"]["enabled"]:
        objects.append(_autoscaler(release))
    if values["analysis"]["enabled"]:
        objects.append(_analysis_template(release))
    if values["monitoring"]["enabled"]:
        objects += [_service_monitor(release), _prometheus_rule(release), _dashboard(release)]
    return objects


def _rollout(release: Release) -> Manifest:
    values, rollout = release.values, release.values["rollout"]
    template = {"metadata": {"labels": release.labels}, "spec": {"containers": [_container(release)]}}
    spec: Manifest = {} if values["autoscaling"]["enabled"] else {"replicas": values["replicas"]}
    spec |= {
        "revisionHistoryLimit": rollout["revisionHistoryLimit"],
        "progressDeadlineSeconds": rollout["progressDeadlineSeconds"],
        "selector": {"matchLabels": release.selector},
        "template": template,
        "strategy": _blue_green(release) if rollout["strategy"] == "blueGreen" else _canary(release),
    }
    return release.manifest("argoproj.io/v1alpha1", "Rollout", spec=spec)


def _container(release: Release) -> Manifest:
    values = release.values
    container: Manifest = {
        "name": release.name,
        "image": f"{values['image']['repository']}:{values['image']['tag']}",
        "imagePullPolicy": values["image"]["pullPolicy"],
        "ports": [{"name": "http", "containerPort": values["port"]}],
    }
    if values["env"]:
        container["env"] = [{"name": name, "value": values["env"][name]} for name in sorted(values["env"])]
    probe = {"path": values["probes"]["path"], "port": "http"}
    container["readinessProbe"] = {"httpGet": probe, "periodSeconds": values["probes"]["periodSeconds"]}
    container["resources"] = values["resources"]
    return container


def _blue_green(release: Release) -> Manifest:
    rollout = release.values["rollout"]
    strategy: Manifest = {
        "activeService": release.name,
        "previewService": f"{release.name}-preview",
        "autoPromotionEnabled": rollout["autoPromotion"],
        "scaleDownDelaySeconds": rollout["scaleDownDelaySeconds"],
    }
    if rollout["autoPromotion"]:
        strategy["autoPromotionSeconds"] = rollout["autoPromotionSeconds"]
    if release.values["analysis"]["enabled"]:
        strategy["prePromotionAnalysis"] = _analysis(release)
    return {"blueGreen": strategy}


def _canary(release: Release) -> Manifest:
    rollout = release.values["rollout"]
    enabled = release.values["analysis"]["enabled"]
    steps = [
        {"analysis": _analysis(release)} if "analysis" in step else step
        for step in rollout["steps"]
        if enabled or "analysis" not in step
    ]
    strategy: Manifest = {
        "stableService": release.name,
        "canaryService": f"{release.name}-canary",
        "maxSurge": rollout["maxSurge"],
        "maxUnavailable": rollout["maxUnavailable"],
    }
    if steps:
        strategy["steps"] = steps
    return {"canary": strategy}


def _analysis(release: Release) -> Manifest:
    return {
        "templates": [{"templateName": release.name}],
        "args": [
            {"name": "service", "value": release.name},
            {"name": "namespace", "value": release.namespace},
            {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
        ],
    }


def _services(release: Release) -> list[Manifest]:
    second = "preview" if release.values["rollout"]["strategy"] == "blueGreen" else "canary"
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    spec = {"ports": ports, "selector": release.selector}
    return [release.manifest("v1", "Service", name, spec=spec) for name in (release.name, f"{release.name}-{second}")]


def _autoscaler(release: Release) -> Manifest:
    scaling = release.values["autoscaling"]
    target = {"type": "Utilization", "averageUtilization": scaling["targetCPUUtilization"]}
    metrics: list[Manifest] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if scaling["requestsPerSecond"]:
        per_pod = {"type": "AverageValue", "averageValue": str(scaling["requestsPerSecond"])}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": "http_requests_per_second"}, "target": per_pod}})
    spec = {
        "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": release.name},
        "minReplicas": scaling["minReplicas"],
        "maxReplicas": scaling["maxReplicas"],
        "metrics": metrics,
    }
    return release.manifest("autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


def _disruption_budget(release: Release) -> Manifest:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": release.selector}}
    return release.manifest("policy/v1", "PodDisruptionBudget", spec=spec)


def _analysis_template(release: Release) -> Manifest:
    analysis = release.values["analysis"]
    labels = '{namespace="{{args.namespace}}",service="{{args.service}}",rollouts_pod_template_hash="{{args.hash}}"'
    success = (
        f'sum(rate(http_requests_total{labels},code!~"5.."}}[1m]))\n/\nsum(rate(http_requests_total{labels}}}[1m]))\n'
    )
    latency = "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket" + labels + "}[1m])))\n"
    metrics = [
        _metric(analysis, "success-rate", f">= {_number(analysis['successRate'])}", success),
        _metric(analysis, "latency-p99", f"<= {_number(analysis['latencyP99Seconds'])}", latency),
    ]
    spec = {"args": [{"name": name} for name in ("service", "namespace", "hash")], "metrics": metrics}
    return release.manifest("argoproj.io/v1alpha1", "AnalysisTemplate", spec=spec)


def _metric(analysis: Mapping[str, Any], name: str, condition: str, query: str) -> Manifest:
    return {
        "name": name,
        "interval": analysis["interval"],
        "count": analysis["count"],
        "failureLimit": analysis["failureLimit"],
        "successCondition": f"len(result) == 0 || isNaN(result[0]) || result[0] {condition}",
        "provider": {"prometheus": {"address": analysis["prometheusAddress"], "query": query}},
    }


def _number(value: float) -> str:
    """Return a number as Go templates print it: 1.0 is 1."""
    return str(int(value)) if float(value).is_integer() else repr(value)


def _service_monitor(release: Release) -> Manifest:
    endpoint = {
        "port": "http",
        "path": "/metrics",
        "interval": release.values["monitoring"]["scrapeInterval"],
        "relabelings": [{"targetLabel": "service", "replacement": release.name}],
    }
    spec = {
        "selector": {"matchLabels": release.selector},
        "jobLabel": "app.kubernetes.io/name",
        "podTargetLabels": ["rollouts-pod-template-hash"],
        "endpoints": [endpoint],
    }
    return release.manifest("monitoring.coreos.com/v1", "ServiceMonitor", spec=spec)


def _prometheus_rule(release: Release) -> Manifest:
    matchers = f'{{namespace="{release.namespace}",service="{release.name}"'
    total = f"sum by (namespace, service) (rate(http_requests_total{matchers}}}[5m]))"
    errors = f'sum by (namespace, service) (rate(http_requests_total{matchers},code=~"5.."}}[5m]))\n/\n{total}\n'
    buckets = f"sum by (namespace, service, le) (rate(http_request_duration_seconds_bucket{matchers}}}[5m]))"
    recording = [
        {"record": "sgm:requests:rate5m", "expr": total},
        {"record": "sgm:errors:ratio5m", "expr": errors},
        {"record": "sgm:latency:p99_5m", "expr": f"histogram_quantile(0.99, {buckets})"},
    ]
    slo = release.values["slo"]
    burn = f"{release.name} burns its error budget ten times too fast"
    alerts = [
        _alert(
            release,
            "ErrorBudgetBurn",
            f"sgm:errors:ratio5m{matchers}}} > {_number(slo['errorBudgetBurn'])}",
            "2m",
            burn,
        ),
        _alert(
            release,
            "LatencyHigh",
            f"sgm:latency:p99_5m{matchers}}} > {_number(slo['latencyP99Seconds'])}",
            "5m",
            f"{release.name} answers too slowly",
        ),
    ]
    groups = [
        {"name": f"{release.name}.recording", "rules": recording},
        {"name": f"{release.name}.slo", "rules": alerts},
    ]
    return release.manifest("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": groups})


def _alert(release: Release, name: str, expression: str, wait: str, summary: str) -> Manifest:
    labels = {"severity": release.values["slo"]["severity"], "team": release.values["team"]}
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": labels,
        "annotations": {"summary": summary},
    }


def _dashboard(release: Release) -> Manifest:
    text = release.dashboard.replace("__SERVICE__", release.name).replace("__NAMESPACE__", release.namespace)
    manifest = release.manifest("v1", "ConfigMap", f"{release.name}-dashboard", data={f"{release.name}.json": text})
    manifest["metadata"]["labels"] = release.labels | {"grafana_dashboard": "1"}
    return manifest
