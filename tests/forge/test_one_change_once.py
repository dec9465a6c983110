"""One place in git is changed by one open pull request: what is proposed already is neither doubled nor crossed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from origin import DEV, FILES, PROD, STARTED, cell, with_version
from test_supersede import CART, FIRST, OLD, SECOND, Desk, KilledError, _desk

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plans.plan import Change, Extra, Plan
from sgm_tui.fleet.plans.proposal import Override, Preview, Progress, WriteOptions
from sgm_tui.fleet.policy import RuleSet
from sgm_tui.operations.promoter import Promoter
from sgm_tui.report.changes import document, text

OTHER = next(path for path in sorted(FILES) if path.startswith("dev/app-service/") and path != DEV)
OTHERS = cell(OTHER.split("/")[2], "dev", "eu1")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as made:
        yield made


def cart(version: str = FIRST, *extras: Extra) -> Change:
    versions = OLD, Version(version)
    return Change("promotion", CART.service, CART.stage, None, DEV, "image.tag", *versions, (CART,), extras=extras)


def other(desk: Desk) -> Change:
    data = desk.lab.origin.read("main", OTHER).decode()
    old = Version(data.partition("  tag: ")[2].split()[0].strip('"'))
    return Change(
        "promotion", OTHERS.service, OTHERS.stage, None, OTHER, "image.tag", old, Version("v7.0.0"), (OTHERS,)
    )


async def theirs(desk: Desk, version: str = FIRST) -> PullRequest:
    """Somebody's pull request that wants a version of cart."""
    data = with_version(desk.lab.origin.read("main", DEV) or b"", version)
    desk.lab.origin.commit("feature/theirs", {DEV: data}, "feat: by hand", at=STARTED)
    desk.lab.state.pulls.open("feature/theirs", "feat: theirs", login="mia")
    (found,) = await desk.look()
    return found


async def preview(desk: Desk, *changes: Change) -> Preview:
    await desk.look()
    return await desk.promoter.preview(Plan(changes), desk.snapshot)


async def submitted(desk: Desk, shown: Preview) -> list[str]:
    return [one.step async for one in desk.promoter.submit(shown, lambda: desk.snapshot)]


async def test_what_an_open_pull_request_brings_already_is_left_out_and_named(desk: Desk) -> None:
    there = await theirs(desk)
    shown = await preview(desk, cart(), other(desk))
    (proposal,) = shown.proposals
    assert [edit.change.service for edit in proposal.edits] == [OTHERS.service]
    said = text(shown, desk.snapshot.generated_at)
    assert f"· {DEV}: nothing to do: #{there.number} by mia already proposes v3.0.0" in said
    (refusal,) = document("opened", shown)["refusals"]
    assert (refusal["number"], refusal["reason"]) == (there.number, f"#{there.number} by mia already proposes v3.0.0")
    assert (await submitted(desk, shown))[-1] == "opened"
    new = next(one for one in await desk.look() if one.number != there.number)
    changed = {
        path for path in (DEV, OTHER) if desk.lab.origin.read(new.head, path) != desk.lab.origin.read("main", path)
    }
    assert changed == {OTHER}


async def test_alone_it_is_nothing_to_do(desk: Desk) -> None:
    there = await theirs(desk)
    shown = await preview(desk, cart())
    assert shown.proposals == ()
    assert [one.number for one in shown.refusals if one.nothing] == [there.number]
    assert [one.number for one in await desk.look()] == [there.number]


async def test_the_sketch_leaves_it_out_too(desk: Desk) -> None:
    await theirs(desk)
    await desk.clone.fetch()
    assert (await desk.promoter.sketch(Plan((cart(),)), desk.snapshot)).proposals == ()


async def test_an_earlier_try_of_the_very_same_change_is_found_as_before(desk: Desk) -> None:
    first = await preview(desk, cart(), other(desk))
    await submitted(desk, first)
    (mine,) = await desk.look()
    again = await preview(desk, cart(), other(desk))
    assert [len(one.edits) for one in again.proposals] == [2]
    steps = [one async for one in desk.promoter.submit(again, lambda: desk.snapshot)]
    assert (steps[-1].step, steps[-1].number) == ("adopted", mine.number)


async def test_a_part_of_what_was_opened_together_is_adopted_too(desk: Desk) -> None:
    await submitted(desk, await preview(desk, cart(), other(desk)))
    shown = await preview(desk, cart())
    assert (shown.proposals, [one.nothing for one in shown.refusals]) == ((), [True])


async def test_what_brings_the_version_without_the_strategy_is_in_the_way(desk: Desk) -> None:
    there = await theirs(desk)
    shown = await preview(desk, cart(FIRST, Extra("rollout.strategy", '"blueGreen"')))
    assert [(one.nothing, one.reason) for one in shown.refusals] == [
        (False, f"#{there.number} by mia also proposes v3.0.0, but not rollout.strategy: merge or close it first")
    ]


async def test_later_waves_wait_for_the_wave_somebody_proposed_already(desk: Desk) -> None:
    clusters = ("prod-eu1", "prod-us1")
    waves = RuleSet(waves=tuple((one,) for one in clusters))
    config = replace(desk.config, policy=replace(desk.config.policy, stages={"prod": waves}))
    desk.promoter = Promoter(config, desk.clone, desk.lab.forge, desk.journal, desk.audit)
    paths = [PROD.replace("prod-eu1", one) for one in clusters]
    writes = {path: with_version(FILES[path], OLD) for path in paths}
    desk.lab.origin.commit("main", writes | {"prod.txt": b"x"}, "chore: prod", at=STARTED)
    mine = {paths[0]: with_version(FILES[paths[0]], FIRST)}
    desk.lab.origin.commit("feature/eu1", mine, "feat: by hand", at=STARTED)
    number = desk.lab.state.pulls.open("feature/eu1", "feat: eu1", login="mia").number
    keys = [cell("cart", "prod", one.removeprefix("prod-")) for one in clusters]
    changes = [
        Change("promotion", key.service, key.stage, key.cluster, path, "image.tag", OLD, FIRST, (key,))
        for key, path in zip(keys, paths, strict=True)
    ]
    shown = await preview(desk, *changes)
    assert [(one.wave, one.edits[0].change.cluster) for one in shown.proposals] == [(1, "prod-us1")]
    assert [(one.number, one.branch, one.wave) for one in shown.adopted] == [(number, "feature/eu1", 0)]
    assert await submitted(desk, shown) == ["queued"]


def rival(desk: Desk, version: str, *, ours: bool = True) -> int:
    """Another machine's pull request for the same key, opened on the server; its number."""
    branch = "sgm/dev/cart-0123456789ab" if ours else "feature/theirs"
    data = with_version(desk.lab.origin.read("main", DEV) or b"", version)
    desk.lab.origin.commit(branch, {DEV: data}, "feat: rival\n\nSgm-Change-Id: 0123456789ab", at=STARTED)
    body = '<!-- sgm: {"change_id": "0123456789ab"} -->' if ours else ""
    return desk.lab.state.pulls.open(branch, "feat: rival", body=body, login="mia").number


async def ended(desk: Desk, shown: Preview) -> Progress:
    return [one async for one in desk.promoter.submit(shown, lambda: desk.snapshot)][-1]


def opened_now(desk: Desk) -> list[int]:
    return [number for number, pull in desk.lab.state.pulls.items() if pull.closed is None]


async def nothing_is_left(desk: Desk, *branches: str) -> None:
    assert {one for one in desk.lab.origin.heads() if one.startswith("sgm/")} == set(branches)
    assert desk.journal.unfinished() == {}
    assert await desk.recovery.list_unfinished() == ()
    assert desk.audit.verify() is None


@pytest.mark.parametrize("ours", [True, False])
async def test_another_version_proposed_since_the_last_poll_is_refused_before_anything_is_pushed(
    desk: Desk, ours: bool
) -> None:
    shown = await preview(desk, cart(), other(desk))
    number = rival(desk, SECOND, ours=ours)
    last = await ended(desk, shown)
    assert (last.step, last.text) == (
        "blocked",
        f"#{number} by mia proposes cart v3.0.1 in dev: merge or close it",
    )
    assert opened_now(desk) == [number]
    await nothing_is_left(desk, *(["sgm/dev/cart-0123456789ab"] if ours else []))


async def test_the_same_change_proposed_since_the_last_poll_is_adopted(desk: Desk) -> None:
    shown = await preview(desk, cart())
    number = rival(desk, FIRST, ours=False)
    last = await ended(desk, shown)
    assert (last.step, last.number, last.text) == ("adopted", number, f"#{number} by mia already proposes it")
    assert opened_now(desk) == [number]
    await nothing_is_left(desk)


async def test_of_two_machines_that_passed_each_other_the_younger_pull_request_is_closed(desk: Desk) -> None:
    shown = await preview(desk, cart())
    numbers: list[int] = []
    desk.lab.before["POST", "pulls"] = [lambda: numbers.append(rival(desk, SECOND))]
    last = await ended(desk, shown)
    (number,) = numbers
    assert last.step == "refused"
    assert last.text == (f"#{number} by mia proposes cart v3.0.1 in dev and was opened first: #{number + 1} is closed")
    assert opened_now(desk) == [number]
    await nothing_is_left(desk, "sgm/dev/cart-0123456789ab")
    assert [one["action"] for one in desk.audit.records()] == ["push", "open", "close"]


async def test_of_two_machines_that_bring_the_same_the_older_one_is_adopted(desk: Desk) -> None:
    shown = await preview(desk, cart())
    numbers: list[int] = []
    desk.lab.before["POST", "pulls"] = [lambda: numbers.append(rival(desk, FIRST))]
    last = await ended(desk, shown)
    assert (last.step, last.number) == ("adopted", numbers[0])
    assert opened_now(desk) == numbers


async def test_nobody_elses_pull_request_closes_ours(desk: Desk) -> None:
    shown = await preview(desk, cart())
    desk.lab.before["POST", "pulls"] = [lambda: rival(desk, SECOND, ours=False)]
    assert (await ended(desk, shown)).step == "opened"
    assert len(opened_now(desk)) == 2


async def test_who_goes_over_the_gate_with_a_reason_opens_beside_the_other(desk: Desk) -> None:
    await theirs(desk, SECOND)
    shown = await desk.promoter.preview(
        Plan((cart(),)), desk.snapshot, WriteOptions(Override("the other one waits for a week"))
    )
    assert (await ended(desk, shown)).step == "opened"
    assert len(opened_now(desk)) == 2


async def test_a_crash_before_the_younger_one_was_closed_is_made_good_by_going_on(desk: Desk) -> None:
    shown = await preview(desk, cart())
    numbers: list[int] = []
    desk.lab.before["POST", "pulls"] = [lambda: numbers.append(rival(desk, SECOND))]
    desk.journal.point = "before close"
    with pytest.raises(KilledError):
        await ended(desk, shown)
    desk.journal.point = ""
    assert len(opened_now(desk)) == 2
    await desk.recover()
    assert opened_now(desk) == numbers
    await nothing_is_left(desk, "sgm/dev/cart-0123456789ab")


async def test_where_nobody_can_tell_whether_another_one_was_first_it_stays_and_says_so(desk: Desk) -> None:
    shown = await preview(desk, cart())
    answers = desk.lab.answers
    desk.lab.before["POST", "pulls"] = [lambda: answers.update({("GET", "pulls"): [(404, "gone")]})]
    last = await ended(desk, shown)
    assert last.step == "opened"
    assert "could not check for a concurrent pull request" in last.text
