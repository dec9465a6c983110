"""`--wait`: what is waited for before a write, and what is followed after it; also where nothing had to be written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import cell, key, preview, promotion, snapshot

from sgm_tui.commands import following
from sgm_tui.commands.following import already_there, follow, until_its_turn
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.plan import Refusal
from sgm_tui.fleet.proposal import Preview
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.session import LiveSession

EU1, US1 = key("cart", "prod-eu1"), key("cart", "prod-us1")
NEW = "v2.8.1"


def session_of(*shown: FleetSnapshot) -> LiveSession:
    async def snapshots() -> AsyncIterator[FleetSnapshot]:
        for one in shown:
            yield one

    return cast(LiveSession, SimpleNamespace(store=SimpleNamespace(snapshot=shown[0]), snapshots=snapshots))


def eu1(journey: Journey, **facts: Any) -> FleetSnapshot:
    return snapshot([cell("cart", "prod-eu1", NEW, journey, **facts), cell("cart", "prod-us1", "v2.8.0")])


def blocked_by(*names: str) -> Preview:
    """A promotion into prod-us1 that these gates are in the way of."""
    planned = replace(eu1(Journey.ROLLING), plan=eu1(Journey.ROLLING).plan.with_change(promotion(US1, NEW)))
    made = preview(planned)
    gates = tuple(Gate(US1, name, "block", "prod-eu1 is rolling") for name in names)
    return replace(made, proposals=tuple(replace(one, gates=gates) for one in made.proposals))


@pytest.mark.parametrize(
    ("journeys", "code"),
    [
        ((Journey.ROLLING, Journey.SETTLED), 0),
        ((Journey.ROLLING, Journey.FAILED), 1),
        ((Journey.PROPOSED,), 0),
    ],
)
async def test_what_git_wants_already_is_followed_until_it_has_settled_or_failed(
    journeys: tuple[Journey, ...], code: int
) -> None:
    shown = [eu1(journey) for journey in journeys]
    path = shown[0].cells[EU1].facts.desired
    assert path is not None
    wanted = already_there(shown[0], [Refusal(path.path, "already at v2.8.1: nothing to promote", nothing=True)])
    assert wanted == {EU1: NEW}
    assert await follow(session_of(*shown), wanted, set(), 5) == code


def test_what_is_refused_or_brought_by_a_pull_request_is_not_there_yet() -> None:
    desired = eu1(Journey.SETTLED).cells[EU1].facts.desired
    assert desired is not None
    refusals = [Refusal(desired.path, "an anchor"), Refusal(desired.path, "#9 brings it", nothing=True, number=9)]
    assert already_there(eu1(Journey.SETTLED), refusals) == {}


async def test_an_earlier_wave_is_waited_for_and_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(following, "_AGAIN_SECONDS", 0)
    looks = [blocked_by("wave"), blocked_by("wave"), blocked_by()]

    async def again() -> Preview:
        return looks.pop(0)

    found = await until_its_turn(session_of(eu1(Journey.ROLLING)), blocked_by("wave"), again, 5)
    assert not found.proposals[0].blocked
    assert looks == []
    assert capsys.readouterr().err == "waiting    cart@prod-us1: prod-eu1 is rolling\n"


@pytest.mark.parametrize(
    ("names", "journey"), [(("wave", "image"), Journey.ROLLING), (("wave",), Journey.FAILED), ((), Journey.ROLLING)]
)
async def test_what_waiting_does_not_clear_is_not_waited_for(names: tuple[str, ...], journey: Journey) -> None:
    async def again() -> Preview:
        raise AssertionError("nobody has to look again")

    before = blocked_by(*names)
    assert await until_its_turn(session_of(eu1(journey)), before, again, 5) is before


async def test_an_earlier_wave_is_not_waited_for_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    before = blocked_by("wave")

    async def again() -> Preview:
        return before

    assert await until_its_turn(session_of(eu1(Journey.ROLLING)), before, again, 0.01) is before
    assert "has not settled within" in capsys.readouterr().err
