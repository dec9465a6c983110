"""Compare the clusters declared to Argo CD with those of sgm.yaml; find credentials in git."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from sgm_tui.config.schema import Config
from sgm_tui.fleet.argo.objects import Cluster
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Results, Skipped, make_finding
from sgm_tui.yaml_reader.marked import Place


def check(repository: ParsedRepository) -> Results:
    """Check every declaration of a cluster."""
    declared = repository.argo.clusters
    for cluster in declared:
        if cluster.credentials:
            yield make_finding(
                "cluster-credentials", cluster.place, f"{cluster.name} is declared with its credentials (config)"
            )
    if not declared or repository.config is None:
        reason = "sgm.yaml cannot be used" if declared else "no cluster is declared in this repository"
        yield Skipped(("cluster-mismatch",), reason)
        return
    for cluster in declared:
        yield from _find_mismatches(cluster, repository.config)
    names = {cluster.name for cluster in declared}
    for configured in repository.config.clusters:
        if configured.name not in names:
            nearest = difflib.get_close_matches(configured.name, sorted(names), n=1, cutoff=0.8)
            hint = f"; {nearest[0]} is" if nearest else ""
            yield make_finding(
                "cluster-mismatch", _find_line(repository, configured.name), f"{configured.name} is not declared{hint}"
            )


def _find_mismatches(declared: Cluster, config: Config) -> Iterator[Finding]:
    configured = next((cluster for cluster in config.clusters if cluster.name == declared.name), None)
    if configured is None:
        if declared.labels.get("stage"):
            yield make_finding("cluster-mismatch", declared.place, f"{declared.name} is declared and not in sgm.yaml")
        return
    for label, expected in (("stage", configured.stage), ("location", configured.location)):
        value = declared.labels.get(label, expected)
        if value != expected:
            message = f"{declared.name} is declared with {label} {value}, and sgm.yaml says {expected or 'nothing'}"
            yield make_finding("cluster-mismatch", declared.place, message)
    if configured.server and declared.server and configured.server != declared.server:
        message = f"{declared.name} is declared at {declared.server}, and sgm.yaml says {configured.server}"
        yield make_finding("cluster-mismatch", declared.place, message)


def _find_line(repository: ParsedRepository, name: str) -> Place:
    """Return the line of sgm.yaml that names a cluster."""
    path = repository.checkout.team_file
    text = repository.checkout.files.get(path, b"").decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if line.rstrip().endswith(f"name: {name}"):
            return Place(path, number)
    return Place(path)
