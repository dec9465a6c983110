"""Kinds that charts of the repository bring, against what the projects of their Applications allow.

Nothing is rendered: a kind that a template names is judged, one that it computes is not; a template that a value
switches off counts all the same, for one line of a values file switches it on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Said, Skipped, found, several
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
"""Kinds that lie in no namespace; of any other one has to be told by a cluster, and nearly all lie in one."""


@dataclass(frozen=True, slots=True)
class _Object:
    """One object of a template, by the lines that name its kind."""

    group: str
    kind: str
    place: Place

    @property
    def told(self) -> str:
        """As `kubectl api-resources` would: the kind and its group."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


def check(repository: ParsedRepository) -> Said:
    """Every Application that is a chart of this repository."""
    brought: dict[str, list[_Object]] = {}
    refused: dict[tuple[str, _Object], list[str]] = defaultdict(list)
    for one in repository.applications:
        known = repository.projects_of(one)
        project = known[0] if len(known) == 1 else None
        for source in one.sources if project is not None else ():
            folder = source.path.strip("/")
            if folder not in repository.charts or source.chart or not repository.reads_these_files(source):
                continue
            if folder not in brought:
                brought[folder] = list(_objects(repository, folder))
            for made in brought[folder]:
                namespaced = made.kind not in _CLUSTER_SCOPED
                if project is not None and not project.allows_kind(made.group, made.kind, namespaced=namespaced):
                    refused[project.name, made].append(one.name)
    if not brought:
        yield Skipped(("project-kind",), "no Application of a known project is a chart of this repository")
    yield from (_finding(name, made, names) for (name, made), names in refused.items())


def _finding(project: str, made: _Object, names: list[str]) -> Finding:
    message = f"project {project} does not allow {made.told} ({several(list(dict.fromkeys(names)))})"
    return found("project-kind", made.place, message)


def _objects(repository: ParsedRepository, folder: str) -> Iterator[_Object]:
    for path in repository.paths:
        if path.startswith(f"{folder}/templates/") and path.endswith((".yaml", ".yml")):
            yield from _of_template(repository.checkout.files[path].decode("utf-8", "replace"), path)


def _of_template(text: str, path: str) -> Iterator[_Object]:
    group = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("---"):
            group = ""
        elif (version := _VERSION.fullmatch(line)) is not None:
            group = version[1].rpartition("/")[0]
        elif (kind := _KIND.fullmatch(line)) is not None:
            yield _Object(group, kind[1], Place(path, number))
