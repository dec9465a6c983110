"""Reading `policy`: every name in it is checked, so that a gate nobody meant to switch off does not stay off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from sgm_tui.config.reading import Section
from sgm_tui.config.schema import StageConfig
from sgm_tui.fleet.argo.schedule import ScheduleError, schedule
from sgm_tui.fleet.policy import GATES, Freeze, GroupBy, Level, Policy, RuleSet

_LEVELS: dict[str, Level] = {one: one for one in get_args(Level)}
_GROUPS: dict[str, GroupBy] = {one: one for one in get_args(GroupBy)}
Word = TypeVar("Word")


def policy_of(section: Section, stages: Sequence[StageConfig]) -> Policy:
    """The policy, whose stages and clusters have to be among those of the fleet."""
    clusters = {stage.name: [cluster.name for cluster in stage.clusters] for stage in stages}
    return Policy(
        group_by=_word(section, "group_by", _GROUPS, "stage"),
        direct=_known(section, "direct", clusters, "stage"),
        travels=section.texts("travels"),
        protected=section.texts("protected"),
        strategies={name: _strategy(one) for name, one in section.named("strategies").items()},
        required_checks=section.texts("required_checks"),
        guarded=frozenset(stage.name for stage in stages if stage.protected),
        defaults=_rules(section.section("defaults"), None),
        stages={name: _rules(one, clusters[name]) for name, one in section.named("stages", clusters, "stage").items()},
        services={name: _service(one, clusters) for name, one in section.named("services").items()},
    )


def _service(section: Section, clusters: dict[str, list[str]]) -> dict[str, RuleSet]:
    named = section.named("stages", clusters, "stage")
    section.finish()
    return {name: _rules(one, clusters[name]) for name, one in named.items()}


def _rules(section: Section, clusters: Sequence[str] | None) -> RuleSet:
    rules = RuleSet(
        soak_seconds=section.seconds("soak"),
        error_ratio_max=section.ratio("error_ratio_max"),
        latency_p99_max=section.seconds("latency_p99_max"),
        error_budget_min=section.ratio("error_budget_min"),
        severities=section.texts("severities") if section.data("severities") is not None else None,
        waves=None if clusters is None else _waves(section, clusters),
        wave_soak_seconds=section.seconds("wave_soak"),
        freezes=tuple(_freeze(one) for one in section.sections("freezes")),
        levels=_gates(section.section("gates")),
    )
    section.finish()
    return rules


def _gates(section: Section) -> dict[str, Level]:
    return {name: _word(section, name, _LEVELS, "") for name in section.names(GATES, "gate")}


def _waves(section: Section, clusters: Sequence[str]) -> tuple[tuple[str, ...], ...] | None:
    written: Any = section.data("waves")
    if written is None:
        return None
    if not isinstance(written, list) or not all(isinstance(one, list) and one for one in written):
        raise section.refuse("waves", "must be a list of lists of clusters", "Like [[prod-eu1], [prod-us1]].")
    waves = tuple(tuple(str(name) for name in one) for one in written)
    named = [name for one in waves for name in one]
    for name in named:
        if name not in clusters:
            raise section.refuse(
                "waves", f"{name} is not a cluster of this stage", f"Known here: {', '.join(clusters)}"
            )
    if len(set(named)) < len(named):
        raise section.refuse("waves", "a cluster is named twice", "List each cluster in one wave only.")
    return waves


def _freeze(section: Section) -> Freeze:
    parts = section.text("cron"), section.text("duration"), section.text("time_zone", "UTC")
    reason = section.text("reason", "")
    section.finish()
    try:
        return Freeze(schedule(*parts), reason)
    except ScheduleError as error:
        raise section.refuse(
            "cron", str(error), "Like cron: 0 16 * * 5, duration: 64h, time_zone: Europe/Berlin."
        ) from None


def _strategy(section: Section) -> dict[str, str]:
    return {key: section.json(key) for key in section.names()}


def _known(section: Section, key: str, names: Sequence[str] | dict[str, list[str]], what: str) -> tuple[str, ...]:
    found = section.texts(key)
    for one in found:
        if one not in names:
            raise section.refuse(key, f"{one} is not a {what}", f"Known here: {', '.join(names)}")
    return found


def _word(section: Section, key: str, words: dict[str, Word], default: str) -> Word:
    written = section.text(key, default)
    if written not in words:
        raise section.refuse(key, f"{written} is not one of {', '.join(words)}")
    return words[written]
