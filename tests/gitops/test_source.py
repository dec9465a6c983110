"""The repository as a source: what moved is told, whoever brought it into the clone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from origin import DEV, FILES, STARTED, cell, config_of, origin_in, with_version

from sgm_tui.fleet.desired import DesiredState
from sgm_tui.fleet.updates import DesiredStateCached, DesiredStateRead, SourceAnswered, SourceUnreachable, SourceUpdate
from sgm_tui.gitops.repository import Repository
from sgm_tui.gitops.source import GitSource
from sgm_tui.gitops.tree import Tree


async def test_what_another_process_fetched_first_is_read_all_the_same(tmp_path: Path) -> None:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    here, other = (Repository(config.repository.url, "main", tmp_path / "state") for _ in range(2))
    source = GitSource(here, Tree(config), config)
    published: asyncio.Queue[SourceUpdate] = asyncio.Queue()
    following = asyncio.create_task(source.run(published.put_nowait))

    async def next_state() -> DesiredState:
        async with asyncio.timeout(60):
            while not isinstance(update := await published.get(), DesiredStateRead):
                assert isinstance(update, SourceAnswered)
            return update.state

    first = await next_state()
    newest = origin.commit("main", {DEV: with_version(FILES[DEV], "v9.0.0")}, "feat(cart): dev -> v9", at=STARTED)
    assert await other.fetch() == newest
    source.refresh()
    second = await next_state()
    assert first.revision != newest
    assert second.revision == newest
    assert second.cells[cell("cart", "dev", "eu1")].version == "v9.0.0"
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    origin.close()


async def test_it_is_said_when_the_repository_has_been_looked_for_found_or_not(tmp_path: Path) -> None:
    config = config_of(origin_in(tmp_path), tmp_path)
    gone = Repository((tmp_path / "gone.git").as_uri(), "main", tmp_path / "state")
    source = GitSource(gone, Tree(config), config)
    published: list[SourceUpdate] = []
    following = asyncio.create_task(source.run(published.append))
    async with asyncio.timeout(60):
        await source.first_attempt.wait()
    assert [type(one) for one in published] == [SourceUnreachable]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_server_that_does_not_answer_leaves_what_was_fetched_before(tmp_path: Path) -> None:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    head = await Repository(config.repository.url, "main", tmp_path / "state").fetch()
    place = Path(config.repository.url.removeprefix("file://"))
    await asyncio.to_thread(place.rename, place.with_name("moved-away"))
    source = GitSource(Repository(config.repository.url, "main", tmp_path / "state"), Tree(config), config)
    published: list[SourceUpdate] = []
    following = asyncio.create_task(source.run(published.append))
    async with asyncio.timeout(60):
        await source.first_attempt.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert [type(one) for one in published] == [DesiredStateCached, SourceUnreachable]
    remembered = published[0]
    assert isinstance(remembered, DesiredStateCached)
    assert remembered.state.revision == head
    assert remembered.state.fetched_at is not None
    assert remembered.state.cells


async def test_the_versions_git_ever_wanted_are_read_once_something_new_is_wanted(tmp_path: Path) -> None:
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    source = GitSource(Repository(config.repository.url, "main", tmp_path / "state"), Tree(config), config)
    for version in ("v8.0.0", "v8.1.0", "v9.0.0"):
        origin.commit("main", {DEV: with_version(FILES[DEV], version)}, f"feat(cart): dev -> {version}", at=STARTED)
    published: asyncio.Queue[SourceUpdate] = asyncio.Queue()
    following = asyncio.create_task(source.run(published.put_nowait))
    async with asyncio.timeout(20):
        while not (isinstance(update := await published.get(), DesiredStateRead) and update.state.releases):
            source.refresh()
            assert isinstance(update, DesiredStateRead | SourceAnswered)
    assert {"v8.0.0", "v8.1.0", "v9.0.0"} <= update.state.releases["cart"]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    origin.close()
