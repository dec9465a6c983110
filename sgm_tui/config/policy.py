"""Reading `policy`: every name in it is checked, so that a misspelt gate or stage does not silently disable a rule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar, get_args

from sgm_tui.config.reading import Section
from sgm_tui.config.schema import StageConfig
from sgm_tui.fleet.argo.schedule import ScheduleError, schedule
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.policy import Freeze, GroupBy, Level, Policy, RuleSet

_LEVELS: dict[str, Level] = {level: level for level in get_args(Level)}
_GROUPS: dict[str, GroupBy] = {group: group for group in get_args(GroupBy)}
Word = TypeVar("Word")


def read_policy(section: Section, stages: Sequence[StageConfig]) -> Policy:
    """Read the policy, whose stages and clusters have to be among those of the fleet.

    Raises:
        ConfigError: it has unknown names or wrong values.
    """
    clusters = {stage.name: [cluster.name for cluster in stage.clusters] for stage in stages}
    return Policy(
        group_by=_read_word(section, "group_by", _GROUPS),
        direct=_read_names(section, "direct", clusters, "stage"),
        travels=section.texts("travels"),
        protected=section.texts("protected"),
        strategies={
            name: {key: strategy.json(key) for key in strategy.names()}
            for name, strategy in section.named("strategies").items()
        },
        required_checks=section.texts("required_checks"),
        guarded=frozenset(stage.name for stage in stages if stage.protected),
        defaults=_read_rules(section.section("defaults"), None),
        stages=_read_stages(section, clusters),
        services={name: _read_service(service, clusters) for name, service in section.named("services").items()},
    )


def _read_stages(section: Section, clusters: dict[str, list[str]]) -> dict[str, RuleSet]:
    stages = section.named("stages", clusters, "stage")
    return {name: _read_rules(rules, clusters[name]) for name, rules in stages.items()}


def _read_service(section: Section, clusters: dict[str, list[str]]) -> dict[str, RuleSet]:
    stages = section.named("stages", clusters, "stage")
    section.finish()
    return {name: _read_rules(rules, clusters[name]) for name, rules in stages.items()}


def _read_rules(section: Section, clusters: Sequence[str] | None) -> RuleSet:
    """Read the rules of one place; `clusters` are those of its stage, None where there are no waves."""
    rules = RuleSet(
        soak_seconds=section.seconds("soak"),
        error_ratio_max=section.ratio("error_ratio_max"),
        latency_p99_max=section.seconds("latency_p99_max"),
        error_budget_min=section.ratio("error_budget_min"),
        severities=section.texts("severities") if section.data("severities") is not None else None,
        waves=None if clusters is None else _read_waves(section, clusters),
        wave_soak_seconds=section.seconds("wave_soak"),
        freezes=tuple(map(_read_freeze, section.sections("freezes"))),
        levels=_read_gates(section.section("gates")),
    )
    section.finish()
    return rules


def _read_gates(section: Section) -> dict[str, Level]:
    return {name: _read_word(section, name, _LEVELS) for name in section.names(GATE_NAMES, "gate")}


def _read_waves(section: Section, clusters: Sequence[str]) -> tuple[tuple[str, ...], ...] | None:
    data: Any = section.data("waves")
    if data is None:
        return None
    if not isinstance(data, list) or not all(isinstance(wave, list) and wave for wave in data):
        raise section.refuse("waves", "must be a list of lists of clusters", "Like [[prod-eu1], [prod-us1]].")
    waves = tuple(tuple(str(name) for name in wave) for wave in data)
    names = [name for wave in waves for name in wave]
    for name in names:
        if name not in clusters:
            raise section.refuse(
                "waves", f"{name} is not a cluster of this stage", f"Known here: {', '.join(clusters)}"
            )
    if len(set(names)) < len(names):
        raise section.refuse("waves", "a cluster is named twice", "List each cluster in one wave only.")
    return waves


def _read_freeze(section: Section) -> Freeze:
    parts = section.text("cron"), section.text("duration"), section.text("time_zone")
    reason = section.text("reason")
    section.finish()
    try:
        return Freeze(schedule(*parts), reason)
    except ScheduleError as error:
        raise section.refuse(
            "cron", str(error), "Like cron: 0 16 * * 5, duration: 64h, time_zone: Europe/Berlin."
        ) from None


def _read_names(section: Section, key: str, allowed: Collection[str], what: str) -> tuple[str, ...]:
    """Read a list of names that have to be among `allowed`."""
    names = section.texts(key)
    for name in names:
        if name not in allowed:
            raise section.refuse(key, f"{name} is not a {what}", f"Known here: {', '.join(allowed)}")
    return names


def _read_word(section: Section, key: str, words: dict[str, Word]) -> Word:
    """Read one of several words."""
    word = section.text(key)
    if word not in words:
        raise section.refuse(key, f"{word} is not one of {', '.join(words)}")
    return words[word]
