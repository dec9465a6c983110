"""The team's policy as frozen values: what has to hold before a change is written, and how changes are grouped.

`Config.policy` holds it; the gates (`fleet.gates`) and everything that plans read it. `docs/gates.md` explains each
gate, `docs/configuration.md` each key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from sgm_tui.fleet.argo.schedule import Schedule

GroupBy = Literal["stage", "cluster", "service"]
Level = Literal["off", "warn", "block", "never"]
"""What a gate that does not pass means.

off: it is not evaluated. warn: it is shown. block: it stops the change unless overridden with a reason. never: it stops
the change, whatever the reason.
"""


@dataclass(frozen=True, slots=True)
class Freeze:
    """One of `freezes`: while its schedule is active, nothing is promoted."""

    schedule: Schedule
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for one service in one stage."""

    soak_seconds: float = 0.0
    """How long a version has to be healthy in the previous stage before it is promoted."""
    error_ratio_max: float | None = None
    """The greatest error ratio, 0–1; None where it is not limited."""
    latency_p99_max: float | None = None
    """The greatest 99th percentile of the latency in seconds; None where it is not limited."""
    error_budget_min: float | None = None
    """The least remaining share of the error budget, 0–1; None where none is required."""
    severities: tuple[str, ...] = ("page", "critical")
    """The severities of alerts that count."""
    waves: tuple[tuple[str, ...], ...] = ()
    """The clusters of each wave, in the order of the waves; () changes all clusters at once."""
    wave_soak_seconds: float = 0.0
    """How long a wave has to be healthy before the next one opens."""
    freezes: tuple[Freeze, ...] = ()
    protected: bool = False
    """Whether the stage is protected."""
    levels: Mapping[str, Level] = field(default_factory=dict)
    """Gate → its level, where the policy names one; `gates.table.gate_level` adds the defaults."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules set in one place (`defaults`, a stage, or a stage of a service); None where a rule is not set there."""

    soak_seconds: float | None = None
    error_ratio_max: float | None = None
    latency_p99_max: float | None = None
    error_budget_min: float | None = None
    severities: tuple[str, ...] | None = None
    waves: tuple[tuple[str, ...], ...] | None = None
    wave_soak_seconds: float | None = None
    freezes: tuple[Freeze, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)

    def override(self, rules: Rules) -> Rules:
        """Return `rules` with the values set here; freezes accumulate, so that no place cancels another's freeze."""
        values = {
            name: value
            for name in (
                "soak_seconds", "error_ratio_max", "latency_p99_max", "error_budget_min", "severities", "waves",
                "wave_soak_seconds",
            )
            if (value := getattr(self, name)) is not None
        }  # fmt: skip
        freezes = (*rules.freezes, *(one for one in self.freezes if one not in rules.freezes))
        return replace(rules, **values, freezes=freezes, levels={**rules.levels, **self.levels})


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole `policy` section of the configuration."""

    group_by: GroupBy = "stage"
    """What one pull request covers: a stage, a cluster or a service."""
    direct: tuple[str, ...] = ()
    """The stages that may be pushed to without a pull request, on request."""
    travels: tuple[str, ...] = ()
    """Further keys that are promoted along with the version."""
    protected: tuple[str, ...] = ()
    """Keys, or prefixes of keys, that are never promoted."""
    strategies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name of a rollout strategy → key of the values file → its value as JSON text."""
    required_checks: tuple[str, ...] = ()
    """The names of checks, or contexts of commit statuses, that have to be successful on a pull request."""
    guarded: frozenset[str] = frozenset()
    """The protected stages."""
    defaults: RuleSet = field(default_factory=RuleSet)
    stages: Mapping[str, RuleSet] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, RuleSet]] = field(default_factory=dict)
    """Service → stage → the rules set there."""

    def rules(self, stage: str, service: str) -> Rules:
        """Return the rules for a service in a stage: the defaults, overridden by the stage's, then by the service's."""
        rules = self.defaults.override(Rules(protected=stage in self.guarded))
        rules = self.stages.get(stage, RuleSet()).override(rules)
        return self.services.get(service, {}).get(stage, RuleSet()).override(rules)

    def error_ratio_max(self, stage: str, service: str) -> float | None:
        """Return `rules(…).error_ratio_max` without building the rules: every join of a cell needs it."""
        own = self.services.get(service, {}).get(stage)
        places = (own, self.stages.get(stage), self.defaults)
        bounds = (place.error_ratio_max for place in places if place is not None)
        return next((bound for bound in bounds if bound is not None), None)
