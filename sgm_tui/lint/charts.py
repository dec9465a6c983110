"""Find values that no chart reads: keys that are in neither the chart's schema, its defaults nor its templates.

A key counts as read if it is in any of the three, or if a template uses the mapping around it as a whole. Charts that
are not in the repository (remote charts, library charts) are not checked.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.json_reader import read_json
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.yaml_reader.marked import Place, place_of

_REFERENCE = re.compile(r"\.Values((?:\.[A-Za-z_][\w]*)*)")
_INDEX = re.compile(r"index\s+\$?\.Values((?:\s+\"[^\"]+\")+)")
_WHOLE = re.compile(r"\.Values(?![\w.])(?!\s+\")")
_MANY = 4
"""So many keys of one file are reported as one finding."""
_HELM_KEYS = frozenset({"global", "tags"})
_UNSUPPORTED_KEYWORDS = ("$ref", "allOf", "anyOf", "oneOf", "patternProperties", "if")
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Chart:
    """The values one chart reads."""

    folder: str
    schema: Mapping[str, Any] | None
    defaults: Any
    read: frozenset[Key]
    """The keys its templates read."""
    free: frozenset[str]
    """Top-level keys of subcharts and of Helm itself."""
    has_unknown_dependency: bool
    """Whether a dependency is not in the repository, and might read any key."""


def check(repository: ParsedRepository) -> Results:
    """Check the values files that Applications pass to charts of this repository, and values of umbrella charts."""
    charts_by_file = _charts_by_values_file(repository)
    if not charts_by_file:
        yield Skipped(("values-unread",), "no Application gives values to a chart of this repository")
    charts: dict[str, _Chart | None] = {}
    for path, folders in sorted(charts_by_file.items()):
        for folder in sorted(folders):
            if folder not in charts:
                charts[folder] = _read_chart(repository, folder)
            chart = charts[folder]
            if chart is not None and path in repository.checkout.files:
                documents = [one for one in repository.parse_file(path).values[:1] if isinstance(one, Mapping)]
                yield from _merge_findings(
                    [one for values in documents for one in _find_unread_keys(chart, values, path)], folder
                )


def _merge_findings(findings: Sequence[Finding], folder: str) -> Iterator[Finding]:
    """Merge many findings of one file into one: then the file is meant for something else."""
    loose = [one for one in findings if one.severity == "warning"]
    yield from (one for one in findings if one not in loose or len(loose) < _MANY)
    if len(loose) >= _MANY:
        names = [one.message.rpartition(" ")[2] for one in loose]
        message = f"chart {folder} does not read {len(loose)} keys: {abbreviate(names, 3)}"
        yield replace(
            make_finding("values-unread", loose[0].place, message), related=tuple(one.place for one in loose[1:])
        )


def _charts_by_values_file(repository: ParsedRepository) -> dict[str, set[str]]:
    """Return values file → folders of the charts it is passed to."""
    folders: dict[str, set[str]] = defaultdict(set)
    for application in repository.applications:
        for source, path in repository.value_files(application):
            folder = source.path.strip("/")
            if folder in repository.charts and repository.reads_these_files(source) and not source.chart:
                folders[path].add(folder)
    for folder in repository.charts:
        # An umbrella chart only wraps its dependencies: its own values are meant for them.
        if not _templates(repository, folder) and f"{folder}/values.yaml" in repository.checkout.files:
            folders[f"{folder}/values.yaml"].add(folder)
    return folders


def _templates(repository: ParsedRepository, folder: str) -> list[str]:
    return [path for path in repository.paths if path.startswith(f"{folder}/templates/")]


def _read_chart(repository: ParsedRepository, folder: str) -> _Chart | None:
    """Return the values a chart reads; None if a template uses `.Values` as a whole, so that any key may be read."""
    dependencies = _dependencies(repository, folder)
    text = "\n".join(
        repository.checkout.files[path].decode("utf-8", "replace")
        for path in repository.paths
        if path.startswith((f"{folder}/templates/", f"{folder}/charts/")) and "/templates/" in path
    )
    if _WHOLE.search(_INDEX.sub("", text)):
        return None
    references = [tuple(one.split(".")[1:]) for one in _REFERENCE.findall(text)]
    references += [tuple(re.findall(r"\"([^\"]+)\"", one)) for one in _INDEX.findall(text)]
    conditions = ",".join(str(one.get("condition") or "") for one in dependencies).split(",")
    own = _templates(repository, folder)
    return _Chart(
        folder=folder,
        schema=_schema(repository, folder),
        defaults=_first_document(repository, f"{folder}/values.yaml") if own else {},
        read=frozenset(one for one in (*references, *(tuple(one.strip().split(".")) for one in conditions)) if one),
        free=_HELM_KEYS | {str(one.get("alias") or one.get("name")) for one in dependencies},
        has_unknown_dependency=bool(own) and any(not _is_vendored(repository, folder, one) for one in dependencies),
    )


def _dependencies(repository: ParsedRepository, folder: str) -> list[Mapping[str, Any]]:
    """Return the dependencies of a chart, from its Chart.yaml or (Helm 2) its requirements.yaml."""
    files = (_first_document(repository, f"{folder}/{name}") for name in ("Chart.yaml", "requirements.yaml"))
    listed = (file.get("dependencies") for file in files if isinstance(file, Mapping))
    return [one for entries in listed if isinstance(entries, list) for one in entries if isinstance(one, Mapping)]


def _first_document(repository: ParsedRepository, path: str) -> Any:
    values = repository.parse_file(path).values if path in repository.checkout.files else ()
    return values[0] if values else {}


def _schema(repository: ParsedRepository, folder: str) -> Mapping[str, Any] | None:
    data = repository.checkout.files.get(f"{folder}/values.schema.json")
    if data is None:
        return None
    try:
        schema = read_json(data)
    except (ValueError, RecursionError):
        return None
    return schema if isinstance(schema, dict) else None


def _is_vendored(repository: ParsedRepository, folder: str, dependency: Mapping[str, Any]) -> bool:
    return f"{folder}/charts/{dependency.get('name')}" in repository.charts


def _find_unread_keys(chart: _Chart, values: Mapping[str, Any], path: str) -> Iterator[Finding]:
    top = {key: value for key, value in values.items() if key not in chart.free}
    yield from _check_mapping(chart, top, (), chart.schema, chart.defaults, path)


def _check_mapping(
    chart: _Chart, values: Mapping[str, Any], above: Key, schema: Mapping[str, Any] | None, defaults: Any, path: str
) -> Iterator[Finding]:
    declared, closed = _properties_of(schema)
    readable = {*declared, *(defaults if isinstance(defaults, Mapping) else ()), *_keys_read_below(chart, above)}
    for key, value in values.items():
        here = (*above, str(key))
        if key in declared or (not closed and key in readable):
            inner_schema = declared.get(key)
            inner_defaults = defaults.get(key) if isinstance(defaults, Mapping) else None
            if isinstance(value, Mapping) and not _accepts_any_key(chart, here, inner_schema, inner_defaults):
                narrower = inner_schema if isinstance(inner_schema, Mapping) else None
                yield from _check_mapping(chart, value, here, narrower, inner_defaults, path)
            continue
        names = {*declared} if closed else {*readable, *(chart.free if not above else ())}
        nearest = difflib.get_close_matches(
            str(key), sorted(names), n=1, cutoff=0.8 if chart.has_unknown_dependency else 0.6
        )
        if chart.has_unknown_dependency and not nearest and not closed:
            continue
        yield _finding(chart, here, nearest, place_of(key, path), closed=closed)


def _finding(chart: _Chart, key: Key, nearest: Sequence[str], place: Place, *, closed: bool) -> Finding:
    name = ".".join(key)
    verdict = "does not allow" if closed else "does not read"
    fix = f"Did you mean {'.'.join((*key[:-1], nearest[0]))}?" if nearest else ""
    message = f"chart {chart.folder} {verdict} {name}"
    return make_finding("values-unread", place, message, fix, severity="error" if closed else "warning")


def _properties_of(schema: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], bool]:
    """Return the properties a schema declares, and whether it refuses all others."""
    if schema is None:
        return {}, False
    properties = schema.get("properties")
    closed = schema.get("additionalProperties") is False and not any(word in schema for word in _UNSUPPORTED_KEYWORDS)
    return (properties if isinstance(properties, Mapping) else {}), closed


def _keys_read_below(chart: _Chart, above: Key) -> set[str]:
    return {key[len(above)] for key in chart.read if len(key) > len(above) and key[: len(above)] == above}


def _accepts_any_key(chart: _Chart, key: Key, schema: Any, defaults: Any) -> bool:
    """Whether the keys inside a mapping are not checked, because the chart may use any of them."""
    if any(key[: len(one)] == one for one in chart.read):
        # A template uses the mapping, or a mapping around it, as a whole.
        return not (isinstance(schema, Mapping) and _properties_of(schema)[1])
    if isinstance(schema, Mapping):
        return not schema.get("properties") or any(word in schema for word in _UNSUPPORTED_KEYWORDS)
    if schema is True:
        return True
    return not _keys_read_below(chart, key) and (not isinstance(defaults, Mapping) or not defaults)
