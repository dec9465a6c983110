"""The Kubernetes resources that an embedded API server serves, and the rules that differ between them.

One row a kind: where it is served, whether `status` and `scale` are subresources, and which changes increase
`metadata.generation`. The rows of argoproj.io follow the real custom resource definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Generation(Enum):
    """Which changes increase `metadata.generation` of a kind."""

    SPEC = "spec"
    """Only a change of `spec`: kinds with a status subresource."""
    CONTENT = "content"
    """Any change outside metadata: custom resources without a status subresource, Applications above all."""
    ABSENT = "absent"
    """The kind has no generation: Services, Events, ConfigMaps."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as it is served."""

    kind: str
    plural: str
    group: str
    version: str
    generation: Generation
    namespaced: bool = True
    status: bool = False
    """Whether `/status` exists; then the main endpoint ignores `.status` and vice versa."""
    scale: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: bool = False
    """Defined by a custom resource definition: no strategic merge patch, and PUT requires a resourceVersion."""

    @property
    def api_version(self) -> str:
        """Return `v1`, `apps/v1` or `argoproj.io/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """Return `pods` or `rollouts.argoproj.io`, as messages of the server name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def group_kind(self) -> str:
        """Return `Pod` or `Rollout.argoproj.io`, as validation messages name the kind."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def singular(self) -> str:
        """Return `rollout`, which clients may use too."""
        return self.kind.lower()


def _core(
    kind: str,
    plural: str,
    *short: str,
    all_of: bool = False,
    namespaced: bool = True,
    status: bool = False,
    generation: Generation = Generation.ABSENT,
) -> Resource:
    return Resource(kind, plural, "", "v1", generation, namespaced, status, False, short, ("all",) if all_of else ())


def _built_in(
    group: str,
    version: str,
    kind: str,
    plural: str,
    *short: str,
    generation: Generation = Generation.SPEC,
    all_of: bool = False,
    namespaced: bool = True,
    status: bool = True,
    scale: bool = False,
) -> Resource:
    return Resource(
        kind, plural, group, version, generation, namespaced, status, scale, short, ("all",) if all_of else ()
    )


def _argo(
    kind: str, plural: str, *short: str, status: bool = False, scale: bool = False, namespaced: bool = True
) -> Resource:
    generation = Generation.SPEC if status else Generation.CONTENT
    return Resource(kind, plural, "argoproj.io", "v1alpha1", generation, namespaced, status, scale, short, (), True)


def _monitoring(kind: str, plural: str, *short: str) -> Resource:
    return Resource(
        kind, plural, "monitoring.coreos.com", "v1", Generation.SPEC, True, True, False, short,
        ("prometheus-operator",), True,
    )  # fmt: skip


RESOURCES: tuple[Resource, ...] = (
    _core("ConfigMap", "configmaps", "cm"),
    _core("Event", "events", "ev"),
    _core("Namespace", "namespaces", "ns", namespaced=False, status=True),
    _core("Node", "nodes", "no", namespaced=False, status=True),
    _core("Pod", "pods", "po", all_of=True, status=True, generation=Generation.SPEC),
    _core("Secret", "secrets"),
    _core("Service", "services", "svc", all_of=True, status=True),
    _core("ServiceAccount", "serviceaccounts", "sa"),
    _built_in("apps", "v1", "DaemonSet", "daemonsets", "ds", all_of=True),
    _built_in("apps", "v1", "Deployment", "deployments", "deploy", all_of=True, scale=True),
    _built_in("apps", "v1", "ReplicaSet", "replicasets", "rs", all_of=True, scale=True),
    _built_in("apps", "v1", "StatefulSet", "statefulsets", "sts", all_of=True, scale=True),
    _built_in("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa",
              all_of=True, generation=Generation.ABSENT),
    _built_in("batch", "v1", "Job", "jobs", all_of=True),
    _built_in("networking.k8s.io", "v1", "Ingress", "ingresses", "ing"),
    _built_in("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", status=False),
    _built_in("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb"),
    _built_in("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles",
              generation=Generation.ABSENT, namespaced=False, status=False),
    _built_in("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings",
              generation=Generation.ABSENT, namespaced=False, status=False),
    _built_in("rbac.authorization.k8s.io", "v1", "Role", "roles", generation=Generation.ABSENT, status=False),
    _built_in("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings",
              generation=Generation.ABSENT, status=False),
    _built_in("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd", "crds",
              namespaced=False),
    _monitoring("PodMonitor", "podmonitors", "pmon"),
    _monitoring("Prometheus", "prometheuses", "prom"),
    _monitoring("PrometheusRule", "prometheusrules", "promrule"),
    _monitoring("ServiceMonitor", "servicemonitors", "smon"),
    _argo("AnalysisRun", "analysisruns", "ar"),
    _argo("AnalysisTemplate", "analysistemplates", "at"),
    _argo("Application", "applications", "app", "apps"),
    _argo("ApplicationSet", "applicationsets", "appset", "appsets", status=True),
    _argo("AppProject", "appprojects", "appproj", "appprojs"),
    _argo("ClusterAnalysisTemplate", "clusteranalysistemplates", "cat", namespaced=False),
    _argo("Experiment", "experiments", "exp"),
    _argo("Rollout", "rollouts", "ro", status=True, scale=True),
)  # fmt: skip

BY_KIND: dict[str, Resource] = {resource.kind: resource for resource in RESOURCES}
"""Rows by kind; kinds are unique across the served groups."""

BY_PATH: dict[tuple[str, str, str], Resource] = {(r.group, r.version, r.plural): r for r in RESOURCES}
"""Rows by group, version and plural of a request's path."""
