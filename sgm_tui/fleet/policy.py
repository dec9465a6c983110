"""The team's policy as frozen values: what has to hold before a change is written, and how changes are grouped.

Held in `Config.policy`, read by the gates (`fleet.gates`) and by everything that plans. `docs/gates.md` explains each
gate, `docs/configuration.md` each key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from sgm_tui.fleet.argo.schedule import Schedule

GroupBy = Literal["stage", "cluster", "service"]
Level = Literal["off", "warn", "block", "never"]
"""off: not looked at. warn: said. block: stops unless overridden with a reason. never: stops, whatever the reason."""

GATES = (
    "held",
    "image",
    "project",
    "window",
    "pull-request",
    "wave",
    "healthy-before",
    "soak",
    "in-flight",
    "alerts",
    "sli",
    "error-budget",
    "downgrade",
    "owners",
    "checks",
)
"""Every gate, in the order they are shown."""
_ALWAYS_BLOCK = frozenset({"held", "image", "project", "window", "pull-request", "wave"})
_ALWAYS_WARN = frozenset({"owners", "checks"})


@dataclass(frozen=True, slots=True)
class Freeze:
    """`freezes[]`: while it is open, nothing is promoted."""

    schedule: Schedule
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one service in one stage."""

    soak_seconds: float = 0.0
    """How long a version has to have been healthy in the stage before."""
    error_ratio_max: float | None = None
    """0–1; None asks for nothing."""
    latency_p99_max: float | None = None
    """Seconds."""
    error_budget_min: float | None = None
    """Share of the error budget that has to be left, 0–1."""
    severities: tuple[str, ...] = ("page", "critical")
    """Severities of alerts that count."""
    waves: tuple[tuple[str, ...], ...] = ()
    """Clusters in the order they get a change; () moves all at once."""
    wave_soak_seconds: float = 0.0
    """How long a wave has to have been healthy before the next one opens."""
    freezes: tuple[Freeze, ...] = ()
    protected: bool = False
    """The stage is protected."""
    levels: Mapping[str, Level] = field(default_factory=dict)
    """Gate → its level, where the policy names one."""

    def level(self, gate: str) -> Level:
        """What the gate means here; a gate the policy does not name has the default of its kind."""
        if gate in self.levels:
            return self.levels[gate]
        if gate in _ALWAYS_WARN:
            return "warn"
        return "block" if self.protected or gate in _ALWAYS_BLOCK else "warn"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One place rules are written in: `defaults`, a stage, or a service's stage. What is None is not said there."""

    soak_seconds: float | None = None
    error_ratio_max: float | None = None
    latency_p99_max: float | None = None
    error_budget_min: float | None = None
    severities: tuple[str, ...] | None = None
    waves: tuple[tuple[str, ...], ...] | None = None
    wave_soak_seconds: float | None = None
    freezes: tuple[Freeze, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)

    def over(self, rules: Rules) -> Rules:
        """Rules with what is said here in their place; freezes add up, for nobody takes another's freeze away."""
        said = {
            name: value
            for name in (
                "soak_seconds", "error_ratio_max", "latency_p99_max", "error_budget_min", "severities", "waves",
                "wave_soak_seconds",
            )
            if (value := getattr(self, name)) is not None
        }  # fmt: skip
        freezes = (*rules.freezes, *(one for one in self.freezes if one not in rules.freezes))
        return replace(rules, **said, freezes=freezes, levels={**rules.levels, **self.levels})


@dataclass(frozen=True, slots=True)
class Policy:
    """`policy`."""

    group_by: GroupBy = "stage"
    """One pull request for each of these."""
    direct: tuple[str, ...] = ()
    """Stages whose changes may be pushed without a pull request, when somebody asks for it."""
    travels: tuple[str, ...] = ()
    """Keys that go along with the version in a promotion."""
    protected: tuple[str, ...] = ()
    """Keys, or what keys begin with, that never travel."""
    strategies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name of a rollout strategy → key of the values file → its value as JSON text."""
    required_checks: tuple[str, ...] = ()
    """Names of checks, or contexts of commit statuses, that have to be successful on a pull request."""
    guarded: frozenset[str] = frozenset()
    """The protected stages."""
    defaults: RuleSet = field(default_factory=RuleSet)
    stages: Mapping[str, RuleSet] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, RuleSet]] = field(default_factory=dict)
    """Service → stage → what is different there."""

    def rules(self, stage: str, service: str) -> Rules:
        """What holds for a service in a stage: the defaults, the stage's own, and the service's own over them."""
        rules = self.defaults.over(Rules(protected=stage in self.guarded))
        rules = self.stages.get(stage, RuleSet()).over(rules)
        return self.services.get(service, {}).get(stage, RuleSet()).over(rules)

    def error_ratio_max(self, stage: str, service: str) -> float | None:
        """Return the bound of the share of failing requests, as `rules` has it; asked for every cell that is joined."""
        own = self.services.get(service, {}).get(stage)
        places = (own, self.stages.get(stage), self.defaults)
        bounds = (place.error_ratio_max for place in places if place is not None)
        return next((bound for bound in bounds if bound is not None), None)
