"""The document of wave plans: `sgm plan waves -o json`."""

from __future__ import annotations

from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.report.status import time_text


def wave_document(plan: WavePlan, step: WaveStep) -> dict[str, object]:
    """Return the document of one wave plan: its waves, its progress, and what it waits for until when."""
    return {
        "id": plan.identity,
        "title": plan.title,
        "began_at": time_text(plan.began_at),
        "soak_seconds": plan.soak_seconds,
        "opened": plan.opened,
        "waves": [[_document(change) for change in wave] for wave in plan.waves],
        "stopped": plan.stopped or None,
        "next": step.do,
        "waits_for": step.reason,
        "eta": time_text(step.eta),
    }


def _document(change: Change) -> dict[str, object]:
    return {
        "service": change.service,
        "stage": change.stage,
        "cluster": change.cluster,
        "clusters": [key.cluster for key in change.cells],
        "from": change.from_version,
        "to": change.to_version,
    }
