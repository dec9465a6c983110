"""Find values of a service that should be the same in every stage but differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.gitops.yaml.image_values import image_in
from sgm_tui.gitops.yaml.keys import locate
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.yaml_reader.marked import Place, place_of_node
from sgm_tui.yaml_reader.nodes import ScalarNode


def check(repository: ParsedRepository) -> Results:
    """Compare the values files of every service."""
    if repository.config is None or not repository.cells_by_file:
        yield Skipped(("stage-drift",), "no values file is known")
        return
    files: dict[str, dict[str, str]] = defaultdict(dict)
    for cluster in repository.config.clusters:
        for cell, path in repository.cells.items():
            if cell.cluster == cluster.name and path in repository.cells_by_file:
                files[cell.service].setdefault(path, cell.stage)
    for service in sorted(files):
        for key in _keys_to_compare(repository.config.layout.image_key):
            yield from _find_drift(repository, files[service], key, repository.config.layout.image_key)


def _keys_to_compare(image_key: str) -> tuple[str, ...]:
    """Return the keys that should be equal: the image's repository (or the image key itself), and the team."""
    parent, _, name = image_key.rpartition(".")
    return (f"{parent}.repository", "team") if parent and name in {"tag", "digest"} else (image_key, "team")


def _value_to_compare(value: str, key: str, image_key: str) -> str:
    """Return what should be equal everywhere: of the image key the image without its version, "" for a bare version."""
    return image_in(value, key) if key == image_key else value


def _find_drift(repository: ParsedRepository, files: dict[str, str], key: str, image_key: str) -> Iterator[Finding]:
    values: dict[str, tuple[str, Place]] = {}
    for path in files:
        node = locate(repository.parse_file(path).nodes, key).node
        if isinstance(node, ScalarNode) and (value := _value_to_compare(node.value, key, image_key)):
            values[path] = (value, place_of_node(node, path))
    # Of equally frequent values the first wins, and files come in the order of stages.
    usual = Counter(value for value, _ in values.values()).most_common(1)
    for path, (value, place) in values.items():
        if value != usual[0][0]:
            other_stages = _stages(files, [other for other, (its, _) in values.items() if its == usual[0][0]])
            yield make_finding(
                "stage-drift", place, f"{key} is {value} in {files[path]}, and {usual[0][0]} in {other_stages}"
            )


def _stages(files: dict[str, str], paths: Sequence[str]) -> str:
    return abbreviate(list(dict.fromkeys(files[path] for path in paths)), 3)
