"""Two hundred promotions and reverts, each killed at a chosen or random point; and forty by four processes at once.

The long form of `tests/operations/test_killed_writes.py`: after every kill the journal lists what was left, the one
advised step is taken, and in the end nothing is lost and nothing is there twice.
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

from sgm_tui.sandbox.history import CommitSpec
from sgm_tui.sandbox.repository import Repository as Origin

WRITES = 200
PROCESSES, EACH = 4, 10
SERVICES = 100


def seeded(directory: Path) -> Path:
    """A bare repository of a hundred services in two stages."""
    origin = Origin(directory / "origin.git")
    files = {
        path_of(f"service-{number:02d}", stage): b"image:\n  tag: v1.0.0\n"
        for number in range(SERVICES)
        for stage in ("dev", "prod")
    }
    origin.seed([CommitSpec(-60.0, "Mia", "mia@acme.example", "feat: begin", "", files)], datetime.now(UTC))
    origin.close()
    return directory / "origin.git"


def wish(number: int) -> dict[str, str]:
    """The change of one write; every other one is a revert by its kind."""
    kind = "revert" if number % 2 else "promotion"
    version = f"v1.{number // SERVICES + 1}.0"
    return {"service": f"service-{number % SERVICES:02d}", "old": "v1.0.0", "new": version, "kind": kind}


async def killed(directory: Path) -> None:
    """Kill, recover, and look."""
    origin, state, chance = seeded(directory), directory / "state", random.Random(4711)
    ended: Counter[str] = Counter()
    for number in range(WRITES):
        point = POINTS[number // 2 % len(POINTS)] if number % 2 == 0 else ""
        running = start(origin, state, point, [wish(number)])
        try:
            running.wait(chance.uniform(0.3, 0.9) if not point else 60)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        ended["killed" if running.returncode < 0 else "ended"] += 1
        desk = Desk(origin, state)
        listed = await desk.recovery.unfinished()
        ended[f"listed {len(listed)}"] += 1
        await desk.recover()
        if await desk.recovery.unfinished():
            raise SystemExit(f"{number}: still unfinished")
        await desk.write([change_of(**wish(number))])
    pulls = Counter(one["branch"] for one in desk.forge.all())
    whole = desk.audit.verify() is None and sound(origin, desk.repository.path)
    print(f"{WRITES} writes: {dict(ended)}; pull requests {len(pulls)}, doubled {sum(n > 1 for n in pulls.values())}")
    print(f"branches without one: {len(set(branches(origin)) - set(pulls))}; audit and git whole: {whole}")


def together(directory: Path) -> None:
    """Forty promotions by four processes, ten each, a third of them wished for by two."""
    origin = seeded(directory)
    begin = time.monotonic()
    wishes = [[wish(2 * ((one * EACH * 2 // 3 + at) % 50)) for at in range(EACH)] for one in range(PROCESSES)]
    codes: list[int] = []
    for at in range(EACH):
        running = [start(origin, directory / f"state-{one}", "", [wishes[one][at]]) for one in range(PROCESSES)]
        codes += [one.wait(120) for one in running]
    pulls = Counter(one["branch"] for one in FolderForge(directory / "pulls", Killer("")).all())
    distinct = {str(one) for process in wishes for one in process}
    seconds, failed = time.monotonic() - begin, sum(map(bool, codes))
    print(f"{len(codes)} promotions by {PROCESSES} processes in {seconds:.0f} s: failed {failed}")
    print(f"distinct {len(distinct)}, pull requests {len(pulls)}, doubled {sum(n > 1 for n in pulls.values())}")
    print(f"git whole: {sound(origin)}")


def main() -> None:
    """Both."""
    for run in (lambda one: asyncio.run(killed(one)), together):
        with tempfile.TemporaryDirectory() as directory:
            run(Path(directory))


if __name__ == "__main__":
    main()
