"""The table of gates: one record for each, in the order in which they are evaluated and shown.

Names, order, defaults, what `policy` may configure and the table of `docs/gates.md` derive from it. To add a gate,
write its check, add its record here, and copy its row to the page (`render_table` prints it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sgm_tui.fleet.gates import surroundings, travel
from sgm_tui.fleet.gates.context import Check
from sgm_tui.fleet.policy import Level, Rules

DefaultLevel = Literal["block", "warn", "protected"]
"""protected: block in protected stages, warn in the others."""
OnRevert = Literal["same", "pass", "warn", "skip"]
"""What changes when the change is a revert.

same: nothing. pass: the check itself lets every revert pass, and says why. warn: what would block only warns. skip: the
gate is not evaluated.
"""


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One gate: what it asks, how it is checked, and what it means where the policy does not name it."""

    name: str
    """As in `policy…gates`, in documents and in commits."""
    passes_when: str
    """The question it answers, as Markdown: when does the gate pass?"""
    taken_from: str
    """The sources of its evidence, as Markdown."""
    cleared_by: str
    """The help for a person: what makes it pass, as Markdown."""
    default: DefaultLevel
    on_revert: OnRevert
    check: Check | None
    """None for `checks`, which is evaluated for an open pull request and not for a change."""


GATES: tuple[GateRecord, ...] = (
    GateRecord(
        name="held",
        passes_when="the version was not reverted from this cell, nor marked known bad",
        taken_from="git history (a revert, [a mark](promotion.md#revert)), `b` in the revert screen",
        cleared_by="another version, or an override",
        default="block",
        on_revert="same",
        check=travel.quarantined,
    ),
    GateRecord(
        name="image",
        passes_when="the registry has the image in that version",
        taken_from="`registry.url`, one `HEAD` of the manifest",
        cleared_by="build and push it; unknown while the registry does not respond",
        default="block",
        on_revert="same",
        check=surroundings.image,
    ),
    GateRecord(
        name="project",
        passes_when="the AppProject allows repository, destination and namespace, and Argo CD has not refused the "
        "Application",
        taken_from="AppProjects of the hub, else of git; conditions of the Application",
        cleared_by="the AppProject",
        default="block",
        on_revert="same",
        check=surroundings.project,
    ),
    GateRecord(
        name="window",
        passes_when="no sync window denies and no freeze is on; deny beats allow, and outside of every allow window is "
        "denied; a window Argo CD cannot read denies everything",
        taken_from="AppProjects of the hub, else of git; `policy…freezes`",
        cleared_by="time: it says when the next one opens",
        default="block",
        on_revert="warn",
        check=surroundings.window,
    ),
    GateRecord(
        name="pull-request",
        passes_when="no open pull request proposes another version here "
        "([which of three](#an-open-pull-request-for-the-same-cell))",
        taken_from="GitHub",
        cleared_by="supersede it, or merge or close it",
        default="block",
        on_revert="same",
        check=travel.pull_request,
    ),
    GateRecord(
        name="wave",
        passes_when="clusters of earlier `waves` that have got this version are settled with it, and have been for "
        "`wave_soak`",
        taken_from="Argo CD, Rollouts",
        cleared_by="those clusters, then time: it says when. Who names a later cluster alone, before any has the "
        "version, is taken at their word",
        default="block",
        on_revert="skip",
        check=travel.wave,
    ),
    GateRecord(
        name="healthy-before",
        passes_when="the version is settled, healthy and synced in every cell of the previous stage",
        taken_from="Argo CD, Rollouts",
        cleared_by="that stage",
        default="protected",
        on_revert="skip",
        check=travel.healthy_before,
    ),
    GateRecord(
        name="soak",
        passes_when="it has been so for `soak`",
        taken_from="newest of Argo CD's deployment, the rollout's last transition, the cell's journey; a re-deploy "
        "starts it again",
        cleared_by="time: it says when",
        default="protected",
        on_revert="skip",
        check=travel.soak,
    ),
    GateRecord(
        name="in-flight",
        passes_when="nothing else is on its way into the cell",
        taken_from="Argo CD, Rollouts",
        cleared_by="the rollout's end",
        default="protected",
        on_revert="pass",
        check=travel.in_flight,
    ),
    GateRecord(
        name="alerts",
        passes_when="no alert of a severity in `severities` fires for the service there, or for its cluster",
        taken_from="Prometheus",
        cleared_by="the alert",
        default="protected",
        on_revert="pass",
        check=surroundings.alerts,
    ),
    GateRecord(
        name="sli",
        passes_when="error ratio and p99 are within `error_ratio_max` and `latency_p99_max`, here and in the previous "
        "stage",
        taken_from="Prometheus",
        cleared_by="the service",
        default="protected",
        on_revert="skip",
        check=surroundings.sli,
    ),
    GateRecord(
        name="error-budget",
        passes_when="at least `error_budget_min` of the error budget is left",
        taken_from="the query `error_budget_remaining`, or the error ratio",
        cleared_by="the budget",
        default="protected",
        on_revert="skip",
        check=surroundings.error_budget,
    ),
    GateRecord(
        name="downgrade",
        passes_when="the version is not older, where both are semantic versions or differ in their numbers only "
        "(`dev-9`, `dev-12`)",
        taken_from="the versions",
        cleared_by="an override, or a revert",
        default="protected",
        on_revert="pass",
        check=travel.downgrade,
    ),
    GateRecord(
        name="owners",
        passes_when="CODEOWNERS name somebody for the file",
        taken_from="CODEOWNERS",
        cleared_by="CODEOWNERS",
        default="warn",
        on_revert="warn",
        check=surroundings.owners,
    ),
    GateRecord(
        name="checks",
        passes_when="each check or commit status named in `required_checks` was successful (of an open pull request)",
        taken_from="GitHub, by name",
        cleared_by="the checks; absent, neutral or skipped is unknown, not ended is no pass",
        default="warn",
        on_revert="same",
        check=None,
    ),
)
GATE_NAMES = tuple(record.name for record in GATES)
"""The name of every gate, in order."""
_RECORDS: Mapping[str, GateRecord] = {record.name: record for record in GATES}


def gate_level(rules: Rules, name: str) -> Level:
    """Return the level of a gate under some rules: the one the policy names, else the gate's default."""
    if name in rules.levels:
        return rules.levels[name]
    default = _RECORDS[name].default
    if default == "protected":
        return "block" if rules.protected else "warn"
    return default


def render_table() -> str:
    """Render the table of `docs/gates.md` as Markdown."""
    header = ["| gate | passes when | taken from | what clears it | default | revert |", "|---" * 6 + "|"]
    rows = (
        (f"`{gate.name}`", gate.passes_when, gate.taken_from, gate.cleared_by, f"`{gate.default}`", gate.on_revert)
        for gate in GATES
    )
    return "\n".join([*header, *(f"| {' | '.join(row)} |" for row in rows)])
