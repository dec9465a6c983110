"""The past of a cell from real git: which version when, by whom, what is known against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from origin import FILES, PROD, STAGING, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.fleet.model import ServiceName
from sgm_tui.gitops.history import History
from sgm_tui.gitops.repository import Repository
from sgm_tui.sandbox.git.repository import Repository as Origin

WHERE = cell("cart", "prod", "eu1")


@dataclass
class Lab:
    """One origin whose prod cell is moved from version to version."""

    origin: Origin
    clone: Repository
    history: History
    hours: int = 0

    async def move(self, version: str, subject: str, path: str = PROD) -> str:
        """Commit a version; the commit."""
        self.hours += 1
        at = STARTED + timedelta(hours=self.hours)
        commit = self.origin.commit("main", {path: with_version(FILES[path], version)}, subject, at=at)
        await self.clone.fetch()
        return commit


@pytest.fixture
async def lab(tmp_path: Path) -> Iterator[Lab]:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    clone = Repository(config.repository.url, "main", tmp_path / "state")
    await clone.fetch()
    yield Lab(origin, clone, History(config, clone))
    origin.close()


async def test_every_version_of_a_cell_newest_first_with_when_and_how_long(lab: Lab) -> None:
    first = await lab.move("v9.1.0", "feat(cart): prod-eu1 -> v9.1.0 (#71)")
    second = await lab.move("v9.2.0", "feat(cart): prod-eu1 -> v9.2.0 (#72)")
    newest, before = lab.history.past_versions(WHERE)[:2]
    assert (newest.version, newest.revision, newest.until, newest.number) == ("v9.2.0", second, None, 72)
    assert (before.version, before.revision, before.until) == ("v9.1.0", first, newest.at)
    assert before.seconds_desired(newest.at) == 3600
    assert newest.parent == first


async def test_a_commit_that_leaves_the_version_alone_is_no_entry(lab: Lab) -> None:
    await lab.move("v9.1.0", "feat(cart): prod-eu1 -> v9.1.0")
    count = len(lab.history.past_versions(WHERE))
    data = with_version(FILES[PROD], "v9.1.0") + b"# more\n"
    lab.origin.commit("main", {PROD: data}, "chore: a comment", at=STARTED + timedelta(days=1))
    await lab.clone.fetch()
    assert len(lab.history.past_versions(WHERE)) == count


async def test_what_a_revert_took_away_is_known_bad_and_what_it_brought_back_is_not(lab: Lab) -> None:
    await lab.move("v9.1.0", "feat(cart): prod-eu1 -> v9.1.0")
    await lab.move("v9.2.0", "feat(cart): prod-eu1 -> v9.2.0")
    await lab.move("v9.1.0", "revert(cart): prod-eu1 -> v9.1.0")
    newest, bad, good = lab.history.past_versions(WHERE)[:3]
    assert (newest.kind, newest.known_bad, good.known_bad) == ("revert", "", "")
    assert bad.known_bad.startswith("reverted by")


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ('Revert "feat(cart): prod-eu1 -> v9.2.0"', "revert"),
        ('Revert "Revert "feat(cart): prod-eu1 -> v9.2.0""', "promotion"),
        ('Revert "revert(cart): prod-eu1 -> v9.2.0"', "promotion"),
        ("feat(cart): prod-eu1 -> v9.2.0", "promotion"),
        ("chore: bump", "edit"),
    ],
)
async def test_reverting_a_revert_tells_against_nothing(lab: Lab, subject: str, kind: str) -> None:
    await lab.move("v9.1.0", "feat(cart): prod-eu1 -> v9.1.0")
    await lab.move("v9.3.0", subject)
    newest, before = lab.history.past_versions(WHERE)[:2]
    assert newest.kind == kind
    assert bool(before.known_bad) == (kind == "revert")


async def test_what_a_cell_wanted_at_any_commit_of_the_branch(lab: Lab) -> None:
    expected = await lab.move("v9.1.0", "feat(cart): prod-eu1 -> v9.1.0")
    beside = await lab.move("v9.5.0", "feat(cart): staging -> v9.5.0", STAGING)
    await lab.move("v9.2.0", "feat(cart): prod-eu1 -> v9.2.0")
    past = lab.history.find_past_version(WHERE, beside[:10])
    assert past is not None
    assert (past.version, past.revision) == ("v9.1.0", expected)
    assert lab.history.find_past_version(WHERE, "0" * 40) is None
    assert lab.history.find_past_version(WHERE, "") is None


async def test_every_version_of_a_service_in_any_stage_is_known(lab: Lab) -> None:
    await lab.move("v9.5.0", "feat(cart): staging -> v9.5.0", STAGING)
    versions = lab.history.versions_of(ServiceName("cart"))
    assert versions[0] == "v9.5.0"
    assert len(versions) == len(set(versions)) > 1


async def test_a_mark_in_the_message_of_a_merged_branch_holds_a_version_for_everybody(lab: Lab) -> None:
    cart = ServiceName("cart")
    base = await lab.move("v9.2.0", "feat(cart): prod-eu1 -> v9.2.0")
    assert lab.history.known_bad(cart) == {}
    message = (
        "revert(cart): prod-eu1 -> v9.1.0\n\nSgm-Change-Id: 1\nSgm-Known-Bad: cart v9.2.0 incident 4711: \x1b[31mred\n"
    )
    at = STARTED + timedelta(days=1)
    branch = lab.origin.commit("sgm/back", {PROD: with_version(FILES[PROD], "v9.1.0")}, message, at=at, author="Mia")
    assert lab.origin.head("main") == base
    await lab.clone.fetch()
    assert lab.history.known_bad(cart) == {}, "what is only proposed is no mark"
    lab.origin.merge("main", branch, "Merge pull request #9 from acme/sgm/back", at=at)
    await lab.clone.fetch()
    assert lab.history.known_bad(cart) == {"v9.2.0": f"known bad: incident 4711: ␛[31mred (Mia, {branch[:8]})"}
    assert lab.history.known_bad(ServiceName("catalog")) == {}


async def test_a_later_commit_lets_a_marked_version_go(lab: Lab) -> None:
    cart = ServiceName("cart")
    await lab.move("v9.1.0", "revert(cart): prod-eu1 -> v9.1.0\n\nSgm-Known-Bad: cart v9.2.0\n")
    assert "no reason was given" in lab.history.known_bad(cart)["v9.2.0"]
    await lab.move("v9.1.1", "chore(cart): it was the database\n\nSgm-Let-Go: cart v9.2.0\n")
    assert lab.history.known_bad(cart) == {}


@pytest.mark.parametrize(
    ("author", "trailer", "says"),
    [
        ("sgm", "Sgm-By: ana", "reverted by ana"),
        ("Jonas", "", "reverted by Jonas"),
        ("sgm", "", "reverted by Merger"),
        ("sgm", "Sgm-By: \x1b[31m\x1e\x1fana", "reverted by ␛[31m"),
    ],
)
async def test_who_is_behind_a_revert_is_said_and_not_who_merged_it(
    lab: Lab, author: str, trailer: str, says: str
) -> None:
    await lab.move("v9.1.0", "feat(cart): prod-eu1 -> v9.1.0")
    await lab.move("v9.2.0", "feat(cart): prod-eu1 -> v9.2.0")
    at = STARTED + timedelta(days=1)
    message = f"revert(cart): prod-eu1 -> v9.1.0\n\nSgm-Change-Id: 1\n{trailer}\n"
    writes = {PROD: with_version(FILES[PROD], "v9.1.0")}
    branch = lab.origin.commit("sgm/back", writes, message, at=at, author=author)
    merged = "Merge pull request #9 from acme/sgm/back\n\nrevert(cart): prod-eu1 -> v9.1.0"
    lab.origin.merge("main", branch, merged, at=at, author="Merger")
    await lab.clone.fetch()
    bad = lab.history.past_versions(WHERE)[1]
    assert bad.version == "v9.2.0"
    assert bad.known_bad.startswith(says)
