"""Following a collection of a scripted API server over real HTTP, one that does everything a server should not."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
from asyncio.base_subprocess import BaseSubprocessTransport
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sgm_tui.errors import RefusedError, SgmError, UnreachableError
from sgm_tui.live.connection import AbsentError, BusyError, ClusterConnection, ForbiddenError, Pace, probe
from sgm_tui.live.watch import Changed, Collection, Failed, Followed, Heartbeat, Listed, backoff_of, follow, list_all
from sgm_tui.live.wire import Metadata, Wire
from sgm_tui.sources import Backoff

PATH = "/apis/argoproj.io/v1alpha1/rollouts"
QUICK = Pace(connect=1.0, unary=0.5, list_page=0.5, idle=0.4, watch=30, retry_first=0.01, retry_most=0.05)
Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Lists what it holds in pages; its watches are scripts, one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.version = 1
        self.history: list[tuple[int, str, str, int]] = []
        self.lists: list[Script] = []
        self.watches: list[Script] = []
        self.requests: list[web.Request] = []

    def put(self, name: str, value: int) -> None:
        kind = "MODIFIED" if name in self.objects else "ADDED"
        self.version += 1
        self.objects[name] = value
        self.history.append((self.version, kind, name, value))

    def drop(self, name: str) -> None:
        self.version += 1
        self.history.append((self.version, "DELETED", name, self.objects.pop(name)))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        scripts = self.watches if request.query.get("watch") else self.lists
        script = (scripts.pop(0) if len(scripts) > 1 else scripts[0]) if scripts else None
        if script is not None:
            return await script(request)
        return await quiet(request) if request.query.get("watch") else self.list(request)

    def list(self, request: web.Request) -> web.Response:
        names = sorted(self.objects)
        begin = int(request.query.get("continue", 0))
        end = begin + 2
        metadata = {"resourceVersion": str(self.version), "continue": str(end) if end < len(names) else ""}
        items = [item(name, self.objects[name], self.version) for name in names[begin:end]]
        return web.json_response({"metadata": metadata, "items": items})

    async def news(self, request: web.Request) -> web.StreamResponse:
        """What happened since the revision asked for, then the end of the stream."""
        since = int(request.query["resourceVersion"])
        lines = [event(kind, name, value, version) for version, kind, name, value in self.history if version > since]
        return await stream(request, *lines)


def item(name: str, value: int, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}, "spec": {"replicas": value}}


def event(kind: str, name: str, value: int, version: int) -> bytes:
    return json.dumps({"type": kind, "object": item(name, value, version)}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}).encode() + b"\n"


def expired() -> bytes:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 5 (250)"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


async def opened(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


async def stream(request: web.Request, *lines: bytes) -> web.StreamResponse:
    response = await opened(request)
    for line in lines:
        await response.write(line)
    return response


def says(*lines: bytes) -> Script:
    return lambda request: stream(request, *lines)


def breaks_after(*lines: bytes) -> Script:
    """The connection is cut in the middle of a line."""

    async def script(request: web.Request) -> web.StreamResponse:
        response = await stream(request, *lines, b'{"type":"MODI')
        assert request.transport is not None
        request.transport.close()
        return response

    return script


def refuses(status: int, message: str = "") -> Script:
    async def script(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "message": message, "code": status}, status=status)

    return script


async def quiet(request: web.Request) -> web.StreamResponse:
    """Opens the stream and never says a word."""
    response = await opened(request)
    await asyncio.Event().wait()
    return response


async def trickle(request: web.Request) -> web.StreamResponse:
    """A byte now and then, never a whole answer."""
    response = await opened(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def connected(folder: Path, server: Server, pace: Pace = QUICK) -> AsyncIterator[ClusterConnection]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    connection = ClusterConnection("c", kubeconfig(folder, f"http://127.0.0.1:{runner.addresses[0][1]}"), pace)
    try:
        yield connection
    finally:
        await connection.close()
        await runner.cleanup()


def kubeconfig(folder: Path, url: str, user: dict[str, Any] | None = None) -> Path:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user or {"token": "an-open-secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(config))
    return path


class Counter(Wire, frozen=True):
    """An object of the collection that is followed here."""

    metadata: Metadata
    spec: dict[str, int]


def seeded(pace: Pace, chance: random.Random) -> Backoff:
    """Return the backoff of a watch whose jitter a test can repeat."""
    backoff = backoff_of(pace)
    backoff.chance = chance
    return backoff


async def until(connection: ClusterConnection, enough: Callable[[list[Followed]], bool]) -> list[Followed]:
    """What the stream brings until it is enough."""
    events: list[Followed] = []
    stream = follow(Collection(connection, PATH, Counter), seeded(connection.pace, random.Random(1)))
    async with asyncio.timeout(60):
        async for event in stream:
            events.append(event)
            if enough(events):
                break
    return events


def kinds(events: list[Followed]) -> list[str]:
    return [type(one).__name__ for one in events]


def first(kind: type[Any]) -> Callable[[list[Followed]], bool]:
    return lambda events: isinstance(events[-1], kind)


def error_of(events: list[Followed]) -> SgmError:
    assert isinstance(events[-1], Failed)
    return events[-1].error


async def test_a_long_list_comes_in_pages_and_the_watch_goes_on_from_its_revision(tmp_path: Path) -> None:
    server = Server()
    for number in range(5):
        server.put(f"r{number}", number)
    server.watches = [says(event("MODIFIED", "r1", 9, 50)), quiet]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Changed))
    assert isinstance(events[0], Listed)
    assert len(events[0].items) == 5
    assert [request.query.get("continue") for request in server.requests[:3]] == [None, "2", "4"]
    watch = server.requests[3].query
    assert (watch["resourceVersion"], watch["allowWatchBookmarks"]) == ("6", "true")
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer an-open-secret"}


async def test_a_watch_that_ends_goes_on_from_the_last_bookmark_without_a_new_list(tmp_path: Path) -> None:
    server = Server()
    server.watches = [says(bookmark(70)), says(event("ADDED", "a", 1, 80)), quiet]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Changed))
    assert "Failed" not in kinds(events)
    assert [request.query.get("resourceVersion") for request in server.requests] == [None, "1", "70"]


async def test_a_watch_that_breaks_after_it_brought_something_is_not_a_failure(tmp_path: Path) -> None:
    server = Server()
    server.watches = [breaks_after(event("ADDED", "a", 1, 80)), says(event("MODIFIED", "a", 2, 81)), quiet]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, lambda events: kinds(events).count("Changed") == 2)
    assert kinds(events).count("Listed") == 1
    assert "Failed" not in kinds(events)
    assert server.requests[2].query["resourceVersion"] == "80"


async def test_a_watch_that_breaks_before_a_word_is_a_failure(tmp_path: Path) -> None:
    server = Server()
    server.watches = [breaks_after()]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Failed))
    assert "connection broke" in error_of(events).message


@pytest.mark.parametrize("expiry", [says(expired()), refuses(410, "too old")], ids=["in the stream", "as a status"])
async def test_an_expired_revision_lists_anew_and_is_not_a_failure(tmp_path: Path, expiry: Script) -> None:
    server = Server()
    server.watches = [expiry, expiry, quiet]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, lambda events: kinds(events).count("Listed") == 3)
    assert kinds(events) == ["Listed"] * 3


async def test_a_quiet_watch_is_asked_anew_where_it_stood_and_is_not_a_failure(tmp_path: Path) -> None:
    server = Server()
    server.watches = [quiet, quiet, says(event("MODIFIED", "a", 2, 80)), quiet]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Changed))
    assert kinds(events) == ["Listed", "Changed"]
    assert [request.query.get("resourceVersion") for request in server.requests] == [None, "1", "1", "1"]


async def test_a_watch_whose_bytes_never_make_a_line_is_a_failure_within_its_idle_deadline(tmp_path: Path) -> None:
    server = Server()
    server.watches = [trickle]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Failed))
    assert kinds(events) == ["Listed", "Failed"]
    assert "did not answer within" in error_of(events).message


async def test_an_answer_that_trickles_is_given_up_at_its_total_deadline(tmp_path: Path) -> None:
    server = Server()
    server.lists = [trickle]
    async with connected(tmp_path, server) as connection:
        assert "did not answer within" in error_of(await until(connection, first(Failed))).message


@pytest.mark.parametrize(
    ("body", "content_type"),
    [("<html>sign in</html>", "text/html"), ('{"items": [', "application/json"), ("[" * 100_000, "application/json")],
    ids=["a captive portal", "half a document", "nested without end"],
)
async def test_a_list_that_is_none_is_a_bad_answer(tmp_path: Path, body: str, content_type: str) -> None:
    async def script(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type=content_type)

    server = Server()
    server.lists = [script]
    async with connected(tmp_path, server) as connection:
        assert "invalid answer" in error_of(await until(connection, first(Failed))).message


async def test_a_malformed_event_lists_anew_and_heals(tmp_path: Path) -> None:
    server = Server()
    server.watches = [says(b"{not json}\n"), says(event("ADDED", "a", 1, 80)), quiet]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Changed))
    assert kinds(events) == ["Listed", "Failed", "Listed", "Changed"]


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (401, RefusedError, "not signed in: no such token"),
        (403, ForbiddenError, "no access to rollouts: no such token"),
        (404, AbsentError, "has no rollouts"),
        (429, BusyError, "answered 429"),
        (503, UnreachableError, "answered 503"),
    ],
)
async def test_every_refusal_says_what_it_is(tmp_path: Path, status: int, kind: type[SgmError], expected: str) -> None:
    server = Server()
    server.lists = [refuses(status, "no such token")]
    async with connected(tmp_path, server) as connection:
        error = error_of(await until(connection, first(Failed)))
    assert type(error) is kind
    assert expected in error.message


@pytest.mark.parametrize(("method", "sent"), [("GET", 2), ("PATCH", 1)])
async def test_only_reads_are_sent_again_once_a_credential_has_run_out(tmp_path: Path, method: str, sent: int) -> None:
    paths: list[str] = []

    class Expired:
        async def answer(self, request: web.Request) -> web.StreamResponse:
            paths.append(request.method)
            return await refuses(401, "token has expired")(request)

    server: Any = Expired()
    async with connected(tmp_path, server) as connection:
        with pytest.raises(RefusedError, match="not signed in"):
            await (
                connection.get(PATH)
                if method == "GET"
                else connection.patch(PATH, {}, content_type="application/merge-patch+json")
            )
    assert paths == [method] * sent


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_asks_to_be_left_alone_is(tmp_path: Path, status: int) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "later"}, status=status, headers={"Retry-After": "7"})

    server = Server()
    server.lists = [busy]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Failed))
    assert isinstance(events[-1], Failed)
    assert events[-1].retry_in == 7.0


async def test_a_server_cannot_ask_to_be_left_alone_for_longer_than_a_minute(tmp_path: Path) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "later"}, status=429, headers={"Retry-After": "86400"})

    server = Server()
    server.lists = [busy]
    async with connected(tmp_path, server) as connection:
        events = await until(connection, first(Failed))
    assert isinstance(events[-1], Failed)
    assert events[-1].retry_in == 60.0


async def test_a_server_without_time_is_there(tmp_path: Path) -> None:
    server = Server()
    server.lists = [refuses(429, "too many requests")]
    async with connected(tmp_path, server) as connection:
        assert await probe(connection, PATH) is None
        server.lists = [refuses(503, "no backend")]
        assert await probe(connection, PATH) is not None


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sgm_tui.live.connection._LARGEST_ANSWER", 4000)
    server = Server()
    for number in range(3):
        server.put(f"r{number}", number)
    listed = server.list

    async def by_limit(request: web.Request) -> web.StreamResponse:
        if int(request.query["limit"]) > 100:
            return web.Response(text="x" * 5000)
        return listed(request)

    server.lists = [by_limit]
    async with connected(tmp_path, server) as connection:
        items, _ = await list_all(connection, PATH)
    assert len(items) == 3
    assert [request.query["limit"] for request in server.requests][:2] == ["500", "125"]


async def test_silence_that_lasts_is_checked_by_a_list(tmp_path: Path) -> None:
    server = Server()
    server.watches = [quiet]
    pace = replace(QUICK, idle=0.05)
    async with connected(tmp_path, server, pace) as connection:
        events = await until(connection, lambda events: kinds(events).count("Listed") == 2)
    assert kinds(events) == ["Listed", "Listed"]


async def test_what_a_server_says_reaches_no_terminal_as_it_is(tmp_path: Path) -> None:
    server = Server()
    server.lists = [refuses(403, "\x1b]52;c;aGk=\x07 forbidden")]
    async with connected(tmp_path, server) as connection:
        message = error_of(await until(connection, first(Failed))).message
    assert message.isprintable()


async def test_waits_grow_while_it_fails_and_start_over_after_a_while_without_trouble() -> None:
    now = [0.0]
    waits = Backoff(1.0, 8.0, jitter=(0.5, 1.0), chance=random.Random(1), clock=lambda: now[0])
    grown = [waits.next() for _ in range(6)]
    assert all(longest / 2 <= one <= longest for one, longest in zip(grown, (1, 2, 4, 8, 8, 8), strict=True))
    now[0] = 60.0
    assert waits.next() <= 1.0


async def test_lists_that_work_do_not_hide_that_every_watch_fails(tmp_path: Path) -> None:
    server = Server()
    server.watches = [refuses(503)]
    pace = Pace(retry_first=0.01, retry_most=0.2)
    async with connected(tmp_path, server, pace) as connection:
        events = await until(connection, lambda events: kinds(events).count("Failed") == 6)
    pauses = [one.retry_in for one in events if isinstance(one, Failed)]
    assert pauses[-1] > 4 * pauses[0]


async def test_after_two_hundred_disconnects_and_expiries_we_know_what_the_server_knows(tmp_path: Path) -> None:
    server, chance, replicas = Server(), random.Random(7), dict[str, int]()

    async def disturbed(request: web.Request) -> web.StreamResponse:
        for _ in range(chance.randint(0, 3)):
            name = f"r{chance.randint(0, 9)}"
            if name in server.objects and chance.random() < 0.3:
                server.drop(name)
            else:
                server.put(name, chance.randint(0, 99))
        match chance.randint(0, 3):
            case 0:
                return await stream(request, expired())
            case 1:
                return await refuses(410)(request)
            case 2:
                since = int(request.query["resourceVersion"])
                news = [event(what, name, value, at) for at, what, name, value in server.history if at > since]
                return await breaks_after(*news[: chance.randint(0, len(news))])(request)
            case _:
                return await server.news(request)

    server.watches = [*[disturbed] * 200, server.news, quiet]
    pace = Pace(idle=5.0, retry_first=0.001, retry_most=0.001)
    async with connected(tmp_path, server, pace) as connection, asyncio.timeout(60):
        async for one in follow(Collection(connection, PATH, Counter), seeded(pace, chance)):
            match one:
                case Listed(items):
                    replicas = {
                        raw["metadata"]["name"]: raw["spec"]["replicas"] for raw in map(json.loads, map(bytes, items))
                    }
                case Changed(what, changed):
                    replicas.pop(changed.metadata.name, None)
                    if what != "DELETED":
                        replicas[changed.metadata.name] = changed.spec["replicas"]
                case Heartbeat() | Failed():
                    pass
            if len(server.watches) == 1:
                break
    assert replicas == server.objects


async def test_cancelling_ends_a_silent_watch_at_once_and_closes_its_socket(tmp_path: Path) -> None:
    server = Server()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def watched(request: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            return await quiet(request)
        finally:
            ended.set()

    server.watches = [watched]
    async with connected(tmp_path, server, Pace()) as connection:
        task = asyncio.create_task(until(connection, first(Failed)))
        async with asyncio.timeout(60):
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await ended.wait()
    assert task.cancelled()


async def programs_ended() -> None:
    """Until what was started has ended and the loop knows, so that nothing is left to the next test."""
    started = [one for one in gc.get_objects() if isinstance(one, BaseSubprocessTransport)]
    async with asyncio.timeout(60):
        for one in started:
            await one._wait()
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("cat FIFO", "credential program did not answer"),
        ("echo garbage", "failed to decode"),
        ("printf 'no \\033[31mticket' >&2; exit 1", "process returned 1"),
    ],
    ids=["hangs", "prints garbage", "fails"],
)
async def test_a_credential_program_that_does_not_work_is_a_failure_with_its_reason(
    tmp_path: Path, program: str, expected: str
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = program.replace("FIFO", str(fifo))
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}
    file = kubeconfig(tmp_path, "http://127.0.0.1:1", {"exec": run})
    connection = ClusterConnection("c", file, Pace(sign_in=0.3 if "FIFO" in program else 10.0))
    message = error_of(await until(connection, first(Failed))).message
    await connection.close()
    if "FIFO" in program:
        await asyncio.to_thread(fifo.write_text, "")
        await programs_ended()
    assert expected in message
    assert message.isprintable()


@pytest.mark.parametrize("command", ["./bin/sign-in", "bin/sign-in", "../bin/sign-in"])
async def test_a_credential_program_with_a_relative_path_is_found_beside_its_kubeconfig(
    tmp_path: Path, command: str
) -> None:
    folder = tmp_path / "team"
    program = (folder / command).resolve()
    for directory in (folder, program.parent):
        directory.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\necho from its own folder >&2; exit 7\n")
    program.chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
    connection = ClusterConnection("c", kubeconfig(folder, "http://127.0.0.1:1", {"exec": run}))
    message = error_of(await until(connection, first(Failed))).message
    await connection.close()
    assert "process returned 7" in message
