"""Conditional reads: every request carries the ETag of the last answer, so that GitHub sends only what has changed.

A 304 costs nothing of the hourly limit, so that a quiet repository can be polled without end. The value that was made
of an answer is kept, not the answer: a page of a hundred pull requests is megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sgm_tui.errors import UnreachableError
from sgm_tui.forge.wire import Kind, decode

PAGE = 100
"""Rows of a page, the most GitHub allows."""

Value = TypeVar("Value")
Row = TypeVar("Row")


class Answer(NamedTuple):
    """An answer with status 200."""

    etag: str
    """Its ETag; "" when it has none."""
    text: str
    has_next_page: bool
    """Whether its Link header names a next page."""


GetIfChanged = Callable[[str, str], Answer | None]
"""Sends a GET of a path below the API's root, with the ETag of the last answer; None when nothing has changed."""


class Page(NamedTuple):
    """One page of a list."""

    rows: Sequence[Any]
    total: int | None = None
    """Rows on all pages; None where GitHub does not name their number."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """The value of the last answer to a path."""

    etag: str
    value: Any
    has_next_page: bool


class Conditional:
    """Reads that remember the last answer to each path; used by one thread at a time."""

    def __init__(self, get_if_changed: GetIfChanged) -> None:
        self._get_if_changed = get_if_changed
        self._entries: dict[str, _Entry] = {}
        self._used: set[str] = set()

    @contextmanager
    def round(self) -> Iterator[None]:
        """Forget, at the end of the block, every answer that the block did not request."""
        self._used.clear()
        yield
        self._entries = {path: entry for path, entry in self._entries.items() if path in self._used}

    def get(self, path: str, kind: type[Kind], convert: Callable[[Kind], Value]) -> Value:
        """Fetch a document and return what `convert` makes of it; called again only when the document has changed.

        Raises:
            UnreachableError: the answer is not a `kind`, or is a 304 to an unconditional request, as from a broken
                cache on the way.
        """
        value: Value = self._fetch(path, kind, convert).value
        return value

    def _fetch(self, path: str, kind: type[Kind], convert: Callable[[Kind], Any]) -> _Entry:
        self._used.add(path)
        last = self._entries.get(path)
        answer = self._get_if_changed(path, last.etag if last is not None else "")
        if answer is None:
            if last is None:
                raise UnreachableError("GitHub answered 304 to an unconditional request")
            return last
        value = convert(decode(answer.text, kind, path.partition("?")[0]))
        entry = _Entry(answer.etag, value, answer.has_next_page)
        if answer.etag:
            self._entries[path] = entry
        else:
            self._entries.pop(path, None)
        return entry

    def rows(
        self, path: str, kind: type[Kind], page_of: Callable[[Kind], Page], convert: Callable[[Any], Row], most: int
    ) -> tuple[tuple[Row, ...], bool]:
        """Fetch a list page by page; return what `convert` makes of each row, and whether there are more rows.

        Pages are requested by number until one is not full and links no other: a proxy may drop the header that links
        them, or answer with fewer rows than requested.

        Args:
            path: of the list, with its own parameters.
            kind: of a page.
            page_of: returns the rows of a page.
            convert: makes a value of one row.
            most: the greatest number of rows to read.

        Raises:
            UnreachableError: a page cannot be read, or all pages are the same one.
        """

        def convert_page(document: Kind) -> tuple[tuple[Row, ...], int | None]:
            page = page_of(document)
            return tuple(convert(row) for row in page.rows), page.total

        values: list[Row] = []
        previous: tuple[Row, ...] = ()
        joint = "&" if "?" in path else "?"
        for number in range(1, -(-most // PAGE) + 1):
            entry = self._fetch(f"{path}{joint}per_page={PAGE}&page={number}", kind, convert_page)
            rows, total = entry.value
            if rows and rows == previous:
                raise UnreachableError(
                    "GitHub answers every page of a list with the same rows", "Check github.api_url."
                )
            previous = rows
            values.extend(rows)
            if len(rows) < PAGE and not (entry.has_next_page and rows):
                is_cut = entry.has_next_page or (total is not None and total > len(values))
                return tuple(values[:most]), is_cut or len(values) > most
        # The last page was full: whether there is another is unknown, and to assume so is safer.
        return tuple(values[:most]), True


def whole_page(rows: Sequence[Any]) -> Page:
    """Return the page of a document that is nothing but its rows."""
    return Page(rows)
