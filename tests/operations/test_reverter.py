"""Reverts on real git and the bundled platform: where they go back to, and whether the stable pods come of it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import builders
import pytest
from origin import FILES, PROD, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.config.schema import Config
from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.desired import Desired
from sgm_tui.fleet.history.cell_history import RevertForecast
from sgm_tui.fleet.history.trailers import Mark
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.document import document_of, plan_of
from sgm_tui.fleet.plans.plan import Change, Extra, Plan, Refusal
from sgm_tui.fleet.plans.strategy import extras_of
from sgm_tui.fleet.reverts.health import Samples
from sgm_tui.gitops.history import History
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.commit_reader import CommitReader
from sgm_tui.operations.file_changes import apply_change
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.pod_templates import PodTemplates
from sgm_tui.operations.proposal import message_of
from sgm_tui.operations.pull_request_marks import PullRequestMarks, Pulls
from sgm_tui.operations.removed_steps import RemovedSteps
from sgm_tui.operations.reverter import HealthRecord, Reverter
from sgm_tui.sandbox.git.repository import Repository as Origin

CHART = "charts/microservice"
SET = "argocd/applicationsets/app-service.yaml"
WHERE = cell("cart", "prod", "eu1")
OLD, NEW = "v9.1.0", "v9.2.0"


@dataclass
class Lab:
    """A prod cell whose canary of a new version is in flight; what happened in git since the stable one is a test's."""

    origin: Origin
    clone: Repository
    config: Config
    folder: Path
    hours: int = 0

    async def writes(self, files: dict[str, bytes], subject: str = "chore: something") -> None:
        self.hours += 1
        self.origin.commit("main", files, subject, at=STARTED + timedelta(hours=self.hours))
        await self.clone.fetch()

    def read(self, path: str) -> bytes:
        return self.origin.read(self.origin.head(), path) or b""

    async def stable(self, data: bytes = FILES[PROD]) -> None:
        await self.writes({PROD: with_version(data, OLD)}, f"feat(cart): prod-eu1 -> {OLD}")

    async def promoted(self, old: bytes = b"", new: bytes = b"") -> None:
        """The new version comes, with something else in the same file."""
        data = with_version(self.read(PROD), NEW)
        assert old in data
        await self.writes({PROD: data.replace(old, new) if old else data}, f"feat(cart): prod-eu1 -> {NEW}")

    def reverter(self, health: HealthRecord | None = None, forge: Pulls | None = None) -> Reverter:
        history = History(self.config, self.clone)
        pods = PodTemplates(self.config, self.clone, history, CommitReader(self.config, self.clone))
        marks, audit = KnownBad(self.folder / "bad.json"), Audit(self.folder / "audit.jsonl")
        return Reverter(history, pods, marks, audit, health, PullRequestMarks(history, forge) if forge else None)

    async def way(self) -> RevertForecast:
        reverter, shown = self.reverter(), in_flight()
        change = await reverter.plan_revert(shown, WHERE, None)
        assert isinstance(change, Change)
        assert change.to_version == OLD
        return await reverter.forecast_revert(shown, change)


def in_flight() -> Any:
    desired = Desired(PROD, "image.tag", Version(NEW), "", "mia", "", builders.NOW, whole_stage=False)
    rollout = builders.rolling(WHERE, OLD, NEW)
    return builders.snapshot(
        [builders.cell("cart", "prod-eu1", NEW, Journey.ROLLING, desired=desired, rollout=rollout)]
    )


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    clone = Repository(config.repository.url, config.repository.branch, tmp_path / "state")
    await clone.fetch()
    made = Lab(origin, clone, config, tmp_path)
    await made.stable()
    yield made
    origin.close()


class Never:
    """A Prometheus that remembers a Rollout which was not healthy from one hour after the start on."""

    async def samples(self, key: CellKey, since: datetime, until: datetime) -> Samples | str:
        step = 60.0
        count = math.floor((until - since).total_seconds() / step) + 1
        sick = (STARTED + timedelta(hours=1)).timestamp()
        values = tuple(since.timestamp() + at * step < sick for at in range(count))
        return Samples(since.timestamp(), step, values)


async def test_the_way_back_passes_over_a_version_that_never_ran_healthy(lab: Lab) -> None:
    await lab.promoted()
    shown = replace(in_flight(), generated_at=STARTED + timedelta(hours=3))
    plain = await lab.reverter().plan_revert(shown, WHERE, None)
    assert isinstance(plain, Change)
    assert plain.to_version == OLD
    judged = await lab.reverter(Never()).plan_revert(shown, WHERE, None)
    assert isinstance(judged, Change)
    assert judged.to_version not in {OLD, NEW}
    (away,) = await lab.reverter(Never()).plan_version_reverts(shown, WHERE.service, Version(NEW))
    assert away == judged
    asked_for = await lab.reverter(Never()).plan_revert(shown, WHERE, OLD)
    assert isinstance(asked_for, Change)
    assert asked_for.to_version == OLD


async def test_a_promotion_of_the_version_alone_is_back_at_once(lab: Lab) -> None:
    await lab.promoted()
    assert (await lab.way()).fast is True


async def test_what_the_promotion_brought_along_goes_back_with_it(lab: Lab) -> None:
    await lab.promoted(b"autoscaling:", b"env: {NEW: yes-please}\nautoscaling:")
    assert (await lab.way()).fast is True


async def test_a_value_beside_the_pods_that_changed_since_does_not_matter(lab: Lab) -> None:
    await lab.promoted()
    data = lab.read(PROD)
    assert b"maxReplicas: " in data
    await lab.writes({PROD: data.replace(b"maxReplicas: ", b"maxReplicas: 1")})
    assert (await lab.way()).fast is True


async def test_a_value_of_the_pods_that_changed_since_walks_the_canary_and_is_named(lab: Lab) -> None:
    await lab.promoted()
    await lab.writes({PROD: b"port: 9090\n" + lab.read(PROD)})
    way = await lab.way()
    assert way.fast is False
    assert way.reason.startswith("port makes other pods than the stable ones")


async def test_a_label_the_pods_carry_is_a_value_of_the_pods(lab: Lab) -> None:
    await lab.promoted()
    data = lab.read(PROD)
    assert b"team: " in data
    await lab.writes({PROD: data.replace(b"team: ", b"team: x")})
    assert (await lab.way()).reason.startswith("team makes other pods")


@pytest.mark.parametrize("path", [f"{CHART}/templates/rollout.yaml", f"{CHART}/values.yaml"])
async def test_a_chart_that_changed_since_promises_nothing(lab: Lab, path: str) -> None:
    await lab.promoted()
    await lab.writes({path: lab.read(path) + b"# more\n"})
    way = await lab.way()
    assert way.fast is None
    assert f"the chart {CHART} has changed since the stable pods were created" in way.reason
    assert path.removeprefix(f"{CHART}/") in way.reason
    assert "walks all 8 steps again" in way.reason


async def test_a_chart_that_changed_before_the_new_version_came_made_the_stable_pods(lab: Lab) -> None:
    path = f"{CHART}/templates/rollout.yaml"
    await lab.writes({path: lab.read(path) + b"# more\n"})
    await lab.promoted()
    assert (await lab.way()).fast is True


async def test_what_deploys_it_having_changed_since_promises_nothing(lab: Lab) -> None:
    await lab.promoted()
    await lab.writes({SET: lab.read(SET) + b"# more\n"})
    way = await lab.way()
    assert (way.fast, SET in way.reason) == (None, True)


async def test_the_chart_is_found_wherever_the_applicationset_says_it_is(lab: Lab) -> None:
    inside = [path for path in FILES if path.startswith(f"{CHART}/")]
    moved = {path.replace(CHART, "helm/service"): FILES[path] for path in inside}
    await lab.writes({**moved, SET: lab.read(SET).replace(CHART.encode(), b"helm/service")})
    await lab.promoted()
    assert (await lab.way()).fast is True
    await lab.writes({"helm/service/values.yaml": FILES[f"{CHART}/values.yaml"] + b"# more\n"})
    assert "the chart helm/service has changed" in (await lab.way()).reason


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("repoURL: https://github.com/acme/gitops.git\n        targetRevision: main\n        path: charts/microservice",
         "repoURL: https://charts.example.com\n        targetRevision: 1.*\n        chart: microservice",
         "https://charts.example.com at 1.*, a moving reference"),
        ("targetRevision: main\n        path: charts/microservice",
         "targetRevision: v1\n        path: charts/microservice", "it is rendered from v1, not from the branch"),
    ],
)  # fmt: skip
async def test_a_chart_that_is_not_the_branchs_own_promises_nothing(lab: Lab, old: str, new: str, says: str) -> None:
    data = lab.read(SET).decode()
    assert old in data
    await lab.writes({SET: data.replace(old, new).encode()})
    await lab.promoted()
    way = await lab.way()
    assert (way.fast, says in way.reason) == (None, True)


async def test_a_repository_without_an_application_of_the_cell_promises_nothing(lab: Lab) -> None:
    await lab.writes({SET: b"nothing: here\n"})
    await lab.promoted()
    assert "git has no Application for it" in (await lab.way()).reason


async def test_further_values_files_it_is_rendered_with_count_too(lab: Lab) -> None:
    common = "prod/common.yaml"
    data = lab.read(SET).decode()
    both = data.replace('valueFiles: ["/', 'valueFiles: ["/prod/common.yaml", "/')
    await lab.writes({SET: both.encode(), common: b"port: 80\n"})
    await lab.promoted()
    assert (await lab.way()).fast is True
    await lab.writes({common: b"port: 81\n"})
    assert f"{common}, which it is rendered with, has changed" in (await lab.way()).reason


async def test_a_version_marked_here_is_marked_for_everybody_by_the_revert_that_leaves_it(lab: Lab) -> None:
    await lab.promoted()
    reverter, shown = lab.reverter(), in_flight()
    await reverter.mark(WHERE.service, Version(NEW), "it loses orders\nSgm-Let-Go: cart v1")
    change = await reverter.plan_revert(shown, WHERE, None)
    assert isinstance(change, Change)
    assert (change.to_version, change.marks_bad) == (OLD, "it loses orders␊Sgm-Let-Go: cart v1")
    message = message_of([change, change])
    assert message.count(f"\nSgm-Known-Bad: cart {NEW} it loses orders") == 1
    assert "\nSgm-Let-Go" not in message
    assert plan_of(document_of(Plan((change,)))) == Plan((change,))


async def test_what_a_commit_marks_is_held_and_only_a_commit_lets_it_go(lab: Lab) -> None:
    await lab.stable()
    await lab.writes({"README.md": b"more\n"}, f"chore: a mark\n\nSgm-Known-Bad: cart {NEW} it loses orders\n")
    reverter = lab.reverter()
    held = await reverter.find_quarantined([WHERE, cell("cart", "staging", "eu1")])
    assert all("known bad: it loses orders" in of_cell[Version(NEW)] for of_cell in held.values())
    with pytest.raises(RefusedError, match=f"Sgm-Let-Go: cart {NEW}"):
        await reverter.mark(WHERE.service, Version(NEW), "")


class Told:
    """A forge that knows what #7 marks; `silent` one does not answer."""

    def __init__(self, *, silent: bool = False, number: int = 0) -> None:
        self.silent = silent
        self.number = number
        self.looked_up: list[str] = []
        self.asked: list[tuple[int, str]] = []

    async def find_merged(self, commit: str) -> int:
        self.looked_up.append(commit)
        if self.silent:
            raise UnreachableError("GitHub did not answer within 10 s")
        return self.number

    async def fetch_marks(self, number: int, commit: str) -> tuple[Mark, ...]:
        self.asked.append((number, commit))
        if self.silent:
            raise UnreachableError("GitHub did not answer within 10 s")
        return (Mark(WHERE.service, Version(NEW), "it loses orders", "mia"),)


async def has_gone_back(lab: Lab, message: str) -> str:
    """A revert whose pull request was squashed with this message; its commit."""
    await lab.promoted()
    await lab.writes({PROD: with_version(lab.read(PROD), OLD)}, message)
    return lab.origin.head()


STAGING = cell("cart", "staging", "eu1")


async def test_a_mark_outlives_the_message_that_somebody_replaced(lab: Lab) -> None:
    commit = await has_gone_back(lab, "Back to what worked (#7)")
    forge = Told()
    reverter = lab.reverter(forge=forge)
    for _ in range(2):
        held = await reverter.find_quarantined([WHERE, STAGING])
        assert {of_cell[Version(NEW)] for of_cell in held.values()} == {"known bad: it loses orders (mia, #7)"}
    assert forge.asked == [(7, commit)], "each is asked about once"
    assert (await reverter.past_versions(WHERE))[1].known_bad == "known bad: it loses orders (mia, #7)"
    await lab.writes({"README.md": b"again\n"}, f"chore: good again\n\nSgm-Let-Go: cart {NEW}\n")
    assert Version(NEW) not in (await lab.reverter(forge=forge).find_quarantined([STAGING]))[STAGING]


async def test_whether_it_was_marked_is_not_known_while_github_is_silent_which_is_no_pass(lab: Lab) -> None:
    await has_gone_back(lab, "Back to what worked (#7)")
    held = await lab.reverter(forge=Told(silent=True)).find_quarantined([STAGING])
    why = "whether #7 marked it as known bad is unknown: GitHub did not answer within 10 s"
    assert held[STAGING] == {Version(NEW): why}


async def test_a_mark_outlives_a_message_that_names_no_pull_request_any_more(lab: Lab) -> None:
    commit = await has_gone_back(lab, "Back to what worked")
    forge = Told(number=7)
    reverter = lab.reverter(forge=forge)
    for _ in range(2):
        held = await reverter.find_quarantined([STAGING])
        assert held[STAGING] == {Version(NEW): "known bad: it loses orders (mia, #7)"}
    assert (forge.looked_up, forge.asked) == ([commit], [(7, commit)])


async def test_a_way_back_without_a_pull_request_marks_nothing_once_github_has_said_so(lab: Lab) -> None:
    commit = await has_gone_back(lab, "Back to what worked")
    silent = (await lab.reverter(forge=Told(silent=True)).find_quarantined([STAGING]))[STAGING]
    assert silent[Version(NEW)].startswith(
        f"whether the pull request of {commit[:8]} marked it as known bad is unknown"
    )
    forge = Told(number=0)
    assert Version(NEW) not in (await lab.reverter(forge=forge).find_quarantined([STAGING]))[STAGING]
    assert (forge.looked_up, forge.asked) == ([commit], [])


async def test_what_still_says_so_itself_asks_nobody(lab: Lab) -> None:
    await has_gone_back(lab, f"revert(cart): prod-eu1 -> {OLD} (#7)\n\nSgm-Change-Id: 0123\n")
    forge = Told()
    await lab.reverter(forge=forge).find_quarantined([WHERE])
    assert (forge.looked_up, forge.asked) == ([], [])


async def back_without_steps(lab: Lab) -> Change:
    """The new version comes with other steps, and is left by a way back without any."""
    await lab.promoted(b"    - setWeight: 30\n", b"    - setWeight: 35\n")
    made = await lab.reverter().plan_revert(in_flight(), WHERE, None)
    assert isinstance(made, Change)
    extras = extras_of("[]")
    assert not isinstance(extras, Refusal)
    change = replace(made, strategy="[]", extras=extras)
    left = apply_change(lab.clone, lab.clone.head(), change).after
    assert b"  steps: []" in left
    await lab.writes({PROD: left}, message_of([change]))
    return change


def next_promotion(lab: Lab) -> Change:
    versions = Version(OLD), Version(NEW)
    change = Change("promotion", WHERE.service, WHERE.stage, WHERE.cluster, PROD, "image.tag", *versions, (WHERE,))
    return RemovedSteps(lab.config, lab.clone, History(lab.config, lab.clone)).add_removed_steps(change, lab.read(PROD))


async def test_the_next_promotion_puts_back_the_steps_a_fast_way_back_left_out_byte_for_byte(lab: Lab) -> None:
    before = lab.read(PROD)
    await back_without_steps(lab)
    await lab.writes({PROD: lab.read(PROD) + b"# somebody wrote this since\n"})
    change = next_promotion(lab)
    after = apply_change(lab.clone, lab.clone.head(), change).after
    assert after == with_version(before, NEW) + b"# somebody wrote this since\n"
    assert plan_of(document_of(Plan((change,)))) == Plan((change,))


async def test_steps_are_put_back_once_and_never_over_what_somebody_wrote(lab: Lab) -> None:
    await back_without_steps(lab)
    asked = replace(next_promotion(lab), restores=(), extras=(Extra("rollout.steps", "[]"),))
    assert (
        RemovedSteps(lab.config, lab.clone, History(lab.config, lab.clone)).add_removed_steps(asked, lab.read(PROD))
        == asked
    )
    await lab.writes({PROD: lab.read(PROD).replace(b"steps: []", b"steps: [{setWeight: 50}]")})
    assert next_promotion(lab).restores == ()


async def test_a_way_back_that_kept_its_steps_has_nothing_to_put_back(lab: Lab) -> None:
    await lab.promoted()
    await lab.writes({PROD: with_version(lab.read(PROD), OLD)}, f"revert(cart): prod-eu1 -> {OLD}")
    assert next_promotion(lab).restores == ()
