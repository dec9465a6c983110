"""One request to the embedded GitHub and its reply, without HTTP: what every API handler takes and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgm_tui.sandbox.github.pull_json import Documents
from sgm_tui.sandbox.github.pulls import GitHubError, PullRequest
from sgm_tui.sandbox.github.state import GitHub

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """A list that is paged before its rows are serialized, because serializing is expensive."""

    items: Sequence[Any]
    write: Callable[[Any], Document]
    under: str = ""
    """The key of the list in an object with `total_count`; "" for a plain list."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the API: status, body and headers."""

    body: Document | list[Document] | Rows | None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the API."""

    github: GitHub
    write: Documents
    match: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pull(self) -> PullRequest:
        """Return the pull request the path names.

        Raises:
            GitHubError: 404.
        """
        pull = self.github.pulls.get(int(self.match["number"]))
        if pull is None:
            raise not_found()
        return pull

    def commit(self, reference: str) -> str:
        """Return the commit that a branch name or an id refers to.

        Raises:
            GitHubError: 404 for a branch, 422 for an id, as GitHub has it.
        """
        sha = self.write.commits.resolve(reference)
        if sha is None:
            raise GitHubError(422, f"No commit found for SHA: {reference}")
        return sha

    def text(self, name: str, default: str = "") -> str:
        """Return a string of the request body.

        Raises:
            GitHubError: 422, it is something else.
        """
        value = self.body.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise GitHubError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of strings of the request body."""
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise GitHubError(
                422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not an array of strings."
            )
        return value

    def required(self, *names: str) -> list[str]:
        """Return strings of the request body that must be present.

        Raises:
            GitHubError: 422 names what is missing.
        """
        missing = [name for name in names if not self.body.get(name)]
        if missing:
            words = ", ".join(f'"{name}"' for name in missing)
            raise GitHubError(422, f"Invalid request.\n\n{words} wasn't supplied.")
        return [self.text(name) for name in names]


Handler = Callable[[Call], Reply]
Route = tuple[str, str, Handler]


def not_found() -> GitHubError:
    """Return the 404 that GitHub also sends for what the token may not see."""
    return GitHubError(404, "Not Found")
