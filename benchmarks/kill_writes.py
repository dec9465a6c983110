"""Kill 200 promotions and reverts at chosen or random points, and run 40 promotions in four processes at once.

The long form of `tests/operations/test_killed_writes.py`: after every kill the journal lists the unfinished write and
the advised step is taken; at the end no change is lost and no pull request exists twice.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "tests" / part) for part in ("operations", "")]

from killed import POINTS, Desk, FolderForge, Killer, change_of, path_of
from test_killed_writes import branches, sound, start

from sgm_tui.sandbox.git.history import CommitSpec
from sgm_tui.sandbox.git.repository import Repository as Origin

WRITES = 200
PROCESSES = 4
WRITES_PER_PROCESS = 10
SERVICES = 100


def seed(directory: Path) -> tuple[Path, str]:
    """Return a new bare repository of 100 services in two stages, and the commit that promoted all of them to prod."""
    origin = Origin(directory / "origin.git")

    def files(version: str, *stages: str) -> dict[str, bytes]:
        text = f"image:\n  tag: {version}\nenv:\n  RELEASE: {version}\n".encode()
        return {path_of(f"service-{number:02d}", stage): text for number in range(SERVICES) for stage in stages}

    begin = CommitSpec(-60.0, "Mia", "mia@acme.example", "feat: begin", "", files("v1.0.0", "dev", "prod"))
    origin.seed([begin], datetime.now(UTC))
    promoted = origin.commit("main", files("v1.1.0", "prod"), "feat(prod): everything -> v1.1.0", at=datetime.now(UTC))
    origin.close()
    return directory / "origin.git", promoted


def requested_change(number: int, promoted: str) -> dict[str, str]:
    """Return the change of a write; every second one reverts its service's part of the commit that promoted all."""
    service = f"service-{number // 2 % SERVICES:02d}"
    if number % 2:
        return {"service": service, "old": "v1.1.0", "new": "v1.0.0", "undoes": promoted}
    return {"service": service, "old": "v1.1.0", "new": "v1.2.0"}


async def kill_one_by_one(directory: Path) -> None:
    """Kill each write, recover it, and check git, pull requests and the audit log.

    Raises:
        SystemExit: a write is still unfinished after its recovery.
    """
    origin, promoted = seed(directory)
    state, chance = directory / "state", random.Random(4711)
    outcomes: Counter[str] = Counter()
    for number in range(WRITES):
        point = POINTS[number // 2 % len(POINTS)] if number % 2 == 0 else ""
        running = start(origin, state, point, [requested_change(number, promoted)])
        try:
            code = running.wait(chance.uniform(0.3, 0.9) if not point else 60)
        except subprocess.TimeoutExpired:
            running.kill()
            code = running.wait(0)
        outcomes["killed" if code < 0 else "ended"] += 1
        desk = Desk(origin, state)
        listed = await desk.recovery.list_unfinished()
        outcomes[f"listed {len(listed)}"] += 1
        await desk.recover()
        if await desk.recovery.list_unfinished():
            raise SystemExit(f"{number}: still unfinished")
        await desk.write([change_of(**requested_change(number, promoted))])
    pulls = Counter(one["branch"] for one in desk.forge.all())
    whole = desk.audit.verify() is None and sound(origin, desk.repository.path)
    print(
        f"{WRITES} writes: {dict(outcomes)}; pull requests {len(pulls)}, doubled {sum(n > 1 for n in pulls.values())}"
    )
    print(f"branches without one: {len(set(branches(origin)) - set(pulls))}; audit and git whole: {whole}")


def promote_concurrently(directory: Path) -> None:
    """Run forty promotions in four processes, ten each; two processes request a third of them."""
    origin, promoted = seed(directory)
    begin = time.monotonic()
    starts = [process * WRITES_PER_PROCESS * 2 // 3 for process in range(PROCESSES)]
    changes = [
        [requested_change(2 * (number % 50), promoted) for number in range(first, first + WRITES_PER_PROCESS)]
        for first in starts
    ]
    codes: list[int] = []
    for at in range(WRITES_PER_PROCESS):
        running = [start(origin, directory / f"state-{one}", "", [changes[one][at]]) for one in range(PROCESSES)]
        codes += [one.wait(120) for one in running]
    pulls = Counter(one["branch"] for one in FolderForge(directory / "pulls", Killer("")).all())
    distinct = {str(one) for process in changes for one in process}
    seconds, failed = time.monotonic() - begin, sum(map(bool, codes))
    print(f"{len(codes)} promotions by {PROCESSES} processes in {seconds:.0f} s: failed {failed}")
    print(f"distinct {len(distinct)}, pull requests {len(pulls)}, doubled {sum(n > 1 for n in pulls.values())}")
    print(f"git whole: {sound(origin)}")


def main() -> None:
    """Run both parts, each in an empty directory."""
    for run in (lambda one: asyncio.run(kill_one_by_one(one)), promote_concurrently):
        with tempfile.TemporaryDirectory() as directory:
            run(Path(directory))


if __name__ == "__main__":
    main()
