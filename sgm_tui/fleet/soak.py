"""Soaking: a version is settled and healthy, but not yet for as long as the next stage requires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sgm_tui.fleet.cell import Cell, Journey, Soak, Verdict
from sgm_tui.fleet.model import CellKey, Fleet

if TYPE_CHECKING:
    from sgm_tui.fleet.desired import Desired
    from sgm_tui.fleet.policy import Policy

_SETTLED = frozenset({Journey.SETTLED, Journey.SOAKING})


def required_soak(fleet: Fleet, policy: Policy, desired: Mapping[CellKey, Desired], key: CellKey) -> Soak | None:
    """Return the soak that the next stage requires of a cell's version; None for none, or where it has the version."""
    stage, here = fleet.stage_after(key.stage), desired.get(key)
    if stage is None or here is None:
        return None
    keys = (CellKey(key.service, stage.name, cluster.name) for cluster in fleet.clusters_of(stage.name))
    next_versions = {desired[one].version for one in keys if one in desired}
    rules = policy.rules(stage.name, key.service)
    if next_versions <= {here.version} or rules.soak_seconds <= 0 or rules.levels.get("soak") == "off":
        return None
    return Soak(stage.name, rules.soak_seconds)


def with_soak(cell: Cell, now: datetime) -> Cell:
    """Return a settled cell as soaking while its version has not been healthy for as long as the next stage requires.

    A cell stays settled where it is unknown since when it is healthy.
    """
    soak = cell.facts.soak
    start = healthy_since(cell) if soak is not None and cell.journey is Journey.SETTLED else None
    if soak is None or start is None:
        return cell
    end = start + timedelta(seconds=soak.seconds)
    if now >= end:
        return cell
    verdict = Verdict.BUSY if cell.verdict is Verdict.GOOD else cell.verdict
    reason = f"soaks for {soak.stage} until {end:%Y-%m-%dT%H:%M:%SZ}"
    return replace(cell, journey=Journey.SOAKING, verdict=verdict, reason=reason, check_at=end)


def healthy_since(cell: Cell) -> datetime | None:
    """Return since when, at least, a cell that is healthy now has been healthy; None where that is unknown.

    By the newest of the controllers' own timestamps: newest deployment, last transition of the rollout, start of the
    health.
    """
    application, rollout = cell.facts.application, cell.facts.rollout
    if application is not None and not application.detailed:
        return None
    times = [rollout.updated_at if rollout else None]
    if application is not None:
        times += [application.deployed_at, application.health_since if application.health == "Healthy" else None]
    if cell.journey in _SETTLED:
        # For a staged or proposed cell this would be when it was staged.
        times.append(cell.since)
    return max((one for one in times if one is not None), default=None)
