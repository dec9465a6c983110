"""Who only looks needs no directory to write to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from test_commands import Fleet

pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(tmp_path_factory.mktemp("read-only"))
    yield running
    running.end()


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory nobody can write to, the system's administrator included."""
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("SGM_STATE_DIRECTORY", str(file / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("status", "-o", "json"),
        ("--read-only", "status", "-o", "json"),
        ("history", "cart", "-o", "json"),
        ("prs", "-o", "json"),
        ("plan", "-o", "json"),
        ("plan", "--unfinished", "-o", "json"),
        ("plan", "waves", "-o", "json"),
        ("promote", "catalog", "--to", "staging", "--dry-run", "-o", "json"),
        ("revert", "cart", "--stage", "prod", "--cluster", "prod-eu1", "--dry-run", "-o", "json"),
        ("audit", "-o", "json"),
    ],
    ids=" ".join,
)
def test_looking_works_with_a_state_directory_that_cannot_be_written(
    fleet: Fleet, unwritable: Path, command: Sequence[str]
) -> None:
    assert json.loads(fleet.sgm(*command).stdout)
    assert [one.name for one in unwritable.iterdir() if one.name.startswith("sgm-")] == []


def test_writing_says_what_it_lacks_before_anything_leaves_the_machine(fleet: Fleet, unwritable: Path) -> None:
    before = fleet.heads()
    ran = fleet.sgm("promote", "catalog", "--to", "staging", "--yes", code=2)
    assert f"{unwritable}/file/state: Not a directory" in ran.stderr
    assert "state_directory" in ran.stderr
    assert fleet.heads() == before
