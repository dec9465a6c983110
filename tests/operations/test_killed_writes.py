"""Killed anywhere, a write is neither lost nor doubled; many writers at once get in nobody's way."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from killed import POINTS, Desk, FolderForge, Killer, change_of, path_of, seeded
from prepared import Started, prepared_python

from sgm_tui.fleet.plans.plan import Change

OLD, NEW = "v1.0.0", "v1.1.0"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A bare repository of many services."""
    return seeded(tmp_path, 24)


def start(origin: Path, state: Path, point: str, changes: list[dict[str, str]], *flags: str) -> Started:
    arguments = (str(origin), str(state), point, json.dumps(changes), *flags)
    return prepared_python().start_silent(*arguments, run="killed:main")


def promotion(number: int, stage: str = "prod") -> dict[str, str]:
    return {"service": f"service-{number:02d}", "old": OLD, "new": NEW, "stage": stage}


def branches(origin: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "--git-dir", str(origin), "for-each-ref", "--format=%(refname:short)", "refs/heads"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [name for name in listed if name != "main"]


def sound(*repositories: Path) -> bool:
    """`git fsck` has nothing to complain of; what was killed before it was made is not there to complain of."""
    return all(
        subprocess.run(
            ["git", "--git-dir", str(one), "fsck", "--strict", "--no-dangling"], capture_output=True, check=False
        ).returncode
        == 0
        for one in repositories
        if (one / "HEAD").exists()
    )


async def settle(origin: Path, state: Path) -> Desk:
    """Recover in a process of its own, as a person would, and hold what always has to hold."""
    desk = Desk(origin, state)
    await desk.recover()
    assert await desk.recovery.list_unfinished() == ()
    pulls = Counter(one["branch"] for one in desk.forge.all())
    assert all(count == 1 for count in pulls.values()), pulls
    assert set(branches(origin)) == set(pulls)
    assert desk.audit.verify() is None
    assert sound(origin, desk.repository.path)
    return desk


@pytest.mark.parametrize("point", POINTS)
async def test_a_write_killed_at_any_step_is_listed_and_ends_exactly_once(
    origin: Path, tmp_path: Path, point: str
) -> None:
    killed = start(origin, tmp_path / "state", point, [promotion(1)])
    assert killed.wait(60) == -signal.SIGKILL
    listed = await Desk(origin, tmp_path / "state").recovery.list_unfinished()
    assert len(listed) == (0 if point in {"before note commit", "after note done"} else 1)
    desk = await settle(origin, tmp_path / "state")
    steps = await desk.write([_change(1)])
    assert steps[-1] in {"opened", "adopted"}
    assert len(desk.forge.all()) == 1


async def test_writes_killed_at_random_lose_and_double_nothing(origin: Path, tmp_path: Path) -> None:
    chance = random.Random(4711)
    state = tmp_path / "state"
    for number in range(6):
        running = start(origin, state, "", [promotion(number)])
        try:
            running.wait(chance.uniform(0.02, 0.3))
        except subprocess.TimeoutExpired:
            running.kill()
    desk = await settle(origin, state)
    for number in range(6):
        assert (await desk.write([_change(number)]))[-1] in {"opened", "adopted"}
    assert len(desk.forge.all()) == 6


async def test_four_processes_promote_at_once_and_the_same_change_is_made_once(origin: Path, tmp_path: Path) -> None:
    writers = [
        start(origin, tmp_path / f"state-{one}", "", [promotion(number)])
        for one, numbers in enumerate(((0, 1), (1, 2), (2, 0), (0, 1)))
        for number in numbers
    ]
    assert [one.wait(60) for one in writers] == [0] * len(writers)
    forge = FolderForge(tmp_path / "pulls", Killer(""))
    assert sorted(Counter(one["branch"] for one in forge.all()).values()) == [1, 1, 1]
    assert len(branches(origin)) == 3
    assert sound(origin)


async def test_four_processes_push_to_the_branch_itself_and_every_commit_arrives(origin: Path, tmp_path: Path) -> None:
    writers = [start(origin, tmp_path / f"state-{one}", "", [promotion(one, "dev")], "direct") for one in range(4)]
    assert [one.wait(60) for one in writers] == [0] * 4
    desk = Desk(origin, tmp_path / "looking")
    head = await desk.repository.fetch()
    tags = [desk.repository.read(head, path_of(f"service-{one:02d}", "dev")) for one in range(4)]
    assert all(tag is not None and NEW.encode() in tag for tag in tags)
    subjects = [commit.subject for commit in desk.repository.first_parents(head)]
    assert len(subjects) == len(set(subjects)) == 5


def _change(number: int) -> Change:
    return change_of(**promotion(number))
