"""A picture of the dashboard: the real application, run without a terminal on one snapshot, as SVG."""

from __future__ import annotations

from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.static_session import StaticSession
from sgm_tui.ui.widgets.cell_grid import CellGrid
from sgm_tui.ui.widgets.key_bar import KeyBar

WIDTH, HEIGHT = 132, 36


async def svg(snapshot: FleetSnapshot, size: tuple[int, int] = (WIDTH, HEIGHT), theme: str = "") -> str:
    """The main screen on this snapshot, `size` in columns and rows.

    Args:
        snapshot: what to show.
        size: columns, rows.
        theme: name of a theme; the default one when empty.
    """
    app = SgmApp(StaticSession(snapshot), theme=theme, environ={})
    title = f"sgm · {snapshot.repository}" if snapshot.repository else "sgm"
    async with app.run_test(size=size) as pilot:
        while not _is_filled(app, snapshot):
            await pilot.pause()
        picture = ""
        while picture != (newest := app.export_screenshot(title=title)):
            picture = newest
            await pilot.pause()  # what is mounted last moves what was there before
        return picture


def _is_filled(app: SgmApp, snapshot: FleetSnapshot) -> bool:
    """Return whether the matrix shows the snapshot and the footer, which is mounted last, has its keys."""
    grids, footers = app.screen.query(CellGrid), app.screen.query(KeyBar)
    return any(grid.snapshot is snapshot for grid in grids) and any(footer.children for footer in footers)


def holding(snapshot: FleetSnapshot) -> tuple[int, int]:
    """The columns and rows at which the whole fleet is in the picture, each cell with its words."""
    width = 30 + 17 * len(snapshot.fleet.clusters) + 2 * len(snapshot.fleet.stages)
    beside = 54 if width >= 200 else 0  # details stand beside the matrix there
    return max(WIDTH, width + beside), max(HEIGHT, len(snapshot.services) + 20)
