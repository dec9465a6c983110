"""What a real kube-apiserver was recorded saying, our server says too: same codes, reasons, messages and bodies."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kube_server import TOKEN, Served, new_store, served

RECORDED = Path(__file__).parents[2] / "data" / "kubernetes"

Exchange = dict[str, Any]


def recorded(name: str) -> list[Exchange]:
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()]


class Replay:
    """Sends recorded requests, with the uids and tokens of this run in place of those of the recorded one."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._ours: dict[str, str] = {}

    def translate(self, text: str) -> str:
        for theirs, ours in self._ours.items():
            text = text.replace(theirs, ours)
        return text

    async def send(self, exchange: Exchange, **query: str) -> tuple[int, dict[str, str], Any]:
        request = exchange["request"]
        headers = dict(request["headers"])
        token = {"anonymous": None, "an unknown token": "nobody"}.get(request.get("as", ""), TOKEN)
        if token != TOKEN:
            headers["Authorization"] = f"Bearer {token}" if token else ""
        body = self.translate(json.dumps(request["body"])) if "body" in request else None
        path = self.translate(request["path"])
        for name, value in query.items():
            path = re.sub(rf"{name}=\d+", f"{name}={value}", path)
        url = f"{self._server.plain}/probe{path}"
        async with self._server.http.request(request["method"], url, headers=headers, data=body) as answer:
            text = await answer.text()
            found = dict(answer.headers)
        lines = "watch=1" in path and answer.status == 200
        if lines:
            return answer.status, found, [json.loads(line) for line in text.splitlines()]
        return answer.status, found, json.loads(text) if found["Content-Type"] != "text/plain; charset=utf-8" else text

    def learn(self, theirs: Any, ours: Any) -> None:
        """Remember which uid and continue token of ours stands for which of theirs."""
        if not isinstance(theirs, dict) or not isinstance(ours, dict):
            return
        for key in ("uid", "continue"):
            there, here = (side.get("metadata", {}).get(key) for side in (theirs, ours))
            if there and here:
                self._ours[there] = here

    async def differences(self, exchange: Exchange, **query: str) -> dict[str, tuple[Any, Any]]:
        """What ours answers otherwise than the recording: each part with ours and theirs."""
        expected = exchange["response"]
        status, headers, body = await self.send(exchange, **query)
        self.learn(expected["body"], body)
        wanted = expected["body"]
        if isinstance(wanted, list):
            wanted = [line for line in wanted if line != "<EOF>"]
        where = f"{exchange['request']['method']} {exchange['request']['path']}"
        parts = {
            "status": (status, expected["status"]),
            "type": (headers["Content-Type"], expected["headers"]["Content-Type"]),
            "body": (comparable(body), comparable(json.loads(self.translate(json.dumps(wanted))))),
        }
        return {f"{where} {name}": pair for name, pair in parts.items() if pair[0] != pair[1]}


def comparable(value: Any, key: str = "") -> Any:
    """Without what differs from run to run: times, ages, absolute revisions, the fields only 1.37's build knows."""
    if isinstance(value, dict):
        if key in ("metadata", "object") or "kind" in value:
            value = {k: v for k, v in value.items() if k not in ("creationTimestamp", "resourceVersion")}
        return {k: comparable(v, k) for k, v in value.items() if k != "storageVersionHash"}
    if isinstance(value, list):
        return [comparable(item, key) for item in value]
    if key == "continue" and value:
        inside = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        return inside["start"]
    if key == "cells" and isinstance(value, str) and re.fullmatch(r"\d+[smh]", value):
        return "an age"
    if key == "message" and isinstance(value, str):
        value = re.sub(r"too old resource version: \d+ \(\d+\)", "too old resource version", value)
        return re.sub(r"(continue key is not valid).*", r"\1", value)
    if key == "uid":
        return "a uid" if isinstance(value, str) and len(value) == 36 else value
    return value


def revisions(bodies: list[Any]) -> Iterator[int]:
    for body in bodies:
        if body.get("kind") in ("Rollout", "Application"):
            yield int(body["metadata"].get("resourceVersion", 0))


async def test_creates_lists_and_patches_answer_as_recorded() -> None:
    async with served(probe=new_store("probe")) as server:
        replay = Replay(server)
        for name in (
            "create", "list-paged", "table-and-partial", "rollout-patch-rules", "application-patch-rules",
            "json-patch", "conflicts", "auth",
        ):  # fmt: skip
            for exchange in recorded(name):
                assert await replay.differences(exchange) == {}


async def test_writes_raise_revisions_and_generations_exactly_as_recorded() -> None:
    store = new_store("probe")
    async with served(probe=store) as server:
        replay = Replay(server)
        theirs, ours = [], []
        for name in ("create", "rollout-patch-rules", "application-patch-rules"):
            for exchange in recorded(name):
                _, _, body = await replay.send(exchange)
                replay.learn(exchange["response"]["body"], body)
                theirs.append(exchange["response"]["body"])
                ours.append(body)
    moved = [[number - list_[0] for number in list_ if number] for list_ in ([*revisions(theirs)], [*revisions(ours)])]
    assert moved[0] == moved[1]


async def test_watches_deletes_and_expiry_answer_as_recorded() -> None:
    store = new_store("probe")
    async with served(probe=store) as server:
        replay = Replay(server)
        start = 0
        for name in ("create", "rollout-patch-rules", "application-patch-rules", "json-patch"):
            for exchange in recorded(name):
                _, _, body = await replay.send(exchange)
                replay.learn(exchange["response"]["body"], body)
            start = start or store.revision
        b = store.get("Rollout", "probe", "b")
        assert b is not None
        store.write("Rollout", {**b, "spec": {**b["spec"], "replicas": 7}})
        g = {"metadata": {**b["metadata"], "name": "g", "labels": {"app": "g"}}, "spec": created_spec("c", "g")}
        store.delete("Rollout", "probe", "c")
        store.create("Rollout", g)
        since = {"resourceVersion": str(start), "timeoutSeconds": "1"}
        watches = recorded("watch")
        answers = await asyncio.gather(*(replay.differences(exchange, **since) for exchange in watches))
        assert answers == [{}] * len(watches)
        for exchange in recorded("delete"):
            assert await replay.differences(exchange) == {}
        assert await replay.differences(recorded("expired")[0]) == {}
        assert await replay.differences(recorded("expired")[2]) == {}


def created_spec(template: str, name: str) -> Any:
    created = next(
        e["request"]["body"] for e in recorded("create") if e["request"]["body"]["metadata"]["name"] == template
    )
    return json.loads(json.dumps(created["spec"]).replace(f'"{template}"', f'"{name}"'))


async def test_a_table_without_objects_is_as_recorded() -> None:
    store = new_store("probe")
    destination = {"name": "prod-eu1", "namespace": "a"}
    status = {"sync": {"status": "OutOfSync", "revision": "abc"}, "health": {"status": "Healthy"}}
    spec = {"project": "default", "destination": destination}
    store.create("Application", {"metadata": {"name": "one", "namespace": "probe"}, "spec": spec, "status": status})
    for name, replicas in (("a", 4), ("g", 2)):
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
        metadata = {"name": name, "namespace": "probe", "creationTimestamp": "2026-11-23T07:12:00Z"}
        store.create("Rollout", {"metadata": metadata, "spec": {"replicas": replicas}, "status": counts})
    async with served(probe=store) as server:
        replay = Replay(server)
        for exchange in recorded("table-without-objects"):
            if "namespaces" in exchange["request"]["path"] and "watch" not in exchange["request"]["path"]:
                assert await replay.differences(exchange) == {}


async def test_a_page_belongs_to_the_moment_of_the_first_page() -> None:
    store = new_store("probe")
    async with served(probe=store) as server:
        replay = Replay(server)
        for exchange in [*recorded("create"), recorded("list-paged")[0]]:
            _, _, body = await replay.send(exchange)
            replay.learn(exchange["response"]["body"], body)
        store.delete("Rollout", "probe", "c")
        store.create("Rollout", {"metadata": {"name": "x", "namespace": "probe"}, "spec": {}})
        assert await replay.differences(recorded("expired")[1]) == {}


async def test_discovery_of_argoproj_is_the_recorded_one() -> None:
    async with served(probe=new_store("probe")) as server:
        for exchange in recorded("discovery"):
            status, headers, body = await Replay(server).send(exchange)
            expected = exchange["response"]
            assert status == expected["status"]
            assert headers["Content-Type"] == expected["headers"]["Content-Type"]
            if status == 404:
                assert body == expected["body"]
            elif "items" in body:
                assert flat([i for i in body["items"] if i["metadata"].get("name") == "argoproj.io"]) == flat(
                    expected["body"]["items"]
                )
            else:
                assert flat(body) == flat(expected["body"])


def flat(value: Any) -> Any:
    """Without regard to the order of lists, which is the order of a Go map in some of them."""
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items() if key != "storageVersionHash"}
    if isinstance(value, list):
        return sorted((flat(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value
