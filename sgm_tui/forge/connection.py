"""The port that every action on GitHub uses: typed reads, single writes, and the status of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sgm_tui.errors import RefusedError, UnreachableError
from sgm_tui.forge.conditional import Answer, Conditional, whole_page
from sgm_tui.forge.quota import PausedError
from sgm_tui.forge.refusals import message_of, missing_permission
from sgm_tui.forge.wire import Kind
from sgm_tui.transport.blocking import RequestError

Result = TypeVar("Result")
Row = TypeVar("Row")
_MOST_ROWS = 3000


class StatusError(Exception):
    """GitHub answered with a status of 400 or greater."""

    def __init__(self, status: int, data: object, headers: Mapping[str, Any]) -> None:
        super().__init__(message_of(status, data))
        self.status = status
        self.data = data
        self.headers = headers

    @property
    def message(self) -> str:
        """The reason in GitHub's own words."""
        return str(self)


FAILURES = (StatusError, UnreachableError, RequestError)
"""Every error that a request may raise."""


class Connection(Protocol):
    """One repository on GitHub, as one account sees it."""

    @property
    def login(self) -> str:
        """The login of the account; "" where GitHub does not say."""
        ...

    def get_if_changed(self, path: str, etag: str) -> Answer | None:
        """Send one conditional GET, as `conditional.GetIfChanged`."""
        ...

    def read(self, path: str, kind: type[Kind]) -> Kind:
        """Fetch one document.

        Raises:
            StatusError, UnreachableError: the request failed.
        """
        ...

    def write(self, verb: str, path: str, body: object, kind: type[Kind] | None = None) -> Kind | None:
        """Send a write once; return its answer where a kind is expected.

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


def fetch_rows(connection: Connection, path: str, kind: type[tuple[Row, ...]]) -> tuple[Row, ...]:
    """Fetch every row of a list.

    Raises:
        UnreachableError: they cannot all be read.
    """
    rows, is_cut = Conditional(connection.get_if_changed).rows(path, kind, whole_page, lambda row: row, _MOST_ROWS)
    if is_cut:
        raise UnreachableError(f"GitHub's answer to {path} is too large")
    return rows


def may_have_succeeded(error: Exception) -> bool:
    """Return whether a write that failed with this error may have taken effect."""
    if isinstance(error, PausedError):
        return False
    return not isinstance(error, StatusError) or error.status >= 500


def send_once(send: Callable[[], Result], effect: Callable[[], Result | None], outcome: str) -> Result:
    """Send a write once; where its answer got lost, look up its effect instead of sending it again.

    Args:
        send: sends it.
        effect: reads GitHub; returns the result where the write took effect, None where it did not.
        outcome: the effect as a clause for the error: "#57 was merged".

    Raises:
        UnreachableError: whether it took effect cannot be determined.
        StatusError: GitHub refused it, or did not do it.
    """
    try:
        return send()
    except FAILURES as error:
        if not may_have_succeeded(error):
            raise
        try:
            result = effect()
        except FAILURES as second:
            raise UnreachableError(
                f"GitHub's answer was lost, and sgm cannot check whether {outcome}",
                "Check on GitHub before trying again.",
            ) from second
        if result is None:
            raise
        return result


def to_error(error: StatusError, repository: str, why_unsent: str) -> RefusedError | UnreachableError:
    """Translate a refusal; `why_unsent` is the reason why a token that exists was not sent, "" where it was."""
    if error.status in {401, 403, 404} and why_unsent:
        return RefusedError(f"GitHub refused a request without a token: {error.message}; {why_unsent}")
    if error.status == 401:
        return RefusedError(f"GitHub rejected the token: {error.message}", "Renew GH_TOKEN, or sign in with gh.")
    if error.status == 404:
        return RefusedError(f"{repository}: not found or no access", "Check github.repository and the token's access.")
    if error.status == 403:
        return missing_permission(error.message, error.headers)
    if error.status in {405, 409, 422}:
        return RefusedError(f"GitHub refused: {error.message}")
    return UnreachableError(f"GitHub answered {error.status}: {error.message}")
