"""Watches: the changes of a kind as a stream of lines, resumable from any revision that has not expired."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.kubernetes.lists import flag, forbidden_option, integer
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.paths import Target
from sgm_tui.sandbox.kubernetes.representation import Form, Representation, encode
from sgm_tui.sandbox.kubernetes.revisions import Change, Version
from sgm_tui.sandbox.kubernetes.selectors import Selection, selection
from sgm_tui.sandbox.kubernetes.status import ApiError, expired

_LONGEST_SECONDS = 1800
"""The duration of a watch that sets none; the real server picks between 30 and 60 minutes."""

BOOKMARK_SECONDS = 10.0
"""Seconds between bookmarks; the real server's minute would only make tests slow."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """The options in the query of a watch."""

    start: int
    """The revision after which changes are sent."""
    initial: bool
    """Whether all current objects are sent first, as ADDED."""
    mark_initial_end: bool
    bookmarks: bool
    seconds: float

    @classmethod
    def read(cls, query: Mapping[str, str]) -> WatchOptions:
        """Read and check the query.

        Raises:
            ApiError: 422 for options that contradict each other, 400 for a resourceVersion that is no number.
        """
        send_initial = flag(query, "sendInitialEvents")
        match = query.get("resourceVersionMatch", "")
        if send_initial is not None and match != "NotOlderThan":
            message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise forbidden_option("resourceVersionMatch", message)
        if match and send_initial is None:
            message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise forbidden_option("resourceVersionMatch", message)
        version = query.get("resourceVersion", "")
        bookmarks = bool(flag(query, "allowWatchBookmarks"))
        initial = send_initial if send_initial is not None else version in ("", "0")
        return cls(
            start=integer(query, "resourceVersion"),
            initial=initial,
            # Seen on 1.37: a watch from nowhere that allows bookmarks is told the end of the replay unasked.
            mark_initial_end=initial and bookmarks and (bool(send_initial) or not version),
            bookmarks=bookmarks,
            seconds=float(integer(query, "timeoutSeconds") or _LONGEST_SECONDS),
        )


class WatchLines:
    """Encodes stored objects and changes as the lines of one watch."""

    def __init__(self, selection: Selection, representation: Representation) -> None:
        self._selection = selection
        self._selective = selection.narrows or selection.namespace is not None
        self._representation = representation
        # What was asked for as a Table declares its columns once.
        self._remembers_columns = representation.form is Form.TABLE

    def existing(self, versions: Sequence[Version]) -> Iterator[bytes]:
        """Encode all current objects."""
        for version in versions:
            if self._selection.matches(version.object):
                yield self._line(b"ADDED", self._encode(version))

    def changed(self, changes: Sequence[Change]) -> Iterator[bytes]:
        """Encode changes; an object that starts or stops matching the selector is ADDED or DELETED."""
        for change in changes:
            if not self._selective:
                yield self._line(change.type.encode(), self._encode(change.version))
                continue
            before = change.previous is not None and self._selection.matches(change.previous.object)
            after = change.type != "DELETED" and self._selection.matches(change.version.object)
            if after:
                yield self._line(b"MODIFIED" if before else b"ADDED", self._encode(change.version))
            elif before:
                yield self._line(b"DELETED", self._encode(_last_seen(change)))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        """Encode the revision the watch has reached."""
        line = self._line(
            b"BOOKMARK", self._representation.bookmark(revision, initial_events_end=initial_events_end)
        )  # fmt: skip
        self._forget_columns()
        return line

    @staticmethod
    def error(error: ApiError) -> bytes:
        """Encode the last line of a failed watch; always a Status, whatever form was requested."""
        return WatchLines._line(b"ERROR", encode(error.body()))

    def _encode(self, version: Version) -> bytes:
        body = self._representation.encode(version)
        self._forget_columns()
        return body

    def _forget_columns(self) -> None:
        if self._remembers_columns:
            self._representation = self._representation.continued()
            self._remembers_columns = False

    @staticmethod
    def _line(kind: bytes, body: bytes) -> bytes:
        return b'{"type":"' + kind + b'","object":' + body + b"}\n"


def _last_seen(change: Change) -> Version:
    """Return an object that no longer matches: its last matching state at the new revision."""
    if change.type == "DELETED" or change.previous is None:
        return change.version
    old = change.previous.object
    metadata = {**old["metadata"], "resourceVersion": str(change.version.revision)}
    return Version({**old, "metadata": metadata}, change.version.key, change.version.revision)


async def serve_watch(
    request: web.Request, store: ObjectStore, target: Target, representation: Representation, faults: KubeFaults
) -> web.StreamResponse:
    """Answer a watch until its time is over, its revision expires, or a fault ends it.

    Raises:
        ApiError: the request is refused before anything is streamed.
    """
    options = WatchOptions.read(request.query)
    selected = selection(target.resource.kind, _namespace(target), _with_name(request.query, target))
    response = web.StreamResponse(headers={"Cache-Control": "no-cache, private", "Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    lines = WatchLines(selected, representation)
    stream = _Stream(request, response, store=store, target=target, lines=lines, faults=faults)
    try:
        await stream.run(options)
    except ConnectionResetError:
        return response  # the client has gone; there is nobody to tell
    await response.write_eof()
    return response


def _namespace(target: Target) -> str | None:
    return target.namespace if target.resource.namespaced else None


def _with_name(query: Mapping[str, str], target: Target) -> Mapping[str, str]:
    if not target.name:
        return query
    fields = ",".join(filter(None, (query.get("fieldSelector", ""), f"metadata.name={target.name}")))
    return {**query, "fieldSelector": fields}


class _Stream:
    """One open watch."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, *, store: ObjectStore, target: Target,
        lines: WatchLines, faults: KubeFaults,
    ) -> None:  # fmt: skip
        self._request = request
        self._response = response
        self._store = store
        self._shelf = store.shelf(target.resource.kind)
        self._lines = lines
        self._faults = faults
        self._epoch = faults.watch_epoch
        self._woken = asyncio.Event()
        self._bookmarked = -1

    async def run(self, options: WatchOptions) -> None:
        unsubscribe = self._shelf.subscribe(self._woken.set)
        forget = self._faults.subscribe(self._woken.set)
        try:
            await self._follow(options, await self._begin(options))
        finally:
            unsubscribe()
            forget()

    async def _begin(self, options: WatchOptions) -> int:
        """Send the current objects if requested; return the revision the client has seen then."""
        if not options.initial:
            return options.start
        revision = self._store.revision
        lines = list(self._lines.existing(self._shelf.versions()))
        if options.mark_initial_end:
            lines.append(self._lines.bookmark(revision, initial_events_end=True))
            self._bookmarked = revision
        await self._send(lines)
        return revision

    async def _follow(self, options: WatchOptions, cursor: int) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + options.seconds
        next_look = loop.time() + BOOKMARK_SECONDS
        while True:
            self._woken.clear()
            if self._faults.watch_epoch != self._epoch:
                if self._faults.watch_error:
                    await self._expire(cursor)
                return
            changes = self._shelf.changes_since(cursor)
            # A revision of the future is one of another sandbox; the real server would wait for it for ever.
            if changes is None or cursor > self._store.revision:
                await self._expire(cursor)
                return
            cursor = self._store.revision
            await self._send(list(self._lines.changed(changes)))
            now = loop.time()
            if now >= deadline:
                if options.bookmarks and self._bookmarked != cursor:
                    await self._send([self._lines.bookmark(cursor)])
                return
            if now >= next_look:
                next_look = now + BOOKMARK_SECONDS
                if options.bookmarks:
                    await self._send([self._lines.bookmark(cursor)])
                    self._bookmarked = cursor
            await self._wait(min(deadline, next_look) - loop.time())
            if self._request.transport is None or self._request.transport.is_closing():
                raise ConnectionResetError("the client has gone")

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), max(0.0, seconds))
        except TimeoutError:
            return

    async def _send(self, lines: Sequence[bytes]) -> None:
        if lines:
            await self._faults.passage()
            await self._response.write(b"".join(lines))

    async def _expire(self, cursor: int) -> None:
        message = f"too old resource version: {cursor} ({max(self._shelf.floor, cursor + 1)})"
        await self._send([self._lines.error(expired(message))])
