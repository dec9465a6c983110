"""What Applications an ApplicationSet asks for: its template, once for every set of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.argocd.generators import (
    ArgoCluster,
    Dialect,
    GeneratorError,
    Manifest,
    Parameters,
    Tree,
    generation,
)
from sgm_tui.sandbox.argocd.template import TemplateError

RESOURCES_FINALIZER = "resources-finalizer.argocd.argoproj.io"


class ExpansionError(Exception):
    """Why a set yields nothing, with the reason word of its condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def expand(application_set: Manifest, clusters: Sequence[ArgoCluster], tree: Tree) -> list[Manifest]:
    """The Applications of a set: apiVersion, kind, metadata and spec, in the order of its generators."""
    spec = application_set.get("spec") or {}
    if not isinstance(spec.get("template"), dict) or not isinstance(spec["template"].get("spec"), dict):
        raise ExpansionError("ApplicationValidationError", "spec.template.spec: Required value")
    dialect = Dialect(
        go_template=bool(spec.get("goTemplate")),
        missing_is_error="missingkey=error" in (spec.get("goTemplateOptions") or ()),
    )
    context = generation(dialect, clusters, tree)
    try:
        sets = [one for generator in spec.get("generators") or () for one in context.parameters(generator)]
    except (GeneratorError, TemplateError) as error:
        raise ExpansionError("ApplicationParamsGenerationError", str(error)) from error
    try:
        return _distinct([_application(application_set, dialect, one) for one in sets])
    except TemplateError as error:
        raise ExpansionError("RenderTemplateParamsError", str(error)) from error


def _application(application_set: Manifest, dialect: Dialect, parameters: Parameters) -> Manifest:
    spec = application_set["spec"]
    template = dialect.rendered(spec["template"], parameters)
    metadata = template.get("metadata") or {}
    application: Manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": metadata.get("name", ""),
            "namespace": application_set["metadata"].get("namespace", "argocd"),
            **{key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)},
            **_finalizers(spec, metadata),
            "ownerReferences": [_owner(application_set)],
        },
        "spec": template["spec"],
    }
    return application


def _finalizers(spec: Manifest, metadata: Manifest) -> Mapping[str, Any]:
    """Generated Applications delete what they deployed, unless the set says otherwise."""
    if metadata.get("finalizers"):
        return {"finalizers": metadata["finalizers"]}
    preserves = (spec.get("syncPolicy") or {}).get("preserveResourcesOnDeletion")
    return {} if preserves else {"finalizers": [RESOURCES_FINALIZER]}


def _owner(application_set: Manifest) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": "ApplicationSet",
        "name": application_set["metadata"]["name"],
        "uid": application_set["metadata"].get("uid", ""),
    }


def _distinct(applications: list[Manifest]) -> list[Manifest]:
    names: set[str] = set()
    for application in applications:
        name = application["metadata"]["name"]
        if name in names:
            raise ExpansionError(
                "ApplicationValidationError", f"ApplicationSet contains applications with duplicate name: {name}"
            )
        names.add(name)
    return applications
