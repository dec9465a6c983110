"""The first frame of a fleet that was seen before: rows and versions, marked, filtered, and never acted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import builders
import pytest

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.last_seen import LastSeen
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.snapshot import FleetSnapshot, make_unconfirmed_snapshot
from sgm_tui.store.last_seen_file import read_last_seen, write_last_seen
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.present.cells import last_seen_line
from sgm_tui.ui.present.summary import summary
from sgm_tui.ui.widgets.cell_grid import CellGrid


@pytest.fixture
def last_seen(tmp_path: Path) -> LastSeen:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    read = read_last_seen(file, builders.NOW)
    assert read is not None
    return read


@pytest.fixture
def unconfirmed(last_seen: LastSeen) -> FleetSnapshot:
    return make_unconfirmed_snapshot(last_seen, builders.NOW)


def text_of(app: SgmApp) -> str:
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def test_the_first_frame_has_every_row_and_says_of_when_it_is(unconfirmed: FleetSnapshot) -> None:
    app = SgmApp(snapshot=unconfirmed, environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        text = text_of(app)
        assert "as of" in text
        assert all(service in text for service in unconfirmed.services)
        assert text.count("◌") == len(builders.calm().cells) + 2
        assert "✓" not in text
        assert "not confirmed yet" in text, "the details of the first cell"


@pytest.mark.parametrize("key", ["p", "v", "y", "g", "a", "enter"])
async def test_nothing_of_it_can_be_acted_on(unconfirmed: FleetSnapshot, key: str) -> None:
    app = SgmApp(snapshot=unconfirmed, environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert app.screen.query_one(CellGrid).selected is None
        assert len(app.screen_stack) == 1


async def test_the_attention_view_claims_no_calm_of_what_is_not_confirmed(unconfirmed: FleetSnapshot) -> None:
    app = SgmApp(snapshot=unconfirmed, environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("f")
        await pilot.pause()
        assert app.screen.query_one(CellGrid).services == unconfirmed.services
        assert "Nothing needs attention" not in text_of(app)


@pytest.mark.parametrize(("keys", "is_found"), [("cart", True), ("cr", True), ("nosuch", False)])
async def test_rows_that_are_not_confirmed_are_found_by_the_filter(
    unconfirmed: FleetSnapshot, keys: str, is_found: bool
) -> None:
    app = SgmApp(snapshot=unconfirmed, environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("slash", *keys)
        await pilot.pause()
        assert ("cart" in app.screen.query_one(CellGrid).services) is is_found


@pytest.mark.parametrize("width", [9, 12, 24])
def test_a_version_that_is_not_confirmed_never_looks_like_one_that_is(width: int) -> None:
    line = last_seen_line([Version("v1.4.2")], width)
    assert "".join(text for text, _ in line).split() in (["v1.4.2", "◌"], ["◌", "v1.4.2"])
    assert {tone.name for text, tone in line if text.strip()} == {"UNKNOWN"}


async def test_a_cell_whose_version_was_not_certain_is_marked_and_not_drawn_as_absent(tmp_path: Path) -> None:
    calm = builders.calm()
    unknown = {key: replace(cell, journey=Journey.UNKNOWN) for key, cell in calm.cells.items()}
    write_last_seen(tmp_path / "seen", replace(calm, cells=unknown))
    last_seen = read_last_seen(tmp_path / "seen", builders.NOW)
    assert last_seen is not None
    app = SgmApp(snapshot=make_unconfirmed_snapshot(last_seen, builders.NOW), environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        rows = text_of(app).splitlines()[4 : 4 + len(calm.services)]
        assert sum(row.count("◌") for row in rows) == len(calm.cells)
        assert "·" not in "".join(rows)


@pytest.mark.parametrize("days", [0, 3])
def test_a_day_is_named_where_it_is_not_today(last_seen: LastSeen, days: int) -> None:
    later = make_unconfirmed_snapshot(last_seen, last_seen.seen_at + timedelta(days=days))
    line = "".join(text for text, _ in summary(later, 120))
    assert "as of" in line
    assert (last_seen.seen_at.astimezone().strftime("%d %b") in line) is bool(days)
