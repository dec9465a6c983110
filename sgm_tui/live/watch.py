"""Following a collection for ever: list → watch → 410 → back-off as one endless stream that never raises.

A UI can tell *empty* from *loading* by `Listed`, and learns of every trouble as data.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
from sgm_tui.live.wire import Envelope, Metadata, RawEvent, RawList, Status
from sgm_tui.untrusted_text import clean

_PAGE = 500
_FEWEST = 8
"""Objects a page is asked for at least; no object is larger than 1.5 MB."""
_MOST_ASKED = 60.0
"""Seconds a server may ask to be left alone."""
_MOST_SILENT = 4
"""Watches without a byte, one after the other, before a list tells whether nothing happened or nothing gets through."""
_SHORT = 1.0
"""Seconds; a watch that ends sooner is not worth asking again at once."""
_BATCH = 200
"""Objects decoded at a stretch: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything there is now, still raw."""

    items: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object came, changed or went."""

    type: str
    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing new, and the server said so."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """It does not work; the next try comes in `retry_in` seconds."""

    error: SgmError
    retry_in: float


Followed = Listed | Changed | Beat | Trouble


@dataclass(slots=True)
class Backoff:
    """Growing, jittered waits; a success starts over, and so does a while without trouble."""

    pace: Pace
    chance: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    forgiven_at: float = 0.0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        now = self.clock()
        if now > self.forgiven_at:
            self.failures = 0
        self.forgiven_at = now + 3 * self.pace.retry_most
        self.failures += 1
        longest = min(self.pace.retry_most, self.pace.retry_first * 2 ** (self.failures - 1))
        return self.chance.uniform(longest / 2, longest)

    def reset(self) -> None:
        """It works again."""
        self.failures = 0


def _ignore() -> None:
    """Do nothing."""


async def list_all(
    connection: ClusterConnection,
    path: str,
    selector: Mapping[str, str] | None = None,
    *,
    deadline: float | None = None,
    arrived: Callable[[], None] = _ignore,
) -> tuple[list[msgspec.Raw], str]:
    """Every item of a collection, page by page (each within `deadline` seconds), and the revision of the list.

    `arrived` is called after each page but the last.
    """
    items: list[msgspec.Raw] = []
    limit = _PAGE
    params = {**(selector or {}), "limit": str(limit)}
    while True:
        try:
            data = await connection.get(path, params, deadline=deadline or connection.pace.list_page)
        except TooLargeError:
            if limit <= _FEWEST:
                raise
            limit = max(_FEWEST, limit // 4)
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
    """What is followed, and by which cluster's API."""

    connection: ClusterConnection
    path: str
    selector: Mapping[str, str] = field(default_factory=dict)
    """`labelSelector`, where the server can leave out what we would throw away."""
    arrived: Callable[[], None] = _ignore
    """Called for every page of its list but the last."""


async def follow(
    collection: Collection, backoff: Backoff | None = None, *, wake: asyncio.Event | None = None
) -> AsyncIterator[Followed]:
    """List and watch a collection for ever; troubles are items of the stream, not exceptions.

    Args:
        collection: what to follow.
        backoff: how troubles are paced.
        wake: set it to end a back-off early.
    """
    waits = backoff or Backoff(collection.connection.pace)
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
            await _wait(waits.next(), wake)
        except SgmError as error:
            pause = max(waits.next(), min(error.retry_after, _MOST_ASKED) if isinstance(error, BusyError) else 0.0)
            yield Trouble(error, pause)
            await _wait(pause, wake)


async def _wait(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    wake.clear()


async def _watch(collection: Collection, version: str, waits: Backoff) -> AsyncGenerator[Changed | Beat, None]:
    """Watches one after the other, each going on where the last one ended; returns only by an exception.

    A connection that breaks after it brought something is taken up again at once: routers and load balancers cut
    streams all the time, and a new list of everything is what they must not cost.
    """
    connection = collection.connection
    silent = 0
    while True:
        params = {
            **collection.selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(connection.pace.watch),
        }
        seen, began = False, waits.clock()
        try:
            async with contextlib.aclosing(connection.lines(collection.path, params)) as lines:
                async for line in lines:
                    event, version = _event(line, version, collection)
                    seen, silent = True, 0
                    waits.reset()
                    yield event
        except SilentError:
            # Quiet, or cut off unnoticed: a new connection tells, and whether the server is there its beat does. What
            # holds back streams and lets answers through (some proxies do) only a list tells.
            silent += 1
            if silent >= _MOST_SILENT:
                raise ExpiredError(f"{connection.context} sent nothing in {silent} watches") from None
            continue
        except BrokenError:
            if not seen:
                raise
        if not seen or waits.clock() - began < _SHORT:
            # A watch that ends at once would be asked again hundreds of times a second.
            await asyncio.sleep(waits.next())
        yield Beat()


def _event(line: bytes, version: str, collection: Collection) -> tuple[Changed | Beat, str]:
    """What a line says, and the revision it brings us to."""
    connection = collection.connection
    event = decode(line, RawEvent, connection)
    if event.type == "ERROR":
        status = decode(event.object, Status, connection)
        raise refusal(status.code or 500, clean(status.message), collection.path, connection.context)
    envelope = decode(event.object, Envelope, connection)
    version = envelope.metadata.resource_version or version
    return (Beat() if event.type == "BOOKMARK" else Changed(event.type, event.object)), version


async def unhurried(items: Sequence[msgspec.Raw]) -> AsyncIterator[msgspec.Raw]:
    """The items of a long list, letting keys and frames through between them: thirty thousand take a second."""
    for number, raw in enumerate(items, 1):
        yield raw
        if number % _BATCH == 0:
            await asyncio.sleep(0)


def unreadable(raw: msgspec.Raw) -> Metadata | None:
    """Whose object it is that cannot be read, so that its cell can say so; None when not even that can be."""
    try:
        return msgspec.json.decode(raw, type=Envelope, strict=False).metadata
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
