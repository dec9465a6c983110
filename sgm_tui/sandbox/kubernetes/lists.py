"""Lists: selectors, consistent pages, and lists at a given resourceVersion."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.paths import Target
from sgm_tui.sandbox.kubernetes.representation import Representation
from sgm_tui.sandbox.kubernetes.revisions import Version
from sgm_tui.sandbox.kubernetes.selectors import Selection, selection
from sgm_tui.sandbox.kubernetes.status import ApiError, bad_request, expired

_INCONSISTENT = -1
"""The revision in a continue token that requests whatever is current."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a page starts and its revision, as a continue token encodes them."""

    revision: int
    start: str

    def token(self) -> str:
        """Return the token, in the real server's form for clients that decode it."""
        inside = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.start})
        return base64.urlsafe_b64encode(inside).rstrip(b"=").decode()


def list_objects(store: ObjectStore, target: Target, query: Mapping[str, str], representation: Representation) -> bytes:
    """Return the body of a list.

    Raises:
        ApiError: 400 for an unreadable selector or token, 410 for a moment that is forgotten, 422 for options that
            contradict each other, 504 for a revision of the future.
    """
    check_list_options(query)
    selected = selection(target.resource.kind, target.namespace, query)
    page = _page(query.get("continue", ""))
    revision, versions = _versions(store, target, query, page, selected)
    limit = integer(query, "limit")
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if target.resource.custom and representation.form.value == "object":
        metadata["continue"] = ""
    if limit and len(versions) > limit:
        rest = len(versions) - limit
        versions = versions[:limit]
        metadata["continue"] = _Page(revision, f"{_start(target, versions[-1].key)}\0").token()
        if not selected.narrows:
            metadata["remainingItemCount"] = rest
    return representation.many(versions, metadata)


def _versions(
    store: ObjectStore, target: Target, query: Mapping[str, str], page: _Page | None, selected: Selection
) -> tuple[int, Sequence[Version]]:
    """Return the matching versions from the page's start on, and their revision."""
    shelf = store.shelf(target.resource.kind)
    revision, at_that_time = _moment(store, query, page)
    if at_that_time:
        past = shelf.versions_at(revision)
        if past is None:
            raise _forgotten(page)
        versions = [version for version in past if selected.matches(version.object)]
    elif selected.narrows:
        versions = [version for version in shelf.versions(target.namespace) if selected.matches(version.object)]
    else:
        versions = shelf.versions(target.namespace)
    if page is not None:
        after = page.start.rstrip("\0")
        versions = [version for version in versions if _start(target, version.key) > after]
    return revision, versions


def _moment(store: ObjectStore, query: Mapping[str, str], page: _Page | None) -> tuple[int, bool]:
    """Return the revision to answer with, and whether it is in the past."""
    if page is not None:
        if page.revision == _INCONSISTENT:
            return store.revision, False
        return page.revision, page.revision != store.revision
    revision = integer(query, "resourceVersion")
    if revision > store.revision:
        raise _from_the_future(revision, store.revision)
    if query.get("resourceVersionMatch") == "Exact":
        return revision, revision != store.revision
    return store.revision, False


def _start(target: Target, key: str) -> str:
    """Return the start key of a token, relative to the requested path."""
    if target.namespace is None:
        return f"/{key}" if target.resource.namespaced else key
    return key[len(target.namespace) :]


def _page(token: str) -> _Page | None:
    if not token:
        return None
    try:
        inside = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return _Page(int(inside["rv"]), str(inside["start"]))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error


def _forgotten(page: _Page | None) -> ApiError:
    if page is None:
        return expired("The resourceVersion for the provided list is too old.")
    error = expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    error.metadata = {"continue": _Page(_INCONSISTENT, page.start).token()}
    return error


def _from_the_future(revision: int, newest: int) -> ApiError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(
        504, "Timeout", f"Too large resource version: {revision}, current: {newest}",
        {"causes": [cause], "retryAfterSeconds": 1},
    )  # fmt: skip


def integer(query: Mapping[str, str], name: str) -> int:
    """Return a number of the query; 0 if it is missing.

    Raises:
        ApiError: 400, it is no number.
    """
    text = query.get(name, "")
    if not text:
        return 0
    if not text.isdecimal():
        raise bad_request(f'invalid {name} "{text}": must be a non-negative integer')
    return int(text)


def flag(query: Mapping[str, str], name: str) -> bool | None:
    """Return a boolean of the query as the real server reads it: all but false and 0 is true; None if missing."""
    text = query.get(name)
    return None if text is None else text.lower() not in ("false", "0")


def check_list_options(query: Mapping[str, str]) -> None:
    """Refuse options that contradict each other.

    Raises:
        ApiError: 422, in the real server's words.
    """
    match = query.get("resourceVersionMatch", "")
    if match and not query.get("resourceVersion"):
        raise forbidden_option(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if match and query.get("continue"):
        raise forbidden_option(
            "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"
        )  # fmt: skip
    if match == "Exact" and query.get("resourceVersion") == "0":
        raise forbidden_option(
            "resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        )
    if "sendInitialEvents" in query:
        raise forbidden_option("sendInitialEvents", "sendInitialEvents is forbidden for list")


def forbidden_option(field: str, message: str) -> ApiError:
    """Return a 422 about the options of a list or watch."""
    cause = {"reason": "FieldValueForbidden", "message": f"Forbidden: {message}", "field": field}
    return ApiError(
        422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {message}',
        {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]},
    )  # fmt: skip
