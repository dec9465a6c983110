"""The document of `sgm status`: one dictionary with a documented, versioned shape (design §6, docs/status.md).

Versions are strings, times RFC 3339 in UTC, ratios 0–1; unknown values are None, never zero or "".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import CellKey

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Alert, Application, Rollout
    from sgm_tui.fleet.snapshot import FleetSnapshot
    from sgm_tui.fleet.source import SourceHealth

SCHEMA = 1

Document = dict[str, Any]
"""A JSON-compatible mapping."""


def report(snapshot: FleetSnapshot, keys: frozenset[CellKey] | None = None, missing: Sequence[str] = ()) -> Document:
    """Return the document of all cells, or of those in `keys`, in matrix order; `missing` names what is missing."""
    return {
        "schema": SCHEMA,
        "generated_at": time_text(snapshot.generated_at),
        "complete": not missing,
        "missing": list(missing),
        "sources": [source_report(one, snapshot.generated_at) for one in snapshot.sources],
        "cells": [
            cell_report(cell, unanswered_sources(snapshot, cell.key))
            for cell in in_order(snapshot)
            if keys is None or cell.key in keys
        ],
    }


def in_order(snapshot: FleetSnapshot) -> list[Cell]:
    """Return every cell, by service and then in column order."""
    columns = [(cluster.stage, cluster.name) for cluster in snapshot.fleet.clusters]
    keys = (CellKey(service, stage, name) for service in snapshot.services for stage, name in columns)
    return [snapshot.cells[key] for key in keys if key in snapshot.cells]


def time_text(moment: datetime | None) -> str | None:
    """Format a time by RFC 3339 in UTC, in whole seconds; None stays None."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def source_report(health: SourceHealth, now: datetime) -> Document:
    """Return the document of one source: its freshness and its error."""
    age = None if health.seen_at is None else max(0.0, round((now - health.seen_at).total_seconds(), 1))
    waiting = "no answer yet" if health.state == "waiting" else None
    return {
        "name": health.name,
        "kind": health.source.kind,
        "fresh": health.state == "fresh",
        "age_seconds": age,
        "error": health.reason or health.note or waiting,
    }


def unanswered_sources(snapshot: FleetSnapshot, key: CellKey) -> frozenset[str]:
    """Return the kinds of the cell's own sources that have never answered, or are not configured."""
    scopes = {"", key.cluster}
    return frozenset(
        health.source.kind for health in snapshot.sources if health.source.scope in scopes and health.seen_at is None
    )


def cell_report(cell: Cell, unanswered: frozenset[str] = frozenset()) -> Document:
    """Return one cell, flat enough for jq; a list from a source in `unanswered` is None, never empty."""
    facts = cell.facts
    application, rollout, scaling, metrics = facts.application, facts.rollout, facts.scaling, facts.metrics
    return {
        "service": cell.key.service,
        "stage": cell.key.stage,
        "cluster": cell.key.cluster,
        "location": facts.location,
        "desired": cell.desired_version,
        "desired_revision": (facts.desired.revision or None) if facts.desired else None,
        "desired_as_of": time_text(facts.desired_as_of),
        "pending": None
        if "forge" in unanswered
        else [{"version": one.version, "number": one.number, "url": one.url} for one in facts.pending],
        "synced_revision": (application.revision or None) if application else None,
        "sync": (application.sync or None) if application else None,
        "health": (application.health or None) if application else None,
        "differing": _differing_report(application) if application else None,
        "live": cell.live_version,
        "canary": cell.new_version,
        "rollout": _rollout_report(rollout) if rollout else None,
        "replicas": {
            "ready": rollout.ready if rollout else None,
            "desired": rollout.desired if rollout else None,
            "min": scaling.minimum if scaling else None,
            "max": scaling.maximum if scaling else None,
        },
        "metrics": {
            "requests_per_second": metrics.requests_per_second if metrics else None,
            "error_ratio": metrics.error_ratio if metrics else None,
            "latency_p99_seconds": metrics.latency_p99_seconds if metrics else None,
        },
        "alerts": None if "alerts" in unanswered else [_alert_report(alert) for alert in facts.alerts],
        "journey": cell.journey.value,
        "since": time_text(cell.since),
        "reason": cell.reason or None,
        "verdict": cell.verdict.value,
        "stale": list(facts.stale),
    }


def _differing_report(application: Application) -> Document | None:
    """Return the resources that differ from git; None where none does or Argo CD does not say."""
    if not application.differing:
        return None
    return {"count": application.differing_count, "resources": list(application.differing)}


def _rollout_report(rollout: Rollout) -> Document:
    newest = rollout.analysis_runs[-1] if rollout.analysis_runs else None
    return {
        "strategy": rollout.strategy,
        "phase": rollout.phase,
        "step": rollout.step,
        "steps": rollout.steps,
        "weight": rollout.actual_weight,
        "message": rollout.message or None,
        "analysis": {"name": newest.name, "phase": newest.phase, "message": newest.message or None} if newest else None,
    }


def _alert_report(alert: Alert) -> Document:
    return {
        "name": alert.name,
        "severity": alert.severity,
        "state": alert.state,
        "since": time_text(alert.since),
        "summary": alert.summary or None,
    }
