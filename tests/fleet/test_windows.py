"""Sync windows and freezes: deny beats allow, manual syncs, the next opening, and how the window gate tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import NOW, application, cell, key, snapshot

from sgm_tui.fleet.argo.schedule import schedule
from sgm_tui.fleet.argo.windows import Window, standing
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.gates.evaluation import evaluate_gates
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, ChangeKind
from sgm_tui.fleet.policy import Freeze, Policy, RuleSet

PROD = key("cart", "prod-eu1")
MONDAY = datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC)


def window(text: str, duration: str, *, allows: bool = False, manual: bool = False, name: str = "") -> Window:
    return Window(allows, schedule(text, duration), name or text, manual)


OFFICE = window("0 8 * * mon-fri", "9h", allows=True, name="office hours")
NIGHT = window("0 22 * * *", "8h", allows=True)
LUNCH = window("0 14 * * *", "30m", name="lunch")
ALWAYS_NOT = window("* * * * *", "1h", name="closed for good")


@pytest.mark.parametrize(
    ("windows", "opened"),
    [
        ((), True),
        ((OFFICE,), True),
        ((NIGHT,), False),
        ((NIGHT, OFFICE), True),
        ((LUNCH,), False),
        ((OFFICE, LUNCH), False),
        ((window("0 3 * * *", "1h"),), True),
        ((window("0 3 * * *", "1h"), NIGHT), False),
    ],
)
def test_deny_beats_allow_and_allow_windows_close_every_other_hour(windows: tuple[Window, ...], opened: bool) -> None:
    assert standing(windows, MONDAY).opened is opened


@pytest.mark.parametrize(
    ("windows", "opened"),
    [
        ((replace(LUNCH, manual_sync=True),), True),
        ((replace(LUNCH, manual_sync=True), ALWAYS_NOT), False),
        ((replace(LUNCH, manual_sync=True), NIGHT), True),
        ((replace(NIGHT, manual_sync=True),), True),
        ((replace(NIGHT, manual_sync=True), window("0 3 * * *", "1h", allows=True)), False),
    ],
)
def test_a_manual_sync_needs_every_window_in_its_way_to_let_it_through(
    windows: tuple[Window, ...], opened: bool
) -> None:
    assert standing(windows, MONDAY, manual=True).opened is opened
    assert standing(windows, MONDAY).opened is False


def test_the_next_opening_is_the_first_moment_no_window_is_in_the_way() -> None:
    friday_evening = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    monday_morning = window("0 8 30 11 *", "2h", name="moving house")
    found = standing((OFFICE, monday_morning), friday_evening)
    assert found.by == OFFICE
    assert found.changes_at == datetime(2026, 11, 30, 10, 0, tzinfo=UTC)


def test_what_never_opens_has_no_next_opening() -> None:
    assert standing((ALWAYS_NOT,), MONDAY).changes_at is None
    assert standing((OFFICE, ALWAYS_NOT), MONDAY).changes_at is None


# the gate

WEEKEND = Freeze(schedule("0 12 * * 1", "64h", "UTC"), "release week")
FROZEN = Policy(stages={"prod": RuleSet(freezes=(WEEKEND,))})


def gate(
    windows: tuple[Window, ...] | str | None = (),
    policy: Policy | None = None,
    *,
    kind: ChangeKind = "promotion",
    auto_sync: bool = True,
) -> Gate:
    cells = (
        cell("cart", "staging-eu1"),
        cell("cart", "prod-eu1", "v2.8.0", application=application(PROD, auto_sync=auto_sync)),
    )
    path = "prod/prod-eu1/app-service/cart/values.yaml"
    one = Change(
        kind, PROD.service, PROD.stage, PROD.cluster, path, "image.tag", Version("v2.8.0"), Version("v2.8.1"), (PROD,)
    )
    evidence = Evidence() if windows is None else Evidence(windows={PROD: windows})
    found = evaluate_gates(one, snapshot(cells), policy or Policy(), evidence, NOW)
    return next(one for one in found if one.gate == "window")


def test_a_promotion_into_a_frozen_stage_is_blocked_and_says_when_it_opens() -> None:
    found = gate((), FROZEN)
    assert (found.result, found.reason) == ("block", "frozen: release week")
    assert found.eta == datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


def test_a_promotion_argo_cd_would_not_apply_is_blocked_with_the_window_that_denies_it() -> None:
    found = gate((LUNCH,))
    assert found.result == "block"
    assert found.reason == "a sync window denies it (lunch): Argo CD would not apply it"
    assert found.eta == NOW.replace(minute=30, second=0)
    outside = gate((NIGHT,))
    assert outside.reason.startswith("outside every sync window")
    assert outside.eta == NOW.replace(hour=22, minute=0, second=0)


def test_the_opening_waits_for_freeze_and_window_both() -> None:
    found = gate((replace(OFFICE, name="office"),), FROZEN)
    assert found.eta == datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def test_a_revert_minds_no_freeze_and_is_only_told_of_a_window() -> None:
    assert gate((), FROZEN, kind="revert").result == "pass"
    found = gate((replace(LUNCH, manual_sync=True),), kind="revert")
    assert (found.result, found.stops) == ("warn", False)
    assert found.reason.endswith("a manual sync is allowed")


def test_where_people_sync_by_hand_a_window_that_lets_them_is_not_in_the_way() -> None:
    by_hand = replace(LUNCH, manual_sync=True)
    assert gate((by_hand,), auto_sync=False).result == "pass"
    assert gate((by_hand,), auto_sync=True).result == "block"


def test_windows_nobody_knows_do_not_count_as_open() -> None:
    assert gate(None).reason == "not checked yet"
    unreadable = gate("the sync window of project acme cannot be read")
    assert (unreadable.result, unreadable.reason) == ("unknown", "the sync window of project acme cannot be read")
    assert gate("whatever", FROZEN).result == "block", "a freeze is known in any case"


def test_a_window_that_never_ends_says_so() -> None:
    found = gate((ALWAYS_NOT,))
    assert found.eta is None
    assert found.reason.endswith("with no end time")


def test_open_windows_pass() -> None:
    assert gate((OFFICE,)).reason == "no sync window or freeze is active"
    assert gate().reason == "there are no sync windows or freezes"
    later = Policy(stages={"prod": RuleSet(freezes=(Freeze(schedule("0 16 * * 5", "64h")),))})
    assert gate((), later).result == "pass"


@pytest.mark.parametrize("allows", [True, False])
@pytest.mark.parametrize("manual", [True, False])
def test_a_window_argo_cd_cannot_read_blocks_every_sync_for_good(*, allows: bool, manual: bool) -> None:
    always = Window(allows=True, schedule=schedule("* * * * *", "1h"))
    unreadable = Window(allows=allows, schedule=None, manual_sync=True, unreadable="weekday '7'")
    stands = standing((always, unreadable), NOW, manual=manual)
    assert (stands.opened, stands.by, stands.changes_at) == (False, unreadable, None)
