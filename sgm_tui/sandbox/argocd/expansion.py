"""Expand an ApplicationSet as the simulated controller does: the first error stops it, in Argo CD's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sgm_tui.fleet.argo.application_sets.context import Context, GeneratorError, GeneratorInputs
from sgm_tui.fleet.argo.application_sets.generators import generate
from sgm_tui.fleet.argo.application_sets.parameters import Parameters
from sgm_tui.fleet.argo.application_sets.rendering import Renderer
from sgm_tui.fleet.argo.go_values import TemplateError, UnknownFunctionError, UnsupportedError
from sgm_tui.fleet.argo.objects import Cluster
from sgm_tui.yaml_reader.marked import Place
from sgm_tui.yaml_reader.nodes import load_all

Manifest = dict[str, Any]
RESOURCES_FINALIZER = "resources-finalizer.argocd.argoproj.io"
NOWHERE = Place("")
"""The place of objects that are read from the hub and not from a file."""


class Tree(Protocol):
    """The GitOps repository at one commit."""

    def paths(self) -> Sequence[str]:
        """Return every file, relative to the root, in order."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        ...


class ExpansionError(Exception):
    """An ApplicationSet that generates nothing."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """The `reason` of its condition."""
        self.message = message


def expand(application_set: Manifest, clusters: Sequence[Cluster], tree: Tree) -> list[Manifest]:
    """Return the Applications of an ApplicationSet in the order of its generators.

    Each has apiVersion, kind, metadata and spec.

    Raises:
        ExpansionError: a generator or a template fails, or two Applications have one name.
    """
    spec = application_set.get("spec") or {}
    if not isinstance(spec.get("template"), dict) or not isinstance(spec["template"].get("spec"), dict):
        raise ExpansionError("ApplicationValidationError", "spec.template.spec: Required value")
    renderer = Renderer(bool(spec.get("goTemplate")), "missingkey=error" in (spec.get("goTemplateOptions") or ()))
    inputs = GeneratorInputs(
        clusters, tree.paths(), tree.read, lambda _url: True, parse=load_all, reads_elements_yaml=True
    )
    context = Context(inputs, renderer, lambda _value: NOWHERE)
    try:
        sets = [parameters for generator in spec.get("generators") or () for parameters in generate(context, generator)]
    except (GeneratorError, TemplateError, UnsupportedError) as error:
        raise ExpansionError("ApplicationParamsGenerationError", _condition_of(error)) from error
    try:
        applications = [_build_application(application_set, renderer, parameters) for parameters in sets]
    except (TemplateError, UnsupportedError) as error:
        raise ExpansionError("RenderTemplateParamsError", _condition_of(error)) from error
    _check_names(applications)
    return applications


def _condition_of(error: GeneratorError | TemplateError | UnsupportedError) -> str:
    if isinstance(error, GeneratorError | TemplateError | UnknownFunctionError):
        return error.condition
    return f"the sandbox does not support {error}"


def _build_application(application_set: Manifest, renderer: Renderer, parameters: Parameters) -> Manifest:
    spec = application_set["spec"]
    template = renderer.render(spec["template"], parameters)
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": metadata.get("name", ""),
            "namespace": application_set["metadata"].get("namespace", "argocd"),
            **{key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)},
            **_build_finalizers(spec, metadata),
            "ownerReferences": [_build_owner(application_set)],
        },
        "spec": template["spec"],
    }


def _build_finalizers(spec: Manifest, metadata: Manifest) -> Mapping[str, Any]:
    """Return the finalizer that deletes the deployed objects, unless the ApplicationSet preserves them."""
    if metadata.get("finalizers"):
        return {"finalizers": metadata["finalizers"]}
    preserves = (spec.get("syncPolicy") or {}).get("preserveResourcesOnDeletion")
    return {} if preserves else {"finalizers": [RESOURCES_FINALIZER]}


def _build_owner(application_set: Manifest) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": "ApplicationSet",
        "name": application_set["metadata"]["name"],
        "uid": application_set["metadata"].get("uid", ""),
    }


def _check_names(applications: Sequence[Manifest]) -> None:
    names: set[str] = set()
    for application in applications:
        name = application["metadata"]["name"]
        if name in names:
            raise ExpansionError(
                "ApplicationValidationError", f"ApplicationSet contains applications with duplicate name: {name}"
            )
        names.add(name)
