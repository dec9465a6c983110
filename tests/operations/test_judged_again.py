"""Every pull request is judged by the newest facts just before it is written, and a wave when it is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import builders
import pytest
from origin import FILES, STAGING, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.facts import Alert, PullRequest
from sgm_tui.fleet.gates.evidence import Evidence
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.model import CellKey, ClusterName, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, CommitRange, Proposal, WriteOptions
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.waves import Waves
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.sandbox.git.repository import Repository as Origin

OLD, NEW = "v2.8.1", "v3.0.0"
PATHS = {where: f"prod/prod-{where}/app-service/cart/values.yaml" for where in ("eu1", "us1", "ap1")}
ALERT = Alert("HighErrorRate", "page", "firing", ClusterName("prod-eu1"), "cart", "41 % of requests fail")
CALM: dict[str, Any] = dict.fromkeys(GATE_NAMES, "off")


class Forge:
    """Opens whatever it is given; something may happen in the fleet meanwhile."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pulls: dict[str, PullRequest] = {}

    async def open(self, proposal: Proposal, head: str, consent: Consent = NO_CONSENT) -> tuple[PullRequest, bool, str]:
        number = 100 + len(self.pulls)
        made = PullRequest(number, proposal.title, "", "ana", proposal.branch, head, "open")
        self.pulls[proposal.branch] = made
        self.world.meanwhile()
        return made, True, ""

    async def list_open(self) -> tuple[PullRequest, ...]:
        return tuple(self.pulls.values())

    async def close(self, number: int) -> str:
        raise AssertionError(number)

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """Nobody closed anything here."""
        return None

    async def compare(self, source: str, old: str, new: str) -> CommitRange:
        return CommitRange()

    async def try_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        return ""


@dataclass
class World:
    """A repository, and a fleet whose snapshot changes while pull requests are opened."""

    origin: Origin
    clone: Repository
    folder: Path
    config: Any
    snapshot: FleetSnapshot
    next: list[FleetSnapshot] = field(default_factory=list)

    def meanwhile(self) -> None:
        if self.next:
            self.snapshot = self.next.pop(0)

    def promoter(self, policy: Policy, investigator: Any = None) -> tuple[Promoter, Forge]:
        forge, audit = Forge(self), Audit(self.folder / "audit.jsonl")
        journal = Journal(self.folder / "journal.jsonl")
        config = replace(self.config, policy=policy, github=replace(self.config.github, auto_merge=()))
        return Promoter(config, self.clone, forge, journal, audit, investigator), forge

    def message(self, branch: str) -> str:
        return self.origin.ask("log", "-1", "--format=%B", f"refs/heads/{branch}")


def fleet(**facts: Any) -> FleetSnapshot:
    cells = [builders.cell("cart", name, OLD) for name in ("staging-eu1", "prod-eu1", "prod-us1", "prod-ap1")]
    return replace(builders.snapshot(cells), **facts)


def change(path: str, key: CellKey) -> Change:
    cluster = key.cluster if key.stage == "prod" else None
    return Change("promotion", key.service, key.stage, cluster, path, "image.tag", Version(OLD), Version(NEW), (key,))


STAGED = change(STAGING, cell("cart", "staging", "eu1"))
INTO_PROD = [change(PATHS[where], cell("cart", "prod", where)) for where in PATHS]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    origin = origin_in(tmp_path)
    writes = {path: with_version(FILES[path], OLD) for path in (STAGING, *PATHS.values())}
    origin.commit("main", writes | {"begin.txt": b"x"}, "chore: begin", at=STARTED)
    config = config_of(origin, tmp_path)
    clone = Repository(config.repository.url, config.repository.branch, tmp_path / "state")
    yield World(origin, clone, tmp_path, config, fleet())
    origin.close()


def asks_of_alerts() -> Policy:
    return Policy(stages={"staging": RuleSet(levels=CALM), "prod": RuleSet(levels={**CALM, "alerts": "block"})})


async def test_an_alert_that_fires_while_the_first_is_opened_stops_the_second(world: World) -> None:
    world.next = [fleet(alerts=(ALERT,))]
    promoter, forge = world.promoter(asks_of_alerts())
    preview = await promoter.preview(Plan((STAGED, INTO_PROD[0])), world.snapshot)
    assert [one.refused for one in preview.proposals] == [False, False]
    steps = [one async for one in promoter.submit(preview, lambda: world.snapshot)]
    ends = {one.proposal.stage: one.step for one in steps}
    assert ends == {"staging": "opened", "prod": "blocked"}
    assert "HighErrorRate is firing" in steps[-1].text
    assert len(forge.pulls) == 1


async def test_an_alert_that_fires_while_the_evidence_is_gathered_stops_it(world: World) -> None:
    class Slow:
        """Looks things up; meanwhile the fleet moves on."""

        async def gather(self, plan: Plan, snapshot: FleetSnapshot) -> Evidence:
            await asyncio.sleep(0)
            world.meanwhile()
            return Evidence()

    promoter, forge = world.promoter(asks_of_alerts(), Slow())
    preview = await promoter.preview(Plan((INTO_PROD[0],)), world.snapshot)
    world.next = [fleet(alerts=(ALERT,))]
    steps = [one async for one in promoter.submit(preview, lambda: world.snapshot)]
    assert ([one.step for one in steps], forge.pulls) == (["blocked"], {})


async def test_what_blocked_when_it_was_shown_is_written_once_it_has_cleared(world: World) -> None:
    world.snapshot = fleet(alerts=(ALERT,))
    promoter, forge = world.promoter(asks_of_alerts())
    preview = await promoter.preview(Plan((INTO_PROD[0],)), world.snapshot)
    assert preview.proposals[0].refused
    world.snapshot = fleet()
    steps = [one async for one in promoter.submit(preview, lambda: world.snapshot)]
    assert (steps[-1].step, len(forge.pulls)) == ("opened", 1)


def in_waves(**levels: Any) -> Policy:
    waves = (("prod-eu1",), ("prod-us1",), ("prod-ap1",))
    return Policy(stages={"prod": RuleSet(waves=waves, levels={**CALM, **levels})})


@pytest.fixture
async def first_wave(world: World) -> tuple[World, Waves, Forge]:
    """A promotion in three waves of which the first is open, merged and settled."""
    promoter, forge = world.promoter(in_waves(alerts="block"))
    waves = Waves(world.folder / "waves.json", promoter)
    preview = await promoter.preview(Plan(tuple(INTO_PROD)), world.snapshot)
    waves.save(preview, preview.proposals[0], builders.NOW, in_waves())
    steps = [one async for one in promoter.submit(preview, lambda: world.snapshot)]
    assert [one.step for one in steps if one.proposal.wave or one.step == "opened"] == ["opened", "queued", "queued"]
    return world, waves, forge


def settled(*there: str, **facts: Any) -> FleetSnapshot:
    cells = [
        builders.cell("cart", name, NEW if name in there else OLD, Journey.SETTLED, since=3600)
        for name in ("prod-eu1", "prod-us1", "prod-ap1")
    ]
    return replace(builders.snapshot(cells), **facts)


async def test_a_wave_is_judged_by_what_is_so_when_it_is_written_not_when_it_was_previewed(
    first_wave: tuple[World, Waves, Forge],
) -> None:
    _, waves, forge = first_wave
    us1 = replace(ALERT, cluster=ClusterName("prod-us1"))
    seen = [settled("prod-eu1"), settled("prod-eu1"), settled("prod-eu1", alerts=(us1,))]
    now = builders.NOW + timedelta(hours=1)
    await waves.step(lambda: seen.pop(0) if len(seen) > 1 else seen[0], now)
    (kept,) = waves.plans()
    assert (kept.opened, "HighErrorRate is firing" in kept.held, len(forge.pulls)) == (1, True, 1)


async def test_every_wave_of_one_promotion_carries_its_one_identity(first_wave: tuple[World, Waves, Forge]) -> None:
    world, waves, forge = first_wave
    world.snapshot = settled("prod-eu1")
    await waves.step(lambda: world.snapshot, builders.NOW + timedelta(hours=1))
    identities = {
        line
        for branch in forge.pulls
        for line in world.message(branch).splitlines()
        if line.startswith("Sgm-Promotion")
    }
    assert (len(forge.pulls), len(identities)) == (2, 1)


async def test_one_pull_request_alone_names_no_promotion_it_is_a_part_of(world: World) -> None:
    promoter, forge = world.promoter(in_waves())
    preview = await promoter.preview(Plan((INTO_PROD[0],)), world.snapshot, WriteOptions())
    async for _ in promoter.submit(preview):
        pass
    (branch,) = forge.pulls
    assert "Sgm-Promotion" not in world.message(branch)
