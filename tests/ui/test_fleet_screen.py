"""The main screen under its keys: what moves, what is asked of the session, what is shown."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from textual.message import Message
from textual.pilot import Pilot

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.screens.cell import CellScreen
from sgm_tui.ui.screens.fleet import FleetScreen
from sgm_tui.ui.screens.help import HelpScreen
from sgm_tui.ui.screens.pulls import PullsScreen
from sgm_tui.ui.widgets.cell_grid import CellGrid

UTF8 = {"LANG": "C.UTF-8"}


def app_on(shown: FleetSnapshot) -> SgmApp:
    return SgmApp(builders.ScriptedSession(shown), environ=UTF8)


def grid_of(app: SgmApp) -> CellGrid:
    return app.screen.query_one(CellGrid)


def text_of(app: SgmApp) -> str:
    """Everything on the screen, as text."""
    return "\n".join("".join(part.text for part in line) for line in app.screen._compositor.render_strips())


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await pilot.pause()


async def test_the_cursor_walks_over_services_and_clusters() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "down", "j", "right", "l")
        assert grid_of(app).selected == builders.key("checkout", "prod-eu1")
        await press(pilot, "up", "h")
        assert grid_of(app).selected == builders.key("catalog", "staging-eu1")


async def test_the_cursor_stops_at_the_edges() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "up", "left", "end", "down", *["right"] * 9)
        assert grid_of(app).selected == builders.key("shipping", "prod-ap1")


async def test_a_cursor_move_is_told_once() -> None:
    told: list[CellGrid.CellHighlighted] = []

    def note(message: Message) -> None:
        if isinstance(message, CellGrid.CellHighlighted) and message not in told:
            told.append(message)

    app = app_on(builders.release())
    async with app.run_test(size=(120, 36), message_hook=note) as pilot:
        await pilot.pause()
        told.clear()
        await press(pilot, "down")
        assert [message.key for message in told] == [builders.key("catalog", "dev-eu1")]


async def test_the_cursor_stays_on_its_cell_when_rows_are_sorted() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "end", "3", "w")
        assert grid_of(app).services[0] != "cart"
        assert grid_of(app).selected == builders.key("shipping", "prod-eu1")
        assert grid_of(app).services[grid_of(app).row] == "shipping"


async def test_the_cursor_stays_on_its_cell_when_services_come() -> None:
    shown = builders.release()
    session = builders.ScriptedSession(shown)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "down", "down")
        newcomer = builders.cell("alpha", "dev-eu1")
        cells = {**shown.cells, newcomer.key: newcomer}
        session.push(replace(shown, cells=cells, services=("alpha", *shown.services)))
        await pilot.pause(0.05)
        assert grid_of(app).row == 3
        assert grid_of(app).selected == builders.key("checkout", "dev-eu1")


@pytest.mark.parametrize(("number", "cluster"), [("1", "dev-eu1"), ("2", "staging-eu1"), ("3", "prod-eu1")])
async def test_a_number_jumps_to_its_stage(number: str, cluster: str) -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, number)
        assert grid_of(app).selected == builders.key("cart", cluster)


async def test_a_folded_stage_is_one_column_that_stands_for_its_most_urgent_cell() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "3", "z")
        assert grid_of(app).selected == builders.key("cart", "prod-ap1")
        assert "prod-us1" not in text_of(app).splitlines()[3]
        await press(pilot, "z")
        assert "prod-us1" in text_of(app).splitlines()[3]


async def test_words_narrow_the_rows_and_escape_brings_them_back() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "slash", *"staging failed")
        assert grid_of(app).services == ("payments",)
        await press(pilot, "enter", "escape")
        assert len(grid_of(app).services) == 12
        assert app.focused is grid_of(app)


async def test_letters_in_the_filter_are_no_commands() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "slash", "q", "p", "f")
        assert app.is_running
        assert grid_of(app).view.query == "qpf"


async def test_keys_reach_no_cell_that_the_filter_hides() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "slash", "z", "z", "z", "enter")
        assert (grid_of(app).services, grid_of(app).selected) == ((), None)
        await press(pilot, "p", "enter", "y")
        assert not session.snapshot.plan.changes
        assert isinstance(app.screen, FleetScreen)
        await press(pilot, "escape")
        assert grid_of(app).selected is not None


async def test_the_attention_view_hides_what_is_quiet() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "f")
        assert "identity" not in grid_of(app).services
        assert "payments" in grid_of(app).services


async def test_promoting_puts_the_version_of_the_stage_before_into_the_plan() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot.pause()
        await press(pilot, "down", "down", "3", "right", "p")
        (change,) = session.snapshot.plan.changes
        assert (change.service, change.place, change.to_version) == ("checkout", "prod-us1", "v1.4.2")
        assert "planned: checkout prod-us1" in text_of(app)
        await press(pilot, "u")
        assert session.snapshot.plan == Plan()
        assert "undone: checkout prod-us1" in text_of(app)
        assert "planned: checkout" not in text_of(app)


async def test_a_promotion_that_is_refused_says_why() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "p")
        assert session.snapshot.plan == Plan()
        assert ["first stage" in notification.message for notification in app._notifications] == [True]


@pytest.mark.parametrize(
    ("key", "screen"), [("enter", CellScreen), ("o", PullsScreen), ("question_mark", HelpScreen)], ids=str
)
async def test_pages_open_and_escape_leads_back(key: str, screen: type) -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, key)
        assert isinstance(app.screen, screen)
        await press(pilot, "escape")
        assert isinstance(app.screen, FleetScreen)


async def test_refreshing_asks_the_session() -> None:
    session = builders.ScriptedSession(builders.release())
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "r")
        assert session.refreshed == 1


async def test_a_click_chooses_and_a_double_click_opens() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.click(CellGrid, offset=(62, 4))
        assert grid_of(app).selected == builders.key("checkout", "prod-eu1")
        await pilot.click(CellGrid, offset=(62, 4), times=2)
        await pilot.pause()
        assert isinstance(app.screen, CellScreen)


async def test_a_click_on_a_band_folds_its_stage() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.click(CellGrid, offset=(62, 0))
        await pilot.pause()
        assert "prod-us1" not in text_of(app).splitlines()[3]


async def test_without_colours_no_theme_can_be_chosen_that_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "ctrl+t")
        shown = text_of(app)
        assert "no-colour" in shown
        assert "light" not in shown


async def test_a_key_can_be_remapped() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), keymap={"down": "n"}, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "j", "n")
        assert grid_of(app).row == 1


async def test_a_snapshot_repaints_only_the_lines_that_look_different(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = builders.release()
    session = builders.ScriptedSession(shown)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        painted: list[int] = []
        paint = CellGrid.render_line

        def note(grid: CellGrid, y: int) -> object:
            painted.append(y)
            return paint(grid, y)

        monkeypatch.setattr(CellGrid, "render_line", note)
        moved = builders.cell("identity", "dev-eu1", "v5.4.2", Journey.SYNCING, since=3)
        session.push(replace(shown, cells={**shown.cells, moved.key: moved}))
        await pilot.pause(0.1)
        assert set(painted) == {0, 6}


async def test_a_snapshot_that_looks_the_same_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = builders.calm()
    session = builders.ScriptedSession(shown)
    app = SgmApp(session, environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        painted: list[int] = []
        monkeypatch.setattr(CellGrid, "render_line", lambda grid, y: painted.append(y))
        session.push(replace(shown, generated_at=builders.ago(-1)))
        await pilot.pause(0.1)
        assert painted == []


async def test_a_large_fleet_keeps_the_cursor_in_sight() -> None:
    app = app_on(builders.big())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await press(pilot, "end", *["right"] * 19)
        assert "service-099" in text_of(app)
        assert "prod-r19" in text_of(app)
        await press(pilot, "home", *["left"] * 19)
        assert "service-000" in text_of(app)
        assert "dev-r00" in text_of(app)


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (2, 2), (300, 100), (40, 10)], ids=str)
async def test_any_size_is_survived(size: tuple[int, int]) -> None:
    app = app_on(builders.release())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await press(pilot, "down", "right", "3", "z", "i")
        assert app.is_running


async def test_the_footer_shows_the_keys_from_the_start() -> None:
    app = app_on(builders.loading())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert "y why" in text_of(app).splitlines()[-1]


async def test_hiding_details_where_there_is_little_room_does_not_hide_them_where_there_is_more() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await press(pilot, "i", "i")
        body = app.screen.query_one("#body")
        assert body.has_class("-without-details")
        await pilot.resize_terminal(220, 60)
        await pilot.pause()
        assert body.has_class("-with-details")


async def test_cells_are_no_narrower_on_a_wider_terminal_that_has_details_beside() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(150, 36)) as pilot:
        await pilot.pause()
        before = grid_of(app).size.width
        for width in (170, 200):
            await pilot.resize_terminal(width, 36)
            await pilot.pause()
            assert grid_of(app).size.width >= before - 10


async def test_a_folded_stage_is_planned_and_marked_as_a_whole() -> None:
    app = app_on(builders.calm())
    prod = {builders.key("cart", f"prod-{at}") for at in ("eu1", "us1", "ap1")}
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "3", "z", "space")
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        assert screen.marked == prod
        await press(pilot, "k", "space")
        assert screen.marked == frozenset()


async def test_p_on_a_folded_stage_plans_all_of_its_clusters() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "j", "3", "z", "p")
        planned = app.snapshot.plan.changes
        assert {change.cluster for change in planned} >= {"prod-eu1", "prod-ap1"}
        assert {change.service for change in planned} == {"catalog"}


async def test_what_narrows_the_matrix_is_said() -> None:
    app = app_on(builders.release())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert "of 12 services" not in text_of(app)
        await press(pilot, "f", "w", "3", "z", "slash", *"cart", "enter")
        await pilot.pause()
        assert " 1 of 12 services · attention · worst first · prod folded · filter “cart”" in text_of(app)
        await press(pilot, "escape", "f", "w", "z")
        await pilot.pause()
        assert "of 12 services" not in text_of(app)


async def test_capital_l_plans_a_service_for_every_cluster_of_its_stage_at_its_location() -> None:
    shown = builders.release()
    clusters = tuple(
        replace(one, location="far") if one.name in {"prod-us1", "prod-ap1", "staging-eu1"} else one
        for one in shown.fleet.clusters
    )
    app = app_on(replace(shown, fleet=replace(shown.fleet, clusters=clusters)))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await press(pilot, "j", "j", "3", "l", "L")
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        planned = screen.snapshot.plan.changes
        assert {change.cluster for change in planned} == {"prod-us1", "prod-ap1"}
        assert {change.service for change in planned} == {"checkout"}


async def test_what_is_planned_is_said_once_and_what_was_planned_before_is_not_counted_again() -> None:
    app = SgmApp(builders.ScriptedSession(builders.release()), environ=UTF8)
    async with app.run_test(size=(120, 36)) as pilot:
        for keys, title in (("jj3lp", "planned: checkout prod-us1"), ("p", "planned already: checkout prod-us1")):
            await pilot.press(*keys)
            for _ in range(200):
                if app._notifications and any(one.title.startswith(title) for one in app._notifications):
                    break
                await pilot.pause(0.01)
            (said,) = app._notifications
            assert said.title.startswith(title)
