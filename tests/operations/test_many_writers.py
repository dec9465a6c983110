"""Writers that want different things of the same file: one gets it, the others are told; nothing is overwritten."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from killed import Desk, path_of, seeded
from prepared import prepared_python
from test_killed_writes import branches, promotion, settle, start

from sgm_tui.operations.audit import Audit

OLD = "v1.0.0"


@pytest.fixture
def shared_origin(tmp_path: Path) -> Path:
    """A bare repository of four services."""
    return seeded(tmp_path, 4)


def together(origin: Path, wishes: list[tuple[Path, int, str, str]], direct: str = "") -> list[tuple[str, str]]:
    """Everybody at once; the last step and the words of each."""
    running = [
        prepared_python().start(
            str(origin), str(state),
            json.dumps({"service": f"service-{number:02d}", "old": OLD, "new": new, "stage": stage}), direct,
            run="writer:main",
        )
        for state, number, new, stage in wishes
    ]  # fmt: skip
    said = [one.communicate(60) for one in running]
    assert [one.returncode for one in running] == [0] * len(running), said
    step_and_text = [json.loads(one) for one, _ in said]
    return [(step, text) for step, text in step_and_text]


async def test_four_different_wishes_pushed_for_one_file_leave_one_winner_and_three_reasons(
    shared_origin: Path, tmp_path: Path
) -> None:
    wishes = [(tmp_path / f"state-{one}", 0, f"v1.{one + 1}.0", "dev") for one in range(4)]
    ended = together(shared_origin, wishes, "direct")
    won = [wish for wish, (step, _) in zip(wishes, ended, strict=True) if step == "pushed"]
    assert len(won) == 1, ended
    lost = [(step, text) for step, text in ended if step != "pushed"]
    assert all(step in {"refused", ""} and f"image.tag is {won[0][2]} now, not {OLD}" in text for step, text in lost), (
        ended
    )
    assert all([await Desk(shared_origin, state).recovery.list_unfinished() == () for state, *_ in wishes])
    desk = Desk(shared_origin, tmp_path / "looking")
    head = await desk.repository.fetch()
    assert won[0][2].encode() in (desk.repository.read(head, path_of("service-00", "dev")) or b"")
    assert len(list(desk.repository.first_parents(head))) == 2


async def test_the_same_change_pushed_by_four_is_one_commit(shared_origin: Path, tmp_path: Path) -> None:
    ended = together(shared_origin, [(tmp_path / f"s-{one}", 1, "v1.1.0", "dev") for one in range(4)], "direct")
    # Made in the same second it is the very same commit: then more than one may say that it arrived; and who comes
    # late has nothing to propose any more.
    assert {step for step, _ in ended} <= {"pushed", "nothing", ""}, ended
    assert all("git already has v1.1.0" in text for step, text in ended if not step), ended
    desk = Desk(shared_origin, tmp_path / "looking")
    assert len(list(desk.repository.first_parents(await desk.repository.fetch()))) == 2


@pytest.mark.parametrize("machines", [1, 4])
async def test_four_versions_proposed_for_one_file_at_once_leave_one_pull_request(
    shared_origin: Path, tmp_path: Path, machines: int
) -> None:
    states = [tmp_path / f"state-{one % machines}" for one in range(4)]
    ended = together(shared_origin, [(state, 0, f"v1.{one + 1}.0", "prod") for one, state in enumerate(states)])
    assert Counter(step for step, _ in ended)["opened"] == 1, ended
    lost = [(step, text) for step, text in ended if step != "opened"]
    assert all(step in {"blocked", "refused"} and "by ana proposes service-00 v1." in text for step, text in lost), (
        ended
    )
    desk = Desk(shared_origin, states[0])
    (left,) = desk.forge.all()
    assert branches(shared_origin) == [left["branch"]]
    assert all([await Desk(shared_origin, state).recovery.list_unfinished() == () for state in set(states)])


async def test_four_processes_of_one_state_folder_keep_one_whole_journal_and_audit(
    shared_origin: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    ended = together(shared_origin, [(state, number, "v1.1.0", "prod") for number in (0, 1, 1, 2)])
    assert Counter(step for step, _ in ended) == {"opened": 3, "adopted": 1}, ended
    desk = Desk(shared_origin, state)
    assert sorted(Counter(one["branch"] for one in desk.forge.all()).values()) == [1, 1, 1]
    assert await desk.recovery.list_unfinished() == ()
    assert desk.audit.verify() is None


def test_a_death_between_a_record_and_its_seal_is_no_broken_audit(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.record("push", operation="one")
    dying = prepared_python().start_silent(str(audit.file), run="writer:record_half")
    assert dying.wait(30) == -signal.SIGKILL
    assert [one["operation"] for one in audit.records()] == ["one", "two"]
    assert audit.verify() is None
    audit.record("push", operation="three")
    assert audit.verify() is None
    whole = audit.file.read_bytes().splitlines(keepends=True)
    audit.file.write_bytes(b"".join(whole[:-1]))
    assert audit.verify() == 3


@pytest.mark.parametrize("step", ["note auto-merge", "record auto-merge"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_write_killed_around_its_auto_merge_still_gets_it(
    shared_origin: Path, tmp_path: Path, when: str, step: str
) -> None:
    killed = start(shared_origin, tmp_path / "state", f"{when} {step}", [promotion(3)])
    assert killed.wait(60) == -signal.SIGKILL
    assert len(await Desk(shared_origin, tmp_path / "state").recovery.list_unfinished()) == 1
    desk = await settle(shared_origin, tmp_path / "state")
    assert len(desk.forge.all()) == 1
    assert "auto-merge" in [one["action"] for one in desk.audit.records()]
