"""What every action on GitHub is done through: typed reads, single writes, and the status of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import requests

from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.forge.conditional import Conditional, plain
from sgm_tui.forge.quota import PausedError
from sgm_tui.forge.refusals import forbidden, words_of
from sgm_tui.forge.wire import Kind

Result = TypeVar("Result")
Row = TypeVar("Row")
_MOST_ROWS = 3000


class StatusError(Exception):
    """GitHub answered with another status than success."""

    def __init__(self, status: int, data: object, headers: Mapping[str, Any]) -> None:
        super().__init__(words_of(status, data))
        self.status = status
        self.data = data
        self.headers = headers

    @property
    def words(self) -> str:
        """What GitHub said."""
        return str(self)


LOST = (StatusError, UnreachableError, requests.RequestException)
"""What a request may end with, other than an answer."""


class Connection(Protocol):
    """One repository on GitHub, as one account sees it."""

    @property
    def me(self) -> str:
        """The login GitHub knows us by; "" where it does not say."""
        ...

    def ask(self, path: str, mark: str) -> Any:
        """One conditional GET, as `conditional.Ask`."""
        ...

    def read(self, path: str, kind: type[Kind]) -> Kind:
        """A GET of one document.

        Raises:
            StatusError, UnreachableError: why there is none.
        """
        ...

    def write(self, verb: str, path: str, body: object, kind: type[Kind] | None = None) -> Kind | None:
        """Send a write once; its answer, where a kind is expected.

        Raises:
            StatusError: GitHub refused it, or may have done it (500 and above).
            UnreachableError: the answer cannot be read: it may have been done.
        """
        ...

    def mutate(self, name: str, values: Mapping[str, object]) -> None:
        """Send a GraphQL mutation once.

        Raises:
            StatusError, UnreachableError: as of a write.
        """
        ...


def rows_of(connection: Connection, path: str, kind: type[tuple[Row, ...]]) -> tuple[Row, ...]:
    """Every row of a list.

    Raises:
        UnreachableError: they cannot all be read.
    """
    rows, cut = Conditional(connection.ask).rows(path, kind, plain, _itself, _MOST_ROWS)
    if cut:
        raise UnreachableError(f"GitHub's answer to {path} is too large")
    return rows


def _itself(row: Row) -> Row:
    return row


def is_lost(error: Exception) -> bool:
    """Whether a write that ended with this may have been done all the same."""
    if isinstance(error, PausedError):
        return False
    return not isinstance(error, StatusError) or error.status >= 500


def resolved(send: Callable[[], Result], effect: Callable[[], Result | None], what: str) -> Result:
    """Send a write once; where its answer got lost, read whether it was done instead of sending it again.

    Args:
        send: sends it.
        effect: reads GitHub; the result where the write was done, None where it was not.
        what: what is then known or not, for the error: "#57 was merged".

    Raises:
        UnreachableError: nobody knows whether it was done.
        StatusError: GitHub refused it, or did not do it.
    """
    try:
        return send()
    except LOST as error:
        if not is_lost(error):
            raise
        try:
            result = effect()
        except LOST as second:
            raise UnreachableError(
                f"GitHub's answer was lost, and sgm cannot check whether {what}", "Check on GitHub before trying again."
            ) from second
        if result is None:
            raise
        return result


def refusal_of(error: StatusError, repository: str, unsent: str) -> RefusedError | UnreachableError:
    """Return GitHub's error in our words; `unsent` says why a token that is there was not sent, "" where it was."""
    if error.status in {401, 403, 404} and unsent:
        return RefusedError(f"GitHub refused a request without a token: {error.words}; {unsent}")
    if error.status == 401:
        return RefusedError(f"GitHub rejected the token: {error.words}", "Renew GH_TOKEN, or sign in with gh.")
    if error.status == 404:
        return RefusedError(f"{repository}: not found or no access", "Check github.repository and the token's access.")
    if error.status == 403:
        return forbidden(error.words, error.headers)
    if error.status in {405, 409, 422}:
        return RefusedError(f"GitHub refused: {error.words}")
    return UnreachableError(f"GitHub answered {error.status}: {error.words}")
