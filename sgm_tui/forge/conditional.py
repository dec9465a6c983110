"""Asking GitHub only for what has changed: every question carries the mark (ETag) of the last answer to it.

An answer that nothing has changed costs nothing of the hourly limit, so that a quiet repository can be looked at for
ever. What is kept is what was made of an answer, not the answer: a page of a hundred pull requests is megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sgm_tui.errors import UnreachableError
from sgm_tui.forge.wire import Kind, decode

PAGE = 100
"""Rows of a page, the most GitHub gives."""

Made = TypeVar("Made")
Row = TypeVar("Row")


class Answer(NamedTuple):
    """One answer with status 200."""

    mark: str
    """Its ETag; "" when it has none."""
    text: str
    more: bool
    """Whether its Link header names a next page."""


Ask = Callable[[str, str], Answer | None]
"""A GET of a path below the API's root, with the mark of what is known; None when nothing has changed."""


class Page(NamedTuple):
    """One page of a list."""

    rows: Sequence[Any]
    total: int | None = None
    """Rows on all pages; None where GitHub does not say."""


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: str
    made: Any
    more: bool


class Conditional:
    """Reads that remember; used by one thread at a time."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._kept: dict[str, _Kept] = {}
        self._asked: set[str] = set()

    @contextmanager
    def round(self) -> Iterator[None]:
        """One look at everything: what it did not ask about is forgotten at its end."""
        self._asked.clear()
        yield
        self._kept = {path: one for path, one in self._kept.items() if path in self._asked}

    def get(self, path: str, kind: type[Kind], make: Callable[[Kind], Made]) -> Made:
        """What `make` makes of a document; made anew only when the document has changed.

        Raises:
            UnreachableError: the answer is no `kind`, or says that nothing has changed since an answer that is not
                known (a cache on the way is at fault).
        """
        made: Made = self._get(path, kind, make).made
        return made

    def _get(self, path: str, kind: type[Kind], make: Callable[[Kind], Any]) -> _Kept:
        self._asked.add(path)
        known = self._kept.get(path)
        answer = self._ask(path, known.mark if known is not None else "")
        if answer is None:
            if known is None:
                raise UnreachableError("GitHub answered 304 to an unconditional request")
            return known
        entry = _Kept(answer.mark, make(decode(answer.text, kind, path.partition("?")[0])), answer.more)
        if answer.mark:
            self._kept[path] = entry
        else:
            self._kept.pop(path, None)
        return entry

    def rows(
        self, path: str, kind: type[Kind], rows_of: Callable[[Kind], Page], make: Callable[[Any], Row], most: int
    ) -> tuple[tuple[Row, ...], bool]:
        """What `make` makes of each row of a list, page by page, and whether there are more than were read.

        Pages are asked for by their number until one is not full and links no other: a proxy may drop the header that
        links them, or answer with less than was asked for.

        Args:
            path: of the list, with its own parameters.
            kind: of a page.
            rows_of: the rows of a page.
            make: what is wanted of one row.
            most: as many rows are read at most.

        Raises:
            UnreachableError: a page is no page, or all pages are the same one.
        """
        found: list[Row] = []
        before: tuple[Row, ...] = ()
        joint = "&" if "?" in path else "?"
        for number in range(1, -(-most // PAGE) + 1):
            page = self._get(
                f"{path}{joint}per_page={PAGE}&page={number}", kind, lambda document: _made(rows_of(document), make)
            )
            rows, total = page.made
            if rows and rows == before:
                raise UnreachableError(
                    "GitHub answers every page of a list with the same rows", "Check github.api_url."
                )
            before = rows
            found.extend(rows)
            if len(rows) < PAGE and not (page.more and rows):
                cut = page.more or (total is not None and total > len(found))
                return tuple(found[:most]), cut or len(found) > most
        # One more full page may be the last there is; that it is not is the safer guess.
        return tuple(found[:most]), True


def _made(page: Page, make: Callable[[Any], Row]) -> tuple[tuple[Row, ...], int | None]:
    return tuple(make(one) for one in page.rows), page.total


def plain(rows: Sequence[Any]) -> Page:
    """A page that is nothing but its rows."""
    return Page(rows)
