"""What the matrix shows when it has no rows: why, and what to do."""

from __future__ import annotations

from dataclasses import replace

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.glyphs import STALE, WAITING
from sgm_tui.ui.present.rows import View, visible_services
from sgm_tui.ui.present.silence import unwatched_clusters
from sgm_tui.ui.present.tones import Line, Tone


def describe_empty_matrix(snapshot: FleetSnapshot, view: View) -> tuple[Line, ...]:
    """Return the lines shown instead of rows."""
    if snapshot.problem:
        first, *rest = snapshot.problem.splitlines()
        return (
            (("✖ ", Tone.BAD), (first, Tone.BAD)),
            *(((line, Tone.TEXT),) for line in rest),
            (),
            (("Fix it and restart sgm; q quits.", Tone.QUIET),),
        )
    if view.attention and view.query.split() and visible_services(snapshot, replace(view, attention=False)):
        return (
            ((f"“{view.query.strip()}” needs no attention", Tone.STRONG),),
            (("Only cells that need attention are shown: f shows all, esc clears the filter.", Tone.QUIET),),
        )
    if snapshot.services and view.query.split():
        return (
            ((f"Nothing matches “{view.query.strip()}”", Tone.STRONG),),
            (("esc clears the filter. Every word must match the same cell:", Tone.QUIET),),
            (("service, stage, cluster, location, version, journey or #number.", Tone.QUIET),),
        )
    if snapshot.services:
        return _quiet(snapshot)
    if not snapshot.sources:
        return (((f"{WAITING} ", Tone.BUSY), ("Connecting to the fleet", Tone.TEXT)),)
    if all(source.state == "fresh" for source in snapshot.sources if source.source.kind in {"git", "argocd"}):
        return (
            (("The fleet is empty", Tone.STRONG),),
            (("Neither git nor Argo CD has a service in these clusters.", Tone.QUIET),),
        )
    silent = [source for source in snapshot.sources if source.state == "stale"]
    return (
        ((f"{WAITING} ", Tone.BUSY), ("Waiting for the first answers", Tone.STRONG)),
        *(((f"{STALE} ", Tone.BAD), (f"{source.name}  ", Tone.TEXT), (source.reason, Tone.QUIET)) for source in silent),
    )


def _quiet(snapshot: FleetSnapshot) -> tuple[Line, ...]:
    """Return why the attention view is empty: all is well, or it is unknown whether all is well."""
    unwatched = unwatched_clusters(snapshot.sources)
    if unwatched:
        return (
            (("? ", Tone.UNKNOWN), ("No cell is known to need attention", Tone.STRONG)),
            ((f"Whether alerts fire is unknown in {', '.join(unwatched)}. f shows every cell.", Tone.QUIET),),
        )
    return (
        (("✓ ", Tone.GOOD), ("Nothing needs attention", Tone.STRONG)),
        ((f"All {len(snapshot.cells)} cells are settled. f shows them again.", Tone.QUIET),),
    )
