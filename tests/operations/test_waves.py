"""Waves: prod-eu1 first, the next one when it has settled and soaked; resumable, visible, stoppable."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import builders
import pytest

from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import (
    AdoptedChange,
    ClosedPullRequest,
    FileEdit,
    Override,
    Preview,
    Progress,
    Proposal,
    WriteOptions,
)
from sgm_tui.fleet.plans.waves import WavePlan, next_step, split_into_waves, wave_soak_seconds, wave_status
from sgm_tui.fleet.policy import GroupBy, Policy, RuleSet
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.proposal import group_edits, title_of
from sgm_tui.operations.waves import Waves
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.report.waves import wave_document

POLICY = Policy(
    stages={"prod": RuleSet(waves=(("prod-eu1",), ("prod-us1",), ("prod-ap1",)), wave_soak_seconds=900)},
    guarded=frozenset({"prod"}),
)
CLUSTERS = ("prod-ap1", "prod-us1", "prod-eu1")


def change(cluster: str) -> Change:
    where = builders.key("cart", cluster)
    path = f"prod/{cluster}/app-service/cart/values.yaml"
    return Change(
        "promotion",
        where.service,
        where.stage,
        where.cluster,
        path,
        "image.tag",
        Version("v1"),
        Version("v2"),
        (where,),
    )


def plan(**facts: object) -> WavePlan:
    made = WavePlan("1f3a", split_into_waves([change(one) for one in CLUSTERS], POLICY), builders.ago(3600), 900)
    return replace(made, **facts)


def fleet(**cells: tuple[str, Journey, float]) -> FleetSnapshot:
    made = [
        builders.cell("cart", cluster.replace("_", "-"), version, journey, since=since)
        for cluster, (version, journey, since) in cells.items()
    ]
    return builders.snapshot(made)


class Writer:
    """Opens whatever it is given, or fails."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.consents: list[Consent] = []
        self.closed_earlier: ClosedPullRequest | None = None
        self.failure: Exception | None = None
        self.closed_gate = ""

    async def preview(self, planned: Plan, snapshot: FleetSnapshot, terms: WriteOptions) -> Preview:
        if self.failure is not None:
            raise self.failure
        edits = tuple(FileEdit(one, "") for one in planned.changes)
        closed = self.closed_earlier
        return Preview(
            "base", (Proposal(planned.changes[0].stage, "branch", "title", "", edits, closed_earlier=closed),)
        )

    async def submit(
        self, preview: Preview, facts: Callable[[], FleetSnapshot], consent: Consent = NO_CONSENT
    ) -> AsyncIterator[Progress]:
        if self.closed_gate:
            yield Progress("blocked", preview.proposals[0], self.closed_gate)
            return
        self.consents.append(consent)
        self.opened += [edit.change.place for edit in preview.proposals[0].edits]
        yield Progress("opened", preview.proposals[0], number=7)


def test_a_promotion_is_split_in_the_order_the_policy_names() -> None:
    waves = split_into_waves([change(one) for one in CLUSTERS], POLICY)
    assert [[one.place for one in wave] for wave in waves] == [["prod-eu1"], ["prod-us1"], ["prod-ap1"]]
    assert wave_soak_seconds(waves[0], POLICY) == 900


@pytest.mark.parametrize("group_by", ["stage", "cluster", "service"])
def test_waves_are_kept_however_pull_requests_are_grouped(group_by: GroupBy) -> None:
    policy = replace(POLICY, group_by=group_by)
    groups = list(group_edits([FileEdit(change(one), "") for one in CLUSTERS], policy))
    assert [(one.edits[0].change.place, one.wave, one.waves) for one in groups] == [
        ("prod-eu1", 0, 3),
        ("prod-us1", 1, 3),
        ("prod-ap1", 2, 3),
    ]
    assert len({one.bundle for one in groups}) == 1


def test_clusters_of_one_wave_part_only_where_each_has_its_own_pull_request() -> None:
    rules = RuleSet(waves=(("prod-eu1",), ("prod-us1", "prod-ap1")))
    edits = [FileEdit(change(one), "") for one in CLUSTERS]
    together = list(group_edits(edits, Policy(stages={"prod": rules})))
    apart = list(group_edits(edits, Policy(stages={"prod": rules}, group_by="cluster")))
    assert [(len(one.edits), one.wave) for one in together] == [(1, 0), (2, 1)]
    assert [(len(one.edits), one.wave) for one in apart] == [(1, 0), (1, 1), (1, 1)]


def test_a_way_back_waits_for_no_promotion_it_is_planned_with() -> None:
    back = replace(change("prod-eu1"), kind="revert", service=ServiceName("catalog"), path="prod/catalog.yaml")
    groups = list(group_edits([FileEdit(one, "") for one in (*map(change, CLUSTERS), back)], POLICY))
    assert [(one.edits[0].change.kind, one.wave, one.waves) for one in groups] == [
        ("promotion", 0, 3),
        ("promotion", 1, 3),
        ("promotion", 2, 3),
        ("revert", 0, 1),
    ]
    assert groups[0].bundle != groups[3].bundle


def test_a_title_names_each_version_with_its_places() -> None:
    eu, us, ap = map(change, sorted(CLUSTERS))
    assert title_of([eu, us, ap]) == "feat(cart): prod-ap1, prod-eu1, prod-us1 -> v2"
    assert title_of([eu, us, replace(ap, to_version=Version("v3"))]) == (
        "feat(cart): prod-ap1, prod-eu1 -> v2; prod-us1 -> v3"
    )


def test_a_wave_plan_is_titled_by_its_first_service_and_how_many_more_it_has() -> None:
    assert plan().title == "cart v2 into prod"
    beside = [replace(change("prod-us1"), service=ServiceName(name)) for name in ("catalog", "search")]
    assert plan(waves=((change("prod-eu1"),), tuple(beside))).title == "cart v2 and 2 more into prod"


def test_without_waves_everything_goes_at_once() -> None:
    assert len(split_into_waves([change(one) for one in CLUSTERS], Policy())) == 1


def test_a_cluster_the_policy_does_not_name_goes_last() -> None:
    policy = Policy(stages={"prod": RuleSet(waves=(("prod-us1",),))})
    waves = split_into_waves([change(one) for one in CLUSTERS], policy)
    assert [one.place for one in waves[-1]] == ["prod-ap1", "prod-eu1"]


@pytest.mark.parametrize(
    ("first", "do", "says"),
    [
        (("v1", Journey.PROPOSED, 10), "wait", "not merged yet"),
        (("v2", Journey.ROLLING, 10), "wait", "rolling"),
        (("v2", Journey.UNKNOWN, 10), "wait", "unknown"),
        (("v2", Journey.FAILED, 10), "stop", "failed"),
        (("v2", Journey.SETTLED, 600), "wait", "soaking"),
        (("v2", Journey.SETTLED, 1000), "open", "wave 2 of 3"),
    ],
)
def test_the_next_wave_opens_when_the_one_before_has_settled_and_soaked(
    first: tuple[str, Journey, float], do: str, says: str
) -> None:
    step = next_step(plan(), fleet(prod_eu1=first), builders.NOW)
    assert step.do == do
    assert says in step.reason


def test_soaking_says_when_it_goes_on() -> None:
    step = next_step(plan(), fleet(prod_eu1=("v2", Journey.SETTLED, 600)), builders.NOW)
    assert step.eta == builders.NOW + timedelta(seconds=300)


async def test_waves_open_one_after_the_other_and_are_forgotten_when_all_have_settled(tmp_path: Path) -> None:
    writer = Writer()
    waves = Waves(tmp_path / "waves.json", writer)
    waves.add(plan())
    settled = ("v2", Journey.SETTLED, 1000.0)
    await waves.step(lambda: fleet(prod_eu1=settled), builders.NOW)
    assert writer.opened == ["prod-us1"]
    await waves.step(lambda: fleet(prod_eu1=settled), builders.NOW)
    assert writer.opened == ["prod-us1"]
    again = Waves(tmp_path / "waves.json", writer)
    await again.step(lambda: fleet(prod_eu1=settled, prod_us1=settled), builders.NOW)
    assert writer.opened == ["prod-us1", "prod-ap1"]
    await again.step(lambda: fleet(prod_eu1=settled, prod_us1=settled, prod_ap1=settled), builders.NOW)
    assert again.plans() == ()


async def test_a_failed_wave_stops_the_plan_and_says_why(tmp_path: Path) -> None:
    waves = Waves(tmp_path / "waves.json", Writer())
    waves.add(plan())
    await waves.step(lambda: fleet(prod_eu1=("v2", Journey.FAILED, 10)), builders.NOW)
    assert "failed" in waves.plans()[0].stopped


async def test_a_stopped_plan_waits_until_it_is_resumed(tmp_path: Path) -> None:
    writer = Writer()
    waves = Waves(tmp_path / "waves.json", writer)
    waves.add(plan())
    waves.stop("1f3a", "lunch")
    shown = fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    await waves.step(lambda: shown, builders.NOW)
    assert writer.opened == []
    waves.resume("1f3a")
    await waves.step(lambda: shown, builders.NOW)
    assert writer.opened == ["prod-us1"]


async def test_later_waves_open_under_the_consent_of_their_plan_in_any_process(tmp_path: Path) -> None:
    prod = Consent.to(["prod"])
    proposals = tuple(
        Proposal(one.edits[0].change.stage, f"b{one.wave}", "t", "", one.edits, wave=one.wave, waves=3)
        for one in group_edits([FileEdit(change(cluster), "") for cluster in CLUSTERS], POLICY)
    )
    preview = Preview("base", proposals)
    Waves(tmp_path / "waves.json", Writer()).save(preview, proposals[0], builders.ago(3600), POLICY, prod)
    writer, settled = Writer(), fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    await Waves(tmp_path / "waves.json", writer).step(lambda: settled, builders.NOW)
    assert (writer.opened, writer.consents) == (["prod-us1"], [prod])


async def test_a_plan_kept_without_consent_opens_under_that_it_is_resumed_with(tmp_path: Path) -> None:
    prod, writer, settled = Consent.to(["prod"]), Writer(), fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    Waves(tmp_path / "waves.json", writer).add(plan(stopped="by hand"))
    Waves(tmp_path / "waves.json", writer).resume("1f3a", prod)
    await Waves(tmp_path / "waves.json", writer).step(lambda: settled, builders.NOW)
    assert writer.consents == [prod]


async def test_a_plan_resumed_in_one_terminal_stays_resumed_in_another(tmp_path: Path) -> None:
    writer, settled = Writer(), fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    writer.closed_earlier = ClosedPullRequest(42, "mia")
    here, there = Waves(tmp_path / "waves.json", writer), Waves(tmp_path / "waves.json", writer)
    here.add(plan())
    await there.step(lambda: settled, builders.NOW)
    assert "#42 for the same change was closed by mia" in here.plans()[0].stopped
    here.resume("1f3a")
    await there.step(lambda: settled, builders.NOW)
    assert (writer.opened, there.plans()[0].stopped) == (["prod-us1"], "")


async def test_a_file_of_an_older_version_is_read_and_goes_on_under_what_was_accepted_then(tmp_path: Path) -> None:
    file, writer = tmp_path / "waves.json", Writer()
    Waves(file, writer).add(plan())
    kept = json.loads(file.read_text(encoding="utf-8"))
    for name in ("accepted", "resumed"):
        del kept["plans"][0][name]
    file.write_text(json.dumps(kept), encoding="utf-8")
    await Waves(file, writer).step(lambda: fleet(prod_eu1=("v2", Journey.SETTLED, 1000)), builders.NOW)
    assert (writer.opened, writer.consents) == (["prod-us1"], [Consent.to(["prod"])])


async def test_what_cannot_be_opened_stops_the_plan_and_loses_nothing(tmp_path: Path) -> None:
    writer = Writer()
    writer.failure = UnreachableError("GitHub did not answer")
    waves = Waves(tmp_path / "waves.json", writer)
    waves.add(plan(override=Override("incident 4711", ("soak",))))
    await waves.step(lambda: fleet(prod_eu1=("v2", Journey.SETTLED, 1000)), builders.NOW)
    kept = waves.plans()[0]
    assert "did not answer" in kept.stopped
    assert kept.opened == 1
    assert kept.override == Override("incident 4711", ("soak",))


async def test_a_bug_in_opening_one_wave_stops_its_plan_alone_and_is_reported(tmp_path: Path) -> None:
    writer, bugs = Writer(), list[Exception]()
    writer.failure = KeyError("a bug")
    waves = Waves(tmp_path / "waves.json", writer)
    waves.add(plan())
    done = plan(identity="2b4c", waves=(plan().waves[0],))
    waves.add(done)
    shown = fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    await waves.step(lambda: shown, builders.NOW, bugs.append)
    (stopped,) = waves.plans()
    assert (stopped.identity, stopped.stopped, stopped.opened) == ("1f3a", "a bug in sgm: KeyError", 1)
    assert next_step(stopped, shown, builders.NOW).reason == "stopped: a bug in sgm: KeyError"
    assert bugs == [writer.failure]
    writer.failure = None
    waves.resume("1f3a")
    await waves.step(lambda: shown, builders.NOW + timedelta(seconds=1), bugs.append)
    assert writer.opened == ["prod-us1"]
    assert len(bugs) == 1


async def test_a_wave_whose_stop_cannot_be_recorded_is_not_tried_every_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, tries = Writer(), list[int]()
    waves = Waves(tmp_path / "waves.json", writer)
    waves.add(plan())

    async def fail(*_: object) -> Preview:
        tries.append(1)
        raise UnreachableError("GitHub did not answer")

    def full(*_: object) -> None:
        raise RefusedError("no space left")

    monkeypatch.setattr(writer, "preview", fail)
    monkeypatch.setattr(waves, "stop", full)
    shown = fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    with pytest.raises(RefusedError, match="no space"):
        await waves.step(lambda: shown, builders.NOW)
    for second in range(1, 30):
        await waves.step(lambda: shown, builders.NOW + timedelta(seconds=second))
    assert len(tries) == 1


def test_a_file_that_holds_no_wave_plans_is_said_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "waves.json"
    file.write_text("[]", encoding="utf-8")
    with pytest.raises(RefusedError, match="no wave plans"):
        Waves(file, Writer()).plans()
    assert file.read_text(encoding="utf-8") == "[]"


def test_a_preview_leaves_its_later_waves_behind_once_with_everything_that_was_gone_over(tmp_path: Path) -> None:
    stage = change("prod-eu1").stage
    overs = (None, Override("incident", ("soak",)), Override("incident", ("held",)))
    proposals = tuple(
        Proposal(stage, f"b{at}", "t", "", (FileEdit(change(cluster), ""),), override=over, wave=at, waves=3)
        for at, (cluster, over) in enumerate(zip(("prod-eu1", "prod-us1", "prod-ap1"), overs, strict=True))
    )
    waves = Waves(tmp_path / "waves.json", Writer())
    for queued in proposals[1:]:
        waves.save(Preview("base", proposals), queued, builders.NOW, POLICY)
    (kept,) = waves.plans()
    assert [len(wave) for wave in kept.waves] == [1, 1, 1]
    assert kept.override == Override("incident", ("soak", "held"))
    assert kept.soak_seconds == 900


def test_a_first_wave_somebody_proposed_already_is_kept_and_waited_for(tmp_path: Path) -> None:
    adopted = AdoptedChange(change("prod-eu1"), 42, "feature/theirs", "mia")
    later = tuple(
        Proposal(one.edits[0].change.stage, f"branch-{one.wave}", "title", "", one.edits, wave=one.wave, waves=3)
        for one in group_edits([FileEdit(change(one), "") for one in CLUSTERS], POLICY)
        if one.wave
    )
    waves = Waves(tmp_path / "waves.json", Writer())
    waves.save(Preview("base", later, (), (adopted,)), later[0], builders.NOW, POLICY)
    (kept,) = waves.plans()
    assert [[one.cluster for one in wave] for wave in kept.waves] == [["prod-eu1"], ["prod-us1"], ["prod-ap1"]]
    assert (kept.opened, kept.branches) == (1, ("feature/theirs",))


def test_a_wave_plan_is_told_to_programs_whole() -> None:
    step = next_step(plan(), fleet(prod_eu1=("v2", Journey.SETTLED, 300)), builders.NOW)
    told = wave_document(plan(), step)
    assert (told["opened"], told["next"], told["stopped"]) == (1, "wait", None)
    assert told["eta"] == "2026-11-23T14:13:20Z"
    assert [[one["cluster"] for one in wave] for wave in told["waves"]] == [["prod-eu1"], ["prod-us1"], ["prod-ap1"]]


def pulls(shown: FleetSnapshot, *requests: PullRequest) -> FleetSnapshot:
    return replace(shown, pull_requests=requests)


def request(state: str, ended: float, branch: str = "b0") -> PullRequest:
    """The pull request of the first wave; it ended so many seconds ago."""
    at = builders.ago(ended)
    merged = at if state == "merged" else None
    return builders.pull_request(313, "feat(cart)", branch=branch, state=state, updated_at=at, merged_at=merged)


WAITING = {"prod_eu1": ("v1", Journey.SETTLED, 9000.0)}


def test_a_pull_request_that_somebody_closed_stops_what_would_follow() -> None:
    step = next_step(plan(branches=("b0",)), pulls(fleet(**WAITING), request("closed", 60)), builders.NOW)
    assert (step.do, step.reason) == ("stop", "#313 was closed without being merged")


def test_what_was_merged_and_then_taken_back_stops_it() -> None:
    going = plan(branches=("b0",))
    just_merged = next_step(going, pulls(fleet(**WAITING), request("merged", 30)), builders.NOW)
    taken_back = next_step(going, pulls(fleet(**WAITING), request("merged", 600)), builders.NOW)
    assert just_merged.do == "wait"
    assert (taken_back.do, taken_back.reason) == ("stop", "cart@prod-eu1: git now has v1 there")


def test_what_is_still_open_beside_a_merged_pull_request_of_the_same_wave_is_waited_for() -> None:
    going = plan(waves=((change("prod-eu1"), change("prod-us1")), (change("prod-ap1"),)), branches=("b0", "b1"))
    shown = fleet(prod_eu1=("v2", Journey.SETTLED, 1000), prod_us1=("v1", Journey.SETTLED, 99_999))
    merged = replace(request("merged", 600), merged_at=builders.ago(600))
    step = next_step(going, pulls(shown, merged, request("open", 600, branch="b1")), builders.NOW)
    assert (step.do, step.reason) == ("wait", "cart@prod-us1: not merged yet")


def test_pull_requests_of_an_earlier_time_or_of_others_say_nothing() -> None:
    going = plan(branches=("b0",))
    for one in (request("closed", 7200), request("merged", 7200), request("closed", 60, branch="another")):
        assert next_step(going, pulls(fleet(**WAITING), one), builders.NOW).do == "wait"
    reopened = pulls(fleet(**WAITING), request("closed", 60), request("open", 30))
    assert next_step(going, reopened, builders.NOW).do == "wait"


async def test_a_closed_gate_is_waited_for_and_said_and_not_asked_all_the_time(tmp_path: Path) -> None:
    writer = Writer()
    writer.closed_gate = "window: frozen until monday"
    waves = Waves(tmp_path / "waves.json", writer)
    waves.add(plan())
    shown = fleet(prod_eu1=("v2", Journey.SETTLED, 1000))
    await waves.step(lambda: shown, builders.NOW)
    (kept,) = waves.plans()
    assert (kept.stopped, kept.held, kept.opened) == ("", "window: frozen until monday", 1)
    assert next_step(kept, shown, builders.NOW).reason == "window: frozen until monday"
    writer.closed_gate = ""
    await waves.step(lambda: shown, builders.NOW)
    assert writer.opened == []
    later = builders.NOW + timedelta(seconds=31)
    await waves.step(lambda: shown, later)
    (kept,) = waves.plans()
    assert (writer.opened, kept.opened, kept.held) == (["prod-us1"], 2, "")


def test_a_wave_is_settled_when_its_cells_are_and_not_when_it_was_opened() -> None:
    going = plan(opened=2)
    shown = fleet(prod_eu1=("v2", Journey.SETTLED, 10), prod_us1=("v1", Journey.ROLLING, 10))
    assert [wave_status(going, at, shown) for at in range(3)] == ["settled", "opened", "later"]
    has_gone_back = fleet(prod_eu1=("v1", Journey.SETTLED, 10))
    assert wave_status(going, 0, has_gone_back) == "opened"
