"""A process that writes one promotion and dies on the way: before or after one of its outward steps, or at any time.

Production knows nothing of this: what dies are wrappers around the journal, the repository and the forge. The forge
here is a folder, so that it outlives the process as a server does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import builders

from sgm_tui.config.schema import ClusterConfig as ClusterValues
from sgm_tui.config.schema import Config, GithubConfig, LayoutConfig, RepositoryConfig, StageConfig
from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Plan
from sgm_tui.fleet.plans.proposal import ClosedPullRequest, Proposal, WriteOptions
from sgm_tui.fleet.policy import Policy, RuleSet
from sgm_tui.gitops.repository import Repository
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.promoter import Promoter
from sgm_tui.operations.recovery import Recovery
from sgm_tui.operations.state_files import lock_file
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.sandbox.git.history import CommitSpec
from sgm_tui.sandbox.git.repository import Repository as Origin

_STEPS = ("note commit", "make", "note push", "push", "record push", "note open", "open", "record open", "note done")
POINTS = (*(f"{when} {step}" for step in _STEPS for when in ("before", "after")), "after auto-merge")
"""Everywhere a process may die."""


@dataclass
class Killer:
    """Kills its own process at one point; "" at none."""

    point: str

    def around(self, step: str, when: str) -> None:
        """Die here, if it is here."""
        if f"{when} {step}" == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingJournal(Journal):
    """A journal that may be the last thing its process writes."""

    def __init__(self, file: Path, killer: Killer) -> None:
        super().__init__(file)
        self._killer = killer

    def note(self, operation: str, step: str, **facts: Any) -> None:
        self._killer.around(f"note {step}", "before")
        super().note(operation, step, **facts)
        self._killer.around(f"note {step}", "after")


class DyingAudit(Audit):
    """The same for the audit."""

    def __init__(self, file: Path, killer: Killer) -> None:
        super().__init__(file)
        self._killer = killer

    def record(self, action: str, **facts: Any) -> None:
        self._killer.around(f"record {action}", "before")
        super().record(action, **facts)
        self._killer.around(f"record {action}", "after")


class DyingRepository(Repository):
    """The same for git."""

    killer = Killer("")

    async def commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        self.killer.around("make", "before")
        made = await super().commit(base, writes, message, author)
        self.killer.around("make", "after")
        return made

    async def push(self, commit: str, branch: str, expected: str, consent: Consent = NO_CONSENT) -> None:
        self.killer.around("push", "before")
        await super().push(commit, branch, expected, consent)
        self.killer.around("push", "after")


class FolderForge:
    """Pull requests as files: they are there for every process, and each opening is counted."""

    def __init__(self, folder: Path, killer: Killer) -> None:
        self._folder = folder
        self._killer = killer
        folder.mkdir(exist_ok=True)

    def all(self) -> list[dict[str, Any]]:
        """Every pull request ever opened."""
        return [json.loads(one.read_text(encoding="utf-8")) for one in sorted(self._folder.glob("*.json"))]

    async def find_open(self, branch: str) -> PullRequest | None:
        """The open pull request of a branch."""
        found = next((one for one in self.all() if one["branch"] == branch), None)
        return None if found is None else PullRequest(found["number"], "", "", "", branch, found["head"], "open")

    async def list_open(self) -> tuple[PullRequest, ...]:
        """Every open one; all are marked as sgm's, and ours."""
        return tuple(
            PullRequest(
                one["number"], one["title"], "", "ana", one["branch"], one["head"], "open", marked=True, ours=True
            )
            for one in self.all()
        )

    async def close(self, number: int) -> str:
        """Take it and its branch away."""
        self._killer.around("close", "before")
        await asyncio.to_thread(self._without, self._folder / f"{number:05d}.json")
        return f"#{number} is closed"

    def _without(self, file: Path) -> None:
        branch = json.loads(file.read_text(encoding="utf-8"))["branch"]
        file.unlink()
        origin = str(self._folder.parent / "origin.git")
        subprocess.run(["git", "--git-dir", origin, "update-ref", "-d", f"refs/heads/{branch}"], check=True)

    async def find_ended(self, branch: str) -> PullRequest | None:
        """None ever is."""
        return None

    async def open(self, proposal: Proposal, head: str, consent: Consent = NO_CONSENT) -> tuple[PullRequest, bool, str]:
        """Find or make it, as GitHub refuses a second one of the same branch."""
        self._killer.around("open", "before")
        with lock_file(self._folder / "lock.json"):
            known = await self.find_open(proposal.branch)
            if known is not None:
                return known, False, ""
            number = 1 + max((int(one.stem) for one in self._folder.glob("*.json") if one.stem.isdigit()), default=0)
            text = json.dumps({"number": number, "branch": proposal.branch, "head": head, "title": proposal.title})
            fresh = self._folder / f"{number:05d}.new"
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._folder / f"{number:05d}.json")
        self._killer.around("open", "after")
        return PullRequest(number, proposal.title, "", "", proposal.branch, head, "open"), True, ""

    async def find_closed(self, branch: str) -> ClosedPullRequest | None:
        """Nobody closed anything here."""
        return None

    async def try_auto_merge(self, number: int, head: str, consent: Consent = NO_CONSENT) -> str:
        """Always."""
        self._killer.around("auto-merge", "after")
        return ""


def config_on(origin: Path) -> Config:
    """Two stages of one cluster each, no gate but other pull requests, merging by itself."""
    stages = tuple(StageConfig(name, (ClusterValues(f"{name}-eu1", name),)) for name in ("dev", "prod"))
    return Config(
        repository=RepositoryConfig(origin.as_uri(), name="acme/gitops"),
        stages=stages,
        layout=LayoutConfig(),
        github=GithubConfig(repository="acme/gitops", auto_merge=("prod",)),
        policy=Policy(
            defaults=RuleSet(levels=dict.fromkeys(GATE_NAMES, "off") | {"pull-request": "block"}), direct=("dev",)
        ),
    )


def seeded(directory: Path, services: int) -> Path:
    """A bare repository of so many services, each in two stages at v1.0.0."""
    origin = Origin(directory / "origin.git")
    files = {
        path_of(f"service-{number:02d}", stage): b"# a service\nimage:\n  tag: v1.0.0\n"
        for number in range(services)
        for stage in ("dev", "prod")
    }
    begin = CommitSpec(-60.0, "Mia", "mia@acme.example", "feat: begin", "", files)
    origin.seed([begin], datetime(2026, 11, 1, tzinfo=UTC))
    origin.close()
    return directory / "origin.git"


def path_of(service: str, stage: str = "prod") -> str:
    """The values file of a service."""
    return f"{stage}/app-service/{service}/values.yaml"


def change_of(service: str, old: str, new: str, *, stage: str = "prod", undoes: str = "") -> Change:
    """One change of one file: a promotion, or the revert of what a commit did to it."""
    where = CellKey(ServiceName(service), StageName(stage), ClusterName(f"{stage}-eu1"))
    made = Change(
        "promotion", where.service, where.stage, None, path_of(service, stage), "image.tag", Version(old), Version(new),
        (where,),
    )  # fmt: skip
    return replace(made, kind="revert", undoes=(undoes,)) if undoes else made


class Desk:
    """Everything one process writes with."""

    def __init__(self, origin: Path, state: Path, point: str = "") -> None:
        killer = Killer(point)
        self.config = config_on(origin)
        self.repository = DyingRepository(self.config.repository.url, "main", state / "repositories")
        self.repository.killer = killer
        self.forge = FolderForge(origin.parent / "pulls", killer)
        self.journal = DyingJournal(state / "journal.jsonl", killer)
        self.audit = DyingAudit(state / "audit.jsonl", killer)
        self.promoter = Promoter(
            self.config, self.repository, self.forge, self.journal, self.audit, locks=state / "locks"
        )
        self.recovery = Recovery(self.repository, self.forge, self.journal, self.audit, self.promoter, builders.calm)

    async def write(self, changes: list[Change], *, direct: bool = False) -> list[str]:
        """Write them; the steps at which each proposal ended."""
        preview = await self.promoter.preview(Plan().with_change(*changes), terms=WriteOptions(direct=direct))
        return [one.step async for one in self.promoter.submit(preview)]

    async def recover(self) -> None:
        """Do what is advised for everything that never ended."""
        for one in await self.recovery.list_unfinished():
            if one.advice == "resume":
                _ = [step async for step in self.recovery.resume(one.operation)]
            else:
                await self.recovery.discard(one.operation)


def main(run: Callable[..., Any] = asyncio.run) -> None:
    """`killed.py ORIGIN STATE POINT CHANGES`: write these changes and die on the way."""
    origin, state, point, changes = sys.argv[1:5]
    desk = Desk(Path(origin), Path(state), point)
    made = [change_of(**one) for one in json.loads(changes)]
    direct = bool(sys.argv[5:])
    run(desk.write(made, direct=direct))


if __name__ == "__main__":
    main()
