"""A disk that is full or broken: a record is on disk completely or not at all, and nothing leaves the machine."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from killed import Desk, change_of, seeded
from test_killed_writes import branches

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.plan_file import PlanFile
from sgm_tui.operations.state_files import lock_file
from sgm_tui.private_files import append_line, replace_file

Writer = Callable[[Path, str], object]

WRITERS: dict[str, Writer] = {
    "journal": lambda file, text: Journal(file).note(text, "commit"),
    "audit": lambda file, text: Audit(file).record(text),
    "cart": lambda file, text: PlanFile(file).update(lambda _: Plan((change_of(text, "v1", "v2"),))),
    "marks": lambda file, text: KnownBad(file).mark(ServiceName(text), Version("v1"), "slow"),
    "a line": lambda file, text: append_line(file, text.encode()),
    "a file": lambda file, text: replace_file(file, text.encode()),
}
write, fsync, close, rename = os.write, os.fsync, os.close, os.replace


class Disk:
    """Fails at one operation, as a full or broken disk does."""

    def __init__(self, operation: str, code: int, room: int = 0) -> None:
        self.operation = operation
        self.code = code
        self.room = room
        self.open: set[int] = set()

    def write(self, handle: int, data: bytes) -> int:
        self.open.add(handle)
        if self.operation != "write":
            return write(handle, data)
        if not self.room:
            raise OSError(self.code, os.strerror(self.code))
        count = write(handle, bytes(data)[: self.room])
        self.room -= count
        return count

    def fsync(self, handle: int) -> None:
        if self.operation == "fsync":
            raise OSError(self.code, os.strerror(self.code))
        fsync(handle)

    def close(self, handle: int) -> None:
        close(handle)
        if self.operation == "close" and handle in self.open:
            self.open.discard(handle)
            raise OSError(self.code, os.strerror(self.code))


FAULTS = {
    "full": ("write", errno.ENOSPC, 0),
    "full after half a line": ("write", errno.ENOSPC, 5),
    "over quota": ("write", errno.EDQUOT, 3),
    "not synced": ("fsync", errno.EIO, 0),
    "over quota on close": ("close", errno.EDQUOT, 0),
}


def break_disk(patch: pytest.MonkeyPatch, fault: tuple[str, int, int]) -> None:
    disk = Disk(*fault)
    for name in ("write", "fsync", "close"):
        patch.setattr(os, name, getattr(disk, name))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_what_could_not_be_written_completely_is_not_there(
    tmp_path: Path, writer: Writer, fault: tuple[str, int, int]
) -> None:
    file = tmp_path / "state" / "file.jsonl"
    writer(file, "first")
    before = file.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        break_disk(patch, fault)
        with pytest.raises((RefusedError, OSError), match=os.strerror(fault[1])):
            writer(file, "second")
    assert file.read_bytes() == before
    assert not list(tmp_path.rglob("*.new")), "no half-written draft stays behind"
    writer(file, "third")
    assert b"third" in file.read_bytes()
    if b"}\n" in before:
        assert all(json.loads(line) for line in file.read_bytes().splitlines())


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_every_one(tmp_path: Path, writer: Writer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: write(handle, bytes(data)[:7]))
        writer(tmp_path / "file.jsonl", "a-longer-name-than-seven-bytes")
    assert b"a-longer-name-than-seven-bytes" in (tmp_path / "file.jsonl").read_bytes()


def test_a_file_that_cannot_be_renamed_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "cart.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "cart.json", b"{}")
    assert not list(tmp_path.glob("*.new"))


def test_an_audit_whose_disk_was_full_for_a_while_is_still_intact(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.record("push", operation="first")
    for fault in FAULTS.values():
        with pytest.MonkeyPatch.context() as patch:
            break_disk(patch, fault)
            with pytest.raises(RefusedError):
                audit.record("push", operation="lost")
    audit.record("push", operation="second")
    assert [one["operation"] for one in audit.records()] == ["first", "second"]
    assert audit.verify() is None


@pytest.mark.parametrize("direct", [False, True], ids=["pull request", "direct push"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_nothing_is_pushed_while_the_journal_cannot_be_written(
    tmp_path: Path, fault: tuple[str, int, int], *, direct: bool
) -> None:
    origin = seeded(tmp_path, 1)
    desk = Desk(origin, tmp_path / "state")
    stage = "dev" if direct else "prod"
    before = branches(origin), (await desk.repository.fetch())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "note", broken(Journal.note, patch, fault))
        steps = await desk.write([change_of("service-00", "v1.0.0", "v1.1.0", stage=stage)], direct=direct)
    assert steps == ["committing", "failed"]
    assert (branches(origin), await desk.repository.fetch()) == before
    assert not desk.forge.all()
    assert not desk.journal.unfinished()


def broken(note: Callable[..., None], patch: pytest.MonkeyPatch, fault: tuple[str, int, int]) -> Callable[..., None]:
    """The journal of a disk that fails from the push on, and works for everything before."""

    def at_the_push(journal: Journal, operation: str, step: str, **facts: object) -> None:
        with pytest.MonkeyPatch.context() as disk:
            if step == "push":
                break_disk(disk, fault)
            note(journal, operation, step, **facts)

    return at_the_push


def test_every_file_of_ours_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state = tmp_path / "state" / "sgm" / "fleets" / "x"
        for name, writer in WRITERS.items():
            writer(state / f"{name}.json", "first")
        with lock_file(state / "place.change"):
            pass
    finally:
        os.umask(before)
    modes = {one: stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "state").rglob("*")}
    assert state / "journal.lock" in modes
    assert {one: oct(mode) for one, mode in modes.items() if mode != (0o700 if one.is_dir() else 0o600)} == {}


async def test_the_clone_and_its_lock_are_for_their_owner_only(tmp_path: Path) -> None:
    origin = seeded(tmp_path, 1)
    before = os.umask(0)
    try:
        desk = Desk(origin, tmp_path / "state" / "sgm")
        await desk.repository.fetch()
    finally:
        os.umask(before)
    folder = tmp_path / "state" / "sgm" / "repositories"
    assert {oct(stat.S_IMODE(one.stat().st_mode)) for one in folder.iterdir() if one.is_file()} == {"0o600"}
    assert {oct(stat.S_IMODE(one.stat().st_mode)) for one in folder.iterdir() if one.is_dir()} == {"0o700"}
    assert {oct(stat.S_IMODE(one.stat().st_mode)) for one in (folder, folder.parent)} == {"0o700"}
