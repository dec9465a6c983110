"""All checks on one repository, in one report."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from sgm_tui.config.schema import Config
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.gitops.parsed_repository import Checkout, ParsedRepository
from sgm_tui.lint import applications, charts, clusters, drift, kinds, layout, owners, projects, versions, yaml_files
from sgm_tui.lint.findings import Finding, Report, Said, Skipped, found
from sgm_tui.yaml_reader.marked import Place

_CONFIG_MESSAGE = re.compile(r"(?P<path>.+?\.ya?ml)(?::(?P<line>\d+))?: (?P<message>.*)", re.DOTALL)


def lint(
    checkout: Checkout,
    config: Config | ConfigError,
    *,
    only: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Report:
    """Look at a repository.

    Args:
        checkout: its files.
        config: its sgm.yaml, or why that cannot be used; what needs it is skipped then.
        only: rules to report; all when empty.
        ignore: rules to leave out.
    """
    usable = None if isinstance(config, ConfigError) else config
    checkout = _without(checkout, usable.lint.exclude if usable is not None else ())
    repository = ParsedRepository(checkout, usable, config if isinstance(config, ConfigError) else None)
    findings: dict[Finding, None] = {}
    skipped: list[Skipped] = []
    for check in _CHECKS:
        for said in check(repository):
            if isinstance(said, Skipped):
                skipped.append(said)
            elif (not only or said.rule in only) and said.rule not in ignore:
                findings[said] = None
    made = tuple(sorted(repository.applications, key=lambda one: (one.origin, one.name)))
    return Report(tuple(sorted(findings, key=_order)), tuple(skipped), len(checkout.files), made)


def _without(checkout: Checkout, excluded: Collection[str]) -> Checkout:
    """Leave out what `lint.exclude` names; a folder's name leaves out all that is below it."""

    def is_left_out(path: str) -> bool:
        return any(matches(glob.rstrip("/"), part, separated=True) for glob in excluded for part in _upwards(path))

    if not excluded:
        return checkout
    files = {path: data for path, data in checkout.files.items() if not is_left_out(path)}
    return replace(checkout, files=files, links=frozenset(path for path in checkout.links if not is_left_out(path)))


def _upwards(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    place = finding.place
    return place.path, place.line, place.column, finding.rule, finding.message


def _config(repository: ParsedRepository) -> Said:
    if repository.config_error is None:
        return
    match = _CONFIG_MESSAGE.fullmatch(repository.config_error.message)
    message = match["message"] if match else repository.config_error.message
    line = int(match["line"] or 1) if match else 1
    yield found("config", Place(repository.checkout.team_file, line), message, repository.config_error.hint)


_CHECKS: tuple[Callable[[ParsedRepository], Said], ...] = (
    _config,
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
