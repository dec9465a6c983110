"""What the next start shows before any source has answered: saved when certain, marked, dropped when confirmed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import builders
import pytest

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.last_seen import UNCERTAIN, LastSeen
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import ApplicationsListed, DesiredStateRead, RolloutsListed, SourceOff
from sgm_tui.store.fleet_store import Store
from sgm_tui.store.last_seen_file import read_last_seen, write_last_seen

GIT, ARGO, ROLLOUTS = SourceId("git"), SourceId("argocd", "hub"), SourceId("rollouts", "prod-ap1")
CART = builders.key("cart", "prod-ap1")


def saved(tmp_path: Path) -> LastSeen:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    last_seen = read_last_seen(file, builders.NOW)
    assert last_seen is not None
    return last_seen


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    calm, last_seen = builders.calm(), saved(tmp_path)
    assert (last_seen.seen_at, last_seen.fleet, tuple(last_seen.versions)) == (
        calm.generated_at,
        calm.fleet,
        calm.services,
    )
    assert all(last_seen.version(key) == cell.live_version for key, cell in calm.cells.items())
    assert last_seen.version(builders.key("unheard-of", "prod-ap1")) is None


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    saved(tmp_path)
    assert (tmp_path / "last-seen.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("doubt", ["journey", "source"])
def test_a_version_that_is_not_certain_is_not_saved(tmp_path: Path, doubt: str) -> None:
    calm = builders.calm()
    cell = calm.cells[CART]
    doubtful = (
        replace(cell, journey=Journey.UNKNOWN)
        if doubt == "journey"
        else replace(cell, facts=replace(cell.facts, stale=("git",), stale_since=builders.ago(60)))
    )
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, replace(calm, cells={**calm.cells, CART: doubtful}))
    last_seen = read_last_seen(file, builders.NOW)
    assert last_seen is not None
    assert last_seen.version(CART) == UNCERTAIN
    assert last_seen.version(builders.key("cart", "prod-eu1"))


def test_only_where_there_was_no_cell_nothing_is_shown(tmp_path: Path) -> None:
    calm = builders.calm()
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, replace(calm, cells={key: cell for key, cell in calm.cells.items() if key != CART}))
    last_seen = read_last_seen(file, builders.NOW)
    assert last_seen is not None
    assert last_seen.version(CART) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "[1]",
        "\x00\xff",
        '{"schema": 2, "seen_at": "2026-12-01T00:00:00+00:00", "stages": [], "clusters": [], "services": []}',
        '{"schema": 1, "seen_at": "2026-12-01T00:00:00", "stages": [], "clusters": [], "services": []}',
        '{"schema": 1, "seen_at": "2026-12-01T00:00:00+00:00", "stages": [3], "clusters": [], "services": []}',
        '{"schema": 1, "seen_at": "2026-12-01T00:00:00+00:00", "stages": [], "clusters": [], "services": ["a"]}',
        "[" * 200_000,
    ],
)
def test_a_file_that_is_damaged_or_of_another_version_shows_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "last-seen.jsonl"
    file.write_text(text, encoding="latin-1")
    assert read_last_seen(file, builders.NOW) is None


def test_a_damaged_line_costs_its_own_row_only(tmp_path: Path) -> None:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    header, first, *others = file.read_text(encoding="utf-8").splitlines()
    for damaged in ("", "{", '["v1"]', "17", json.dumps([3] * len(json.loads(first)))):
        file.write_text("\n".join([header, damaged, *others]), encoding="utf-8")
        last_seen = read_last_seen(file, builders.NOW)
        assert last_seen is not None
        services = list(last_seen.versions)
        assert set(last_seen.versions[services[0]].values()) == {UNCERTAIN}, "unread is not absent"
        assert UNCERTAIN not in last_seen.versions[services[1]].values()


HOSTILE = ["\ud800", "\udc9b31m", "\x1b[2J", "a\nb", "\u202e", "x" * 257, 7, None, ["v1"]]


@pytest.mark.parametrize("hostile", [*HOSTILE, ""])
@pytest.mark.parametrize("where", ["services", "stages", "clusters"])
def test_a_name_that_no_source_reports_makes_the_file_foreign(tmp_path: Path, where: str, hostile: object) -> None:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    header = json.loads(first)
    header[where][0] = hostile if where == "services" else [hostile, *header[where][0][1:]]
    file.write_text("\n".join([json.dumps(header), *lines]), encoding="utf-8")
    assert read_last_seen(file, builders.NOW) is None


@pytest.mark.parametrize("hostile", [one for one in HOSTILE if one is not None])
def test_a_version_that_no_source_reports_is_not_shown(tmp_path: Path, hostile: object) -> None:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    header, first, *others = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([header, json.dumps([hostile, *json.loads(first)[1:]]), *others]), encoding="utf-8")
    last_seen = read_last_seen(file, builders.NOW)
    assert last_seen is not None
    assert set(last_seen.versions[next(iter(last_seen.versions))].values()) == {UNCERTAIN}


@pytest.mark.parametrize("damage", ["stages", "clusters", "services"])
def test_a_fleet_that_cannot_be_is_not_shown(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    header = json.loads(first)
    for damaged in ([*header[damage][1:], header[damage][-1]], header[damage][1:], "text", 3):
        file.write_text("\n".join([json.dumps({**header, damage: damaged}), *lines]), encoding="utf-8")
        last_seen = read_last_seen(file, builders.NOW)
        if last_seen is not None:
            assert damage == "clusters", "rows of another width are unread, a fleet is not invented"
            assert all(set(row.values()) == {UNCERTAIN} for row in last_seen.versions.values())


@pytest.mark.parametrize(
    "seen_at",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        (builders.NOW + timedelta(minutes=1)).isoformat(),
        (builders.NOW - timedelta(days=366)).isoformat(),
    ],
)
def test_a_time_that_has_not_come_or_is_long_ago_is_not_shown(tmp_path: Path, seen_at: str) -> None:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([json.dumps({**json.loads(first), "seen_at": seen_at}), *lines]), encoding="utf-8")
    assert read_last_seen(file, builders.NOW) is None


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "last-seen.jsonl"
    os.mkfifo(pipe)
    assert read_last_seen(pipe, builders.NOW) is None


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "last-seen.jsonl"
    write_last_seen(file, builders.calm())
    with file.open("a", encoding="utf-8") as handle:
        handle.write(" " * 16_000_000)
    assert read_last_seen(file, builders.NOW) is None


def test_it_is_shown_until_every_deciding_source_has_answered(tmp_path: Path) -> None:
    last_seen = saved(tmp_path)
    store = Store(clock=lambda: builders.NOW)
    store.show_last_seen(last_seen)
    assert store.snapshot.services == tuple(last_seen.versions)
    store.configure(last_seen.fleet, sources=(GIT, ARGO, ROLLOUTS, SourceId("metrics", "prod-ap1")))
    assert store.snapshot.last_seen_version(CART) == last_seen.version(CART)
    for update in (DesiredStateRead(GIT, DesiredState("a" * 40, "main")), ApplicationsListed(ARGO, {})):
        store.apply(update)
        assert store.publish().last_seen is last_seen
    store.apply(RolloutsListed(ROLLOUTS, {}))
    confirmed = store.publish()
    assert confirmed.last_seen is None
    assert confirmed.last_seen_version(CART) is None
    assert confirmed.services == ()


def test_a_source_that_is_off_is_not_waited_for(tmp_path: Path) -> None:
    store = Store(clock=lambda: builders.NOW)
    store.show_last_seen(saved(tmp_path))
    store.configure(builders.fleet(), sources=(GIT, ARGO))
    store.apply(SourceOff(ARGO, "argocd.hubs is not configured"))
    store.apply(DesiredStateRead(GIT, DesiredState("a" * 40, "main")))
    assert store.publish().last_seen is None


def test_files_of_configurations_that_were_changed_since_are_removed(tmp_path: Path) -> None:
    for number in range(25):
        write_last_seen(tmp_path / f"{number}.jsonl", builders.calm())
        os.utime(tmp_path / f"{number}.jsonl", (number + 1, number + 1))
    write_last_seen(tmp_path / "newest.jsonl", builders.calm())
    names = {file.stem for file in tmp_path.iterdir()}
    assert names == {"newest", *(str(number) for number in range(6, 25))}
