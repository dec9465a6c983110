"""The clusters generator: one set of parameters for each cluster its selector matches."""

from __future__ import annotations

from sgm_tui.fleet.argo.application_sets.context import Context, Spec, Surroundings
from sgm_tui.fleet.argo.application_sets.parameters import Parameters, flatten
from sgm_tui.fleet.argo.application_sets.selector import is_selected
from sgm_tui.fleet.argo.go_functions import normalize
from sgm_tui.fleet.argo.go_values import UnsupportedError
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Cluster
from sgm_tui.yaml_reader.marked import Place


def generate(context: Context, spec: Spec, around: Surroundings) -> list[Parameters]:
    """Return the parameters of the selected clusters, in the order of their declaration.

    Raises:
        GeneratorError: the selector is malformed.
        UnsupportedError: the clusters are declared elsewhere.
    """
    clusters = context.inputs.clusters
    if clusters is None:
        raise UnsupportedError("no cluster is declared in this repository")
    selector = spec.get("selector") or {}
    chosen = [cluster for cluster in clusters if is_selected(context, selector, cluster.labels)]
    if not selector and all(cluster.name != IN_CLUSTER[0] for cluster in chosen):
        # Only an empty selector includes the hub itself: it has no Secret, so it has no labels.
        chosen.append(Cluster(*IN_CLUSTER, {}, {}, Place("")))
    if not chosen:
        message = f"the selector fits none of the {len(clusters)} declared clusters"
        context.report_empty("clusters", message, selector, around)
    parameters = [context.add_values(spec, _parameters_of(context, cluster)) for cluster in chosen]
    return [{"clusters": parameters}] if spec.get("flatList") is True else parameters


def _parameters_of(context: Context, cluster: Cluster) -> Parameters:
    metadata = {
        name: dict(entries)
        for name, entries in (("labels", cluster.labels), ("annotations", cluster.annotations))
        if entries
    }
    parameters: Parameters = {
        "name": cluster.name,
        "nameNormalized": normalize(cluster.name),
        "server": cluster.server,
        "project": cluster.project,
        **({"metadata": metadata} if metadata else {}),
    }
    return parameters if context.renderer.uses_go else dict(flatten(parameters))
