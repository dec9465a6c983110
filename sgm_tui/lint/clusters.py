"""The clusters Argo CD is told of, against those of sgm.yaml; and credentials that must not be there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from sgm_tui.config.schema import Config
from sgm_tui.fleet.argo.objects import Cluster
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Said, Skipped, found
from sgm_tui.yaml_reader.marked import Place


def check(repository: ParsedRepository) -> Said:
    """Every declaration of a cluster."""
    declared = repository.argo.clusters
    for one in declared:
        if one.credentials:
            yield found("cluster-credentials", one.place, f"{one.name} is declared with its credentials (config)")
    if not declared or repository.config is None:
        reason = "sgm.yaml cannot be used" if declared else "no cluster is declared in this repository"
        yield Skipped(("cluster-mismatch",), reason)
        return
    for one in declared:
        yield from _mismatch(one, repository.config)
    names = {one.name for one in declared}
    for cluster in repository.config.clusters:
        if cluster.name not in names:
            nearest = difflib.get_close_matches(cluster.name, sorted(names), n=1, cutoff=0.8)
            hint = f"; {nearest[0]} is" if nearest else ""
            yield found("cluster-mismatch", _listed(repository, cluster.name), f"{cluster.name} is not declared{hint}")


def _mismatch(one: Cluster, config: Config) -> Iterator[Finding]:
    listed = next((cluster for cluster in config.clusters if cluster.name == one.name), None)
    if listed is None:
        if one.labels.get("stage"):
            yield found("cluster-mismatch", one.place, f"{one.name} is declared and not in sgm.yaml")
        return
    for label, wanted in (("stage", listed.stage), ("location", listed.location)):
        value = one.labels.get(label, wanted)
        if value != wanted:
            message = f"{one.name} is declared with {label} {value}, and sgm.yaml says {wanted or 'nothing'}"
            yield found("cluster-mismatch", one.place, message)
    if listed.server and one.server and listed.server != one.server:
        message = f"{one.name} is declared at {one.server}, and sgm.yaml says {listed.server}"
        yield found("cluster-mismatch", one.place, message)


def _listed(repository: ParsedRepository, name: str) -> Place:
    """Where sgm.yaml names a cluster."""
    path = repository.checkout.team_file
    text = repository.checkout.files.get(path, b"").decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if line.rstrip().endswith(f"name: {name}"):
            return Place(path, number)
    return Place(path)
