"""Following a collection: list, watch, relist after 410 and back off, as one endless stream that never raises.

`Listed` distinguishes an empty collection from one that is still loading; every failure is an item of the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sgm_tui.errors import SgmError
from sgm_tui.live.connection import (
    BrokenError,
    BusyError,
    ClusterConnection,
    ExpiredError,
    Pace,
    SilentError,
    TooLargeError,
    decode,
    refusal,
)
from sgm_tui.live.wire import MALFORMED, Envelope, Event, RawList, Status, read_object
from sgm_tui.sources import Backoff, wait_or_wake
from sgm_tui.untrusted_text import clean

_PAGE = 500
_SMALLEST_PAGE = 8
"""Objects of a page, at least; no object is larger than 1.5 MB."""
_LONGEST_REQUESTED_PAUSE = 60.0
"""Seconds of a server's Retry-After that are honoured at most."""
_MOST_SILENT = 4
"""Watches in a row without a byte, after which a list shows whether nothing happened or nothing gets through."""
_SHORT_WATCH = 1.0
"""Seconds; a watch that ends sooner is not started again at once."""
_BATCH = 200
"""Objects decoded without a break: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The whole collection as it is now, its items still undecoded."""

    items: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object was added, modified or deleted."""

    type: str
    object: Any
    """The object as the `kind` of its collection, or an Unreadable."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The server confirmed that nothing has changed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A list or watch failed; the next attempt comes in `retry_in` seconds."""

    error: SgmError
    retry_in: float


Followed = Listed | Changed | Heartbeat | Failed


def _ignore() -> None:
    """Do nothing."""


def backoff_of(pace: Pace) -> Backoff:
    """Return the backoff of a cluster's requests, with the wide jitter that client-go uses for a watch."""
    return Backoff(pace.retry_first, pace.retry_most, jitter=(0.5, 1.0))


async def list_all(
    connection: ClusterConnection,
    path: str,
    selector: Mapping[str, str] | None = None,
    *,
    deadline: float | None = None,
    arrived: Callable[[], None] = _ignore,
) -> tuple[list[msgspec.Raw], str]:
    """Fetch every item of a collection page by page, and the revision of the list.

    Args:
        connection: to the cluster.
        path: of the collection.
        selector: query parameters, such as `labelSelector`.
        deadline: seconds for each page.
        arrived: called after each page but the last.
    """
    items: list[msgspec.Raw] = []
    limit = _PAGE
    params = {**(selector or {}), "limit": str(limit)}
    while True:
        try:
            data = await connection.get(path, params, deadline=deadline or connection.pace.list_page)
        except TooLargeError:
            if limit <= _SMALLEST_PAGE:
                raise
            limit = max(_SMALLEST_PAGE, limit // 4)
            params = {**params, "limit": str(limit)}
            continue
        page = decode(data, RawList, connection)
        items += page.items or []
        if not page.metadata.continue_:
            return items, page.metadata.resource_version
        params = {**params, "continue": page.metadata.continue_}
        arrived()


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of a cluster's API."""

    connection: ClusterConnection
    path: str
    kind: type[Any]
    """The type its objects are decoded as; it has `metadata`."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """`labelSelector`, where the server can leave out what sgm would discard."""
    arrived: Callable[[], None] = _ignore
    """Called after every page of its list but the last."""


async def follow(
    collection: Collection, backoff: Backoff | None = None, *, wake: asyncio.Event | None = None
) -> AsyncIterator[Followed]:
    """List and watch a collection until cancelled; failures are items of the stream, not exceptions.

    Args:
        collection: what to follow.
        backoff: the pauses after failures.
        wake: set it to end a pause early.
    """
    waits = backoff or backoff_of(collection.connection.pace)
    wake = wake or asyncio.Event()
    while True:
        try:
            items, version = await list_all(
                collection.connection, collection.path, collection.selector, arrived=collection.arrived
            )
            yield Listed(items)
            # Raw items hold their whole answer: kept for the life of the watch they would be a lot of memory.
            del items
            async with contextlib.aclosing(_watch(collection, version, waits)) as events:
                async for event in events:
                    yield event
        except ExpiredError:
            # The revision is too old: list anew, but never in a tight loop.
            await wait_or_wake(wake, waits.next())
        except SgmError as error:
            requested = error.retry_after if isinstance(error, BusyError) else 0.0
            pause = max(waits.next(), min(requested, _LONGEST_REQUESTED_PAUSE))
            yield Failed(error, pause)
            await wait_or_wake(wake, pause)


async def _watch(collection: Collection, version: str, waits: Backoff) -> AsyncGenerator[Changed | Heartbeat, None]:
    """Watch from a revision, again and again from where the last watch ended; return only by an exception.

    A connection that breaks after it delivered an event is opened again at once: routers and load balancers cut
    streams all the time, and that must not cost a new list of everything.
    """
    connection = collection.connection
    reader = _EventReader(collection)
    silent_watches = 0
    while True:
        params = {
            **collection.selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(connection.pace.watch),
        }
        has_delivered, start = False, waits.clock()
        try:
            async with contextlib.aclosing(connection.lines(collection.path, params)) as lines:
                async for line in lines:
                    event, version = reader.read(line, version)
                    has_delivered, silent_watches = True, 0
                    waits.reset()
                    yield event
        except SilentError:
            # Nothing happened, or the connection is half-open: reconnect. After _MOST_SILENT silent watches list
            # again; some proxies buffer streams and let plain responses through.
            silent_watches += 1
            if silent_watches >= _MOST_SILENT:
                raise ExpiredError(f"{connection.context} sent nothing in {silent_watches} watches") from None
            continue
        except BrokenError:
            if not has_delivered:
                raise
        if not has_delivered or waits.clock() - start < _SHORT_WATCH:
            # A watch that ends at once would be started again hundreds of times a second.
            await asyncio.sleep(waits.next())
        yield Heartbeat()


class _EventReader:
    """Decodes the lines of a watch, each once; only what is malformed, or an error, is read again."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        event: Any = Event
        self._decoder = msgspec.json.Decoder(event[collection.kind], strict=False)

    def read(self, line: bytes, version: str) -> tuple[Changed | Heartbeat, str]:
        """Return the event of a line, and the revision to continue from: its own, or `version` where it has none.

        Raises:
            SgmError: the line is not an event, or is the server's error.
        """
        try:
            event = self._decoder.decode(line)
        except MALFORMED:
            return self._read_malformed(line, version)
        if event.type == "ERROR":
            return self._read_malformed(line, version)
        version = event.object.metadata.resource_version or version
        return (Heartbeat() if event.type == "BOOKMARK" else Changed(event.type, event.object)), version

    def _read_malformed(self, line: bytes, version: str) -> tuple[Changed | Heartbeat, str]:
        connection = self._collection.connection
        event = decode(line, Event[msgspec.Raw], connection)
        if event.type == "ERROR":
            status = decode(event.object, Status, connection)
            raise refusal(status.code or 500, clean(status.message), self._collection.path, connection.context)
        version = decode(event.object, Envelope, connection).metadata.resource_version or version
        if event.type == "BOOKMARK":
            return Heartbeat(), version
        return Changed(event.type, read_object(event.object, self._collection.kind)), version


async def in_batches(items: Sequence[msgspec.Raw]) -> AsyncIterator[msgspec.Raw]:
    """Yield the items of a long list, and let the event loop run in between: thirty thousand take a second."""
    for number, raw in enumerate(items, 1):
        yield raw
        if number % _BATCH == 0:
            await asyncio.sleep(0)
