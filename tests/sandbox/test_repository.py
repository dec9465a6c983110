"""The embedded bare repository is a real one: other people's git clones it and pushes to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sgm_tui.sandbox.git.history import history
from sgm_tui.sandbox.git.process import GitError, git_environment
from sgm_tui.sandbox.git.repository import MergeConflictError, Repository
from sgm_tui.sandbox.git.seed import seed

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
VALUES = "dev/app-service/cart/values.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    opened = Repository(tmp_path / "gitops.git")
    opened.seed(history(seed(2)), NOW)
    yield opened
    opened.close()


def git(*arguments: str, cwd: Path) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "Ana",
        "GIT_AUTHOR_EMAIL": "a@x",
        "GIT_COMMITTER_NAME": "Ana",
        "GIT_COMMITTER_EMAIL": "a@x",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=git_environment() | identity, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_main_holds_exactly_the_seeded_files(repository: Repository) -> None:
    head = repository.head()
    files = seed(2)
    assert repository.paths(head) == sorted(files)
    assert all(repository.read(head, path) == data for path, data in files.items())
    assert repository.read(head, "nowhere") is None
    assert repository.blobs("0" * 40) == {}


def test_history_looks_like_githubs_and_is_sound(repository: Repository, tmp_path: Path) -> None:
    git("fsck", "--strict", cwd=repository.path)
    git("clone", "-q", repository.path.as_uri(), "clone", cwd=tmp_path)
    subjects = git("log", "--first-parent", "--format=%s", cwd=tmp_path / "clone").splitlines()
    assert subjects[0].startswith("Merge pull request #")
    assert subjects[-1] == "chore: the platform, its projects and the chart"
    assert "side" not in git("branch", "-a", cwd=tmp_path / "clone")


def test_a_push_from_outside_is_noticed(repository: Repository, tmp_path: Path) -> None:
    before = repository.head()
    git("clone", "-q", repository.path.as_uri(), "clone", cwd=tmp_path)
    clone = tmp_path / "clone"
    (clone / VALUES).write_text((clone / VALUES).read_text().replace("v2", "v3"))
    git("commit", "-qam", "bump", cwd=clone)
    git("push", "-q", "origin", "HEAD:refs/heads/topic/bump", "HEAD:main", cwd=clone)
    assert repository.head() != before
    assert repository.changed(before, repository.head()) == {VALUES}
    assert repository.head("topic/bump") == repository.head()


def test_a_merge_is_real(repository: Repository) -> None:
    before = repository.head()
    change = repository.commit(
        "topic", {VALUES: b"image: {tag: v9}\n", "new.txt": b"x"}, "bump", at=NOW, author="Ana Lee"
    )
    repository.commit("main", {"other.txt": b"y"}, "elsewhere", at=NOW)
    assert repository.mergeable("main", change)
    merged = repository.merge("main", change, "Merge pull request #1", at=NOW)
    assert repository.head() == merged
    assert repository.contains(merged, change)
    assert repository.changed(before, merged) == {VALUES, "new.txt", "other.txt"}
    assert repository.author(change)[0] == "Ana Lee"
    assert repository.commits(before, change) == [change]


def test_conflicting_changes_do_not_merge(repository: Repository) -> None:
    change = repository.commit("topic", {VALUES: b"image: {tag: v9}\n"}, "one", at=NOW)
    repository.commit("main", {VALUES: b"image: {tag: v8}\n"}, "other", at=NOW)
    assert not repository.mergeable("main", change)
    with pytest.raises(MergeConflictError):
        repository.merge("main", change, "merge", at=NOW)


def test_a_branch_moves_only_from_where_it_is_expected(repository: Repository) -> None:
    head = repository.head()
    commit = repository.commit("topic", {"a": b"1"}, "one", at=NOW)
    with pytest.raises(GitError):
        repository.update("main", commit, commit)
    assert repository.head() == head
    repository.delete("topic")
    assert repository.head("topic") == ""
