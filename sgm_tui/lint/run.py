"""Run all checks on one repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from sgm_tui.config.schema import Config
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.gitops.parsed_repository import Checkout, ParsedRepository
from sgm_tui.lint import applications, charts, clusters, drift, kinds, layout, owners, projects, versions, yaml_files
from sgm_tui.lint.findings import Finding, Report, Results, Skipped, make_finding
from sgm_tui.yaml_reader.marked import Place

_CONFIG_MESSAGE = re.compile(r"(?P<path>.+?\.ya?ml)(?::(?P<line>\d+))?: (?P<message>.*)", re.DOTALL)


def lint(
    checkout: Checkout,
    config: Config | ConfigError,
    *,
    only: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Report:
    """Check a repository and return the report.

    Args:
        checkout: its files.
        config: its sgm.yaml, or why that cannot be used: then the rules that need it are skipped.
        only: ids of the rules to report; all if empty.
        ignore: ids of the rules to leave out.
    """
    usable = None if isinstance(config, ConfigError) else config
    checkout = _exclude(checkout, usable.lint.exclude if usable is not None else ())
    repository = ParsedRepository(checkout, usable, config if isinstance(config, ConfigError) else None)
    findings: dict[Finding, None] = {}
    skipped: list[Skipped] = []
    for check in _CHECKS:
        for result in check(repository):
            if isinstance(result, Skipped):
                skipped.append(result)
            elif (not only or result.rule in only) and result.rule not in ignore:
                findings[result] = None
    generated = tuple(sorted(repository.applications, key=lambda one: (one.origin, one.name)))
    return Report(tuple(sorted(findings, key=_sort_key)), tuple(skipped), len(checkout.files), generated)


def _exclude(checkout: Checkout, excluded: Collection[str]) -> Checkout:
    """Return the checkout without the files that `lint.exclude` matches; a folder excludes everything below it."""

    def is_excluded(path: str) -> bool:
        return any(matches(glob.rstrip("/"), part, separated=True) for glob in excluded for part in _with_parents(path))

    if not excluded:
        return checkout
    files = {path: data for path, data in checkout.files.items() if not is_excluded(path)}
    return replace(checkout, files=files, links=frozenset(path for path in checkout.links if not is_excluded(path)))


def _with_parents(path: str) -> list[str]:
    """Return a path and every folder above it."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _sort_key(finding: Finding) -> tuple[str, int, int, str, str]:
    place = finding.place
    return place.path, place.line, place.column, finding.rule, finding.message


def _check_config(repository: ParsedRepository) -> Results:
    """Report why sgm.yaml cannot be used."""
    if repository.config_error is None:
        return
    match = _CONFIG_MESSAGE.fullmatch(repository.config_error.message)
    message = match["message"] if match else repository.config_error.message
    line = int(match["line"] or 1) if match else 1
    yield make_finding("config", Place(repository.checkout.team_file, line), message, repository.config_error.hint)


_CHECKS: tuple[Callable[[ParsedRepository], Results], ...] = (
    _check_config,
    yaml_files.check,
    layout.check,
    versions.check,
    projects.check,
    applications.check,
    clusters.check,
    owners.check,
    charts.check,
    kinds.check,
    drift.check,
)
