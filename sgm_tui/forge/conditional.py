"""Asking GitHub only for what has changed: every question carries the mark (ETag) of the last answer to it.

An answer that nothing has changed costs nothing of the hourly limit, so that a quiet repository can be looked at for
ever. What is kept is what was made of an answer, not the answer: a page of a hundred pull requests is megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sgm_tui.errors import UnreachableError

PAGE = 100
"""Rows of a page, the most GitHub gives."""

Made = TypeVar("Made")


class Answer(NamedTuple):
    """What was answered, and its mark ("" when it has none)."""

    mark: str
    document: Any


Ask = Callable[[str, str], Answer | None]
"""A GET of a path below the API's root, with the mark of what is known; None when nothing has changed."""


@dataclass(slots=True)
class _Kept:
    mark: str
    made: Any


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

    def get(self, path: str, make: Callable[[Any], Made]) -> Made:
        """What `make` makes of a document; made anew only when the document has changed.

        Raises:
            UnreachableError: nothing has changed since an answer that is not known (a cache on the way is at fault).
        """
        self._asked.add(path)
        known = self._kept.get(path)
        answer = self._ask(path, known.mark if known is not None else "")
        if answer is None:
            if known is None:
                raise UnreachableError("GitHub answered that nothing has changed, and was not asked that")
            made: Made = known.made
            return made
        made = make(answer.document)
        if answer.mark:
            self._kept[path] = _Kept(answer.mark, made)
        else:
            self._kept.pop(path, None)
        return made

    def rows(self, path: str, make: Callable[[Any], Made], most: int, under: str = "") -> tuple[tuple[Made, ...], bool]:
        """What `make` makes of each row of a list, page by page, and whether there are more than `most`.

        Pages are asked for by their number until one is not full: a proxy may drop the header that links them.

        Args:
            path: of the list, with its own parameters.
            make: what is wanted of one row.
            most: as many rows are read at most.
            under: the name of the list in its document, where it is not the whole of it.
        """
        found: list[Made] = []
        joint = "&" if "?" in path else "?"
        for page in range(1, -(-most // PAGE) + 1):
            rows = self.get(f"{path}{joint}per_page={PAGE}&page={page}", lambda answer: _rows(answer, under, make))
            found.extend(rows)
            if len(rows) < PAGE:
                return tuple(found[:most]), len(found) > most
        # One more full page may be the last there is; that it is not is the safer guess.
        return tuple(found[:most]), True


def _rows(document: Any, under: str, make: Callable[[Any], Made]) -> tuple[Made, ...]:
    rows = document.get(under) if under and isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise UnreachableError("GitHub answered with something that is no list", "Check github.api_url.")
    return tuple(make(one) for one in rows)
