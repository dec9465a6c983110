"""`--wait`: what is waited for before a write, and what is followed after it; also where nothing had to be written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import NOW, cell, key, preview, promotion, pull_request, rolling, snapshot, source, sources

from sgm_tui.commands import following
from sgm_tui.commands.following import already_there, follow, until_its_turn
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.plans.proposal import Preview
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.session import LiveSession

EU1, US1 = key("cart", "prod-eu1"), key("cart", "prod-us1")
NEW = "v2.8.1"


def session_of(*shown: FleetSnapshot) -> LiveSession:
    async def snapshots() -> AsyncIterator[FleetSnapshot]:
        for one in shown:
            yield one

    clusters = [SimpleNamespace(name="prod-eu1", context="eu"), SimpleNamespace(name="prod-us1", context="")]
    config = SimpleNamespace(clusters=clusters)
    store = SimpleNamespace(snapshot=shown[0])
    return cast(LiveSession, SimpleNamespace(store=store, snapshots=snapshots, config=config))


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


NO_KUBECONFIG = "context hub: there is no kubeconfig"


def unseen(desired: str, *, state: str = "open", seen: bool = False) -> FleetSnapshot:
    """prod-eu1 as somebody sees it whose connection to the hub never came to be, or (`seen`) broke meanwhile."""
    hub = replace(source("argocd", "hub", "stale", reason=NO_KUBECONFIG), seen_at=NOW if seen else None)
    one = cell("cart", "prod-eu1", desired, Journey.UNKNOWN, reason=NO_KUBECONFIG, stale=("argocd hub",))
    request = pull_request(7, "feat(cart): prod-eu1 -> v2.8.1", state=state, proposes=((EU1, Version(NEW)),))
    return snapshot([one, cell("cart", "prod-us1", "v2.8.0")], sources=sources(hub), pull_requests=(request,))


async def test_where_the_cluster_cannot_be_seen_only_the_merge_is_followed_and_then_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = [unseen("v2.8.0"), unseen("v2.8.0", state="merged"), unseen(NEW, state="merged")]
    assert await follow(session_of(*shown), {EU1: Version(NEW)}, {7}, 5) == 3
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == [
        f"cart@prod-eu1 -> {NEW}: everything but the merge cannot be observed from here: argocd hub: {NO_KUBECONFIG}",
        f"cart@prod-eu1 -> {NEW}: merged; the rest cannot be observed from here: argocd hub: {NO_KUBECONFIG}",
    ]
    assert "cannot observe from here whether prod-eu1 has settled" in said[2]
    assert "sgm help workflows" in said[3]


async def test_later_waves_that_nobody_will_open_from_here_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {EU1: Version(NEW), US1: Version(NEW)}
    assert await follow(session_of(unseen(NEW, state="merged")), wanted, {7}, 5) == 3
    assert "1 queued for a later wave" in capsys.readouterr().err


async def test_a_cluster_that_was_seen_before_is_waited_for() -> None:
    shown = [unseen(NEW, state="merged", seen=True), eu1(Journey.SETTLED)]
    assert await follow(session_of(*shown), {EU1: Version(NEW)}, {7}, 5) == 0


async def test_an_earlier_wave_that_nobody_sees_is_not_waited_for() -> None:
    async def again() -> Preview:
        raise AssertionError("nobody has to look again")

    before = blocked_by("wave")
    assert await until_its_turn(session_of(unseen(NEW)), before, again, 5) is before


async def test_a_manual_gate_is_told_in_words_with_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    gate = rolling(EU1, "v2.8.0", NEW, phase="Paused", pause_reason="CanaryPauseStep")
    shown = [eu1(Journey.PAUSED, rollout=gate), eu1(Journey.SETTLED)]
    assert await follow(session_of(*shown), {EU1: Version(NEW)}, set(), 5) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        f"cart@prod-eu1 -> {NEW}: paused: waiting at step 3/8 (30% of the traffic) for manual approval "
        "(the pause has no duration): sgm rollout promote cart --cluster prod-eu1"
    )


async def test_a_cluster_that_is_ahead_of_what_was_read_of_git_is_no_drift(capsys: pytest.CaptureFixture[str]) -> None:
    ahead = cell("cart", "prod-eu1", "v2.8.0", Journey.SYNCING, rollout=rolling(EU1, "v2.8.0", NEW))
    taking = cell("cart", "prod-eu1", NEW, Journey.SYNCING, reason="syncing")
    behind = cell("cart", "prod-eu1", NEW, Journey.SYNCING, reason="live v2.8.0, desired v2.8.1")
    shown = [
        snapshot([ahead]),
        snapshot([taking]),
        snapshot([replace(behind, suspect_since=NOW)]),
        eu1(Journey.SETTLED),
    ]
    assert await follow(session_of(*shown), {EU1: Version(NEW)}, set(), 5) == 0
    assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "merged: the cluster has it already",
        "syncing",
        "syncing: not applied to the cluster yet",
        "settled",
    ]


@pytest.mark.parametrize("journey", [Journey.FAILED, Journey.PAUSED, Journey.ROLLING, Journey.SOAKING, Journey.DRIFTED])
async def test_before_the_merge_the_troubles_of_the_version_before_are_not_those_of_the_next(
    journey: Journey, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = rolling(EU1, "v2.8.0", NEW, phase="Paused", pause_reason="CanaryPauseStep")
    there = cell("cart", "prod-eu1", NEW, journey, rollout=gate, reason="RolloutAborted: success-rate")
    back = cell("cart", "prod-eu1", "v2.8.0")
    assert await follow(session_of(snapshot([there]), snapshot([back])), {EU1: Version("v2.8.0")}, set(), 5) == 0
    assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == ["not merged yet", "settled"]
