"""Compare the kinds in charts of the repository with what the projects of their Applications allow.

Nothing is rendered: only kinds that a template names literally are checked. A template that a value switches off
counts too, since one line of a values file switches it on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.yaml_reader.marked import Place

_KIND = re.compile(r"kind:\s*[\"']?([A-Za-z]+)[\"']?\s*(?:#.*)?")
_VERSION = re.compile(r"apiVersion:\s*[\"']?([A-Za-z0-9./-]+)[\"']?\s*(?:#.*)?")
_CLUSTER_SCOPED = frozenset(
    {
        "APIService", "CSIDriver", "ClusterAnalysisTemplate", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding",
        "ClusterSecretStore", "CustomResourceDefinition", "IngressClass", "MutatingWebhookConfiguration", "Namespace",
        "Node", "PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeSnapshotClass",
    }
)  # fmt: skip
"""Kinds without a namespace; every other kind is taken for namespaced, as nearly all are (only a cluster knows)."""


@dataclass(frozen=True, slots=True)
class _Object:
    """An object in a template, by the lines that name its kind."""

    group: str
    kind: str
    place: Place

    @property
    def full_name(self) -> str:
        """Kind and group, such as `Rollout.argoproj.io`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


def check(repository: ParsedRepository) -> Results:
    """Check every Application whose source is a chart of this repository."""
    objects: dict[str, list[_Object]] = {}
    refused: dict[tuple[str, _Object], list[str]] = defaultdict(list)
    for application in repository.applications:
        projects = repository.projects_of(application)
        project = projects[0] if len(projects) == 1 else None
        for source in application.sources if project is not None else ():
            folder = source.path.strip("/")
            if folder not in repository.charts or source.chart or not repository.reads_these_files(source):
                continue
            if folder not in objects:
                objects[folder] = list(_find_objects(repository, folder))
            for template_object in objects[folder]:
                namespaced = template_object.kind not in _CLUSTER_SCOPED
                if project is not None and not project.allows_kind(
                    template_object.group, template_object.kind, namespaced=namespaced
                ):
                    refused[project.name, template_object].append(application.name)
    if not objects:
        yield Skipped(("project-kind",), "no Application of a known project is a chart of this repository")
    yield from (_finding(name, template_object, names) for (name, template_object), names in refused.items())


def _finding(project: str, template_object: _Object, names: list[str]) -> Finding:
    message = f"project {project} does not allow {template_object.full_name} ({abbreviate(list(dict.fromkeys(names)))})"
    return make_finding("project-kind", template_object.place, message)


def _find_objects(repository: ParsedRepository, folder: str) -> Iterator[_Object]:
    for path in repository.paths:
        if path.startswith(f"{folder}/templates/") and path.endswith((".yaml", ".yml")):
            yield from _parse_template(repository.checkout.files[path].decode("utf-8", "replace"), path)


def _parse_template(text: str, path: str) -> Iterator[_Object]:
    group = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("---"):
            group = ""
        elif (version := _VERSION.fullmatch(line)) is not None:
            group = version[1].rpartition("/")[0]
        elif (kind := _KIND.fullmatch(line)) is not None:
            yield _Object(group, kind[1], Place(path, number))
