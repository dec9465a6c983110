"""Watches deliver every change once, to whoever may see it, and say so when they cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from kube_server import Served, new_store, rollout, served

from sgm_tui.sandbox.kubernetes import watch as kube_watch
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.revisions import KubeObject

ROLLOUTS = "/probe/apis/argoproj.io/v1alpha1/namespaces/probe/rollouts"


class Lines:
    """The lines of an open watch."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> Any:
        async with asyncio.timeout(60):
            line = await self._answer.content.readline()
        return json.loads(line) if line else None

    async def names(self, count: int) -> list[str]:
        lines = [await self.next() for _ in range(count)]
        return [f"{line['type']} {line['object']['metadata'].get('name', '')}".strip() for line in lines]


@asynccontextmanager
async def watching(server: Served, path: str = ROLLOUTS, accept: str = "", **query: str) -> AsyncIterator[Lines]:
    headers = {"Accept": accept} if accept else {}
    async with server.http.get(server.plain + path, params={"watch": "1", **query}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield Lines(answer)


def relabel(store: ObjectStore, name: str, **labels: str) -> None:
    obj = store.get("Rollout", "probe", name)
    assert obj is not None
    store.write("Rollout", {**obj, "metadata": {**obj["metadata"], "labels": labels}})


def scaled(store: ObjectStore, name: str, replicas: int) -> KubeObject:
    obj = store.get("Rollout", "probe", name)
    assert obj is not None
    return store.write("Rollout", {**obj, "spec": {"replicas": replicas}})


async def test_a_watch_resumes_after_the_revision_it_names() -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    seen = str(store.revision)
    store.create("Rollout", rollout("b"))
    async with served(probe=store) as server, watching(server, resourceVersion=seen) as lines:
        assert await lines.names(1) == ["ADDED b"]
        scaled(store, "a", 5)
        store.delete("Rollout", "probe", "b")
        assert await lines.names(2) == ["MODIFIED a", "DELETED b"]


async def test_a_watch_of_one_namespace_hears_nothing_of_others() -> None:
    store = new_store("probe", "other")
    async with served(probe=store) as server, watching(server) as lines:
        store.create("Rollout", rollout("elsewhere", "other"))
        store.create("Rollout", rollout("here"))
        assert await lines.names(1) == ["ADDED here"]


async def test_an_object_that_stops_matching_a_selector_is_deleted_for_that_watch() -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    async with served(probe=store) as server, watching(server, labelSelector="app=a") as lines:
        assert await lines.names(1) == ["ADDED a"]
        relabel(store, "a", app="z")
        gone = await lines.next()
        assert gone["type"] == "DELETED"
        assert gone["object"]["metadata"]["labels"] == {"app": "a"}
        assert gone["object"]["metadata"]["resourceVersion"] == str(store.revision)
        scaled(store, "a", 7)
        relabel(store, "a", app="a")
        assert await lines.names(1) == ["ADDED a"]


async def test_the_replay_ends_with_an_annotated_bookmark_and_goes_on_live() -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with served(probe=store) as server, watching(server, **asked) as lines:
        assert await lines.names(1) == ["ADDED a"]
        mark = await lines.next()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        store.create("Rollout", rollout("b"))
        assert await lines.names(1) == ["ADDED b"]


async def test_bookmarks_move_on_though_nothing_of_the_kind_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_watch, "BOOKMARK_SECONDS", 0.05)
    store = new_store("probe")
    asked = {"allowWatchBookmarks": "true", "resourceVersion": str(store.revision)}
    async with served(probe=store) as server, watching(server, **asked) as lines:
        await lines.next()
        store.create("ConfigMap", {"metadata": {"name": "c", "namespace": "probe"}})
        newest = str(store.revision)
        while (mark := await lines.next())["object"]["metadata"]["resourceVersion"] != newest:
            assert mark["type"] == "BOOKMARK"


async def test_a_watch_whose_time_is_over_ends_with_a_bookmark() -> None:
    store = new_store("probe")
    asked = {"allowWatchBookmarks": "true", "resourceVersion": str(store.revision), "timeoutSeconds": "1"}
    async with served(probe=store) as server, watching(server, **asked) as lines:
        mark = await lines.next()
        assert mark["object"] == {
            "kind": "Rollout",
            "apiVersion": "argoproj.io/v1alpha1",
            "metadata": {"resourceVersion": str(store.revision)},
        }
        assert await lines.next() is None


async def test_a_forgotten_revision_is_one_error_line_and_the_end() -> None:
    store = new_store("probe")
    old = str(store.revision)
    store.create("Rollout", rollout("a"))
    store.compact()
    async with served(probe=store) as server, watching(server, resourceVersion=old) as lines:
        error = await lines.next()
        assert error["type"] == "ERROR"
        assert (error["object"]["code"], error["object"]["reason"]) == (410, "Expired")
        assert await lines.next() is None


async def test_a_revision_of_the_future_has_expired_too_so_that_a_restart_heals() -> None:
    store = new_store("probe")
    async with served(probe=store) as server, watching(server, resourceVersion=str(store.revision + 9)) as lines:
        assert (await lines.next())["object"]["reason"] == "Expired"


async def test_a_table_watch_declares_its_columns_once_and_errors_are_no_tables() -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    async with served(probe=store) as server, watching(server, accept=accept, includeObject="None") as lines:
        first = await lines.next()
        assert first["object"]["columnDefinitions"][1]["name"] == "Desired"
        scaled(store, "a", 4)
        second = await lines.next()
        assert second["object"]["columnDefinitions"] is None
        assert second["object"]["rows"][0]["cells"][:2] == ["a", 4]
        server.faults["probe"].expire_watches()
        assert (await lines.next())["object"]["kind"] == "Status"


async def test_watches_can_be_dropped_as_by_a_restart() -> None:
    async with served(probe=new_store("probe")) as server, watching(server) as lines:
        server.faults["probe"].drop_watches()
        assert await lines.next() is None


async def test_an_unreachable_cluster_is_silent_and_catches_up_when_it_is_back() -> None:
    store = new_store("probe")
    async with served(probe=store) as server, watching(server) as lines:
        server.faults["probe"].hang = True
        store.create("Rollout", rollout("a"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await lines.next()
        with pytest.raises(TimeoutError):
            await server.http.get(f"{server.plain}/probe/version", timeout=aiohttp.ClientTimeout(0.2))
        server.faults["probe"].hang = False
        assert await lines.names(1) == ["ADDED a"]


@pytest.mark.parametrize(
    "query",
    [
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"},
    ],
)
async def test_options_that_contradict_each_other_are_refused_before_the_stream(query: dict[str, str]) -> None:
    async with (
        served(probe=new_store("probe")) as server,
        server.http.get(server.plain + ROLLOUTS, params={"watch": "true", **query}) as answer,
    ):
        assert answer.status == 422
        assert (await answer.json())["reason"] == "Invalid"


async def test_twenty_watches_see_every_one_of_two_thousand_changes_in_order() -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    start = str(store.revision)

    async def last_replicas(server: Served) -> list[int]:
        seen = []
        async with watching(server, resourceVersion=start) as lines:
            while len(seen) < 2000:
                seen.append((await lines.next())["object"]["spec"]["replicas"])
        return seen

    async with served(probe=store) as server:
        watches = [asyncio.create_task(last_replicas(server)) for _ in range(20)]
        for replicas in range(3, 2003):
            scaled(store, "a", replicas)
            if replicas % 100 == 0:
                await asyncio.sleep(0)
        assert await asyncio.gather(*watches) == [list(range(3, 2003))] * 20
