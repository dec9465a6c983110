"""The wire's common parts: metadata, times and lists, decoded into typed fields from raw bytes and nothing else.

Lists keep their items raw, so that one object nobody can read costs one object, not the list. Unknown fields are
never looked at; every foreign string is cleaned where it becomes a domain value.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from sgm_tui.untrusted_text import clean


class Wire(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Base of everything decoded: camelCase names, no cyclic garbage collection."""


class OwnerReference(Wire, frozen=True):
    """Who owns an object."""

    uid: str = ""
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Metadata(Wire, frozen=True):
    """`metadata`, the parts that decide anything."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None

    def label(self, key: str) -> str:
        """A label's value, "" when there is none."""
        return (self.labels or {}).get(key, "")

    def annotation(self, key: str) -> str:
        """An annotation's value, "" when there is none."""
        return (self.annotations or {}).get(key, "")

    @property
    def owner(self) -> str:
        """The uid of the controlling owner, "" when there is none."""
        owners = self.owner_references or ()
        return next((one.uid for one in owners if one.controller), owners[0].uid if owners else "")


class ListMetadata(Wire, frozen=True):
    """`metadata` of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class RawList(Wire, frozen=True):
    """Any list, its items not looked at yet."""

    metadata: ListMetadata = ListMetadata()
    items: list[msgspec.Raw] | None = None


class RawEvent(Wire, frozen=True):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Envelope(Wire, frozen=True):
    """Any object, only its metadata."""

    metadata: Metadata = Metadata()


class Status(Wire, frozen=True):
    """A Kubernetes Status: why a request was refused."""

    message: str = ""
    reason: str = ""
    code: int = 0


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 time as an aware UTC datetime; None for what is none."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def whole(text: str) -> int:
    """A revision annotation as a number; 0 for what is none."""
    return int(text) if text.isdecimal() else 0


def cleaned(texts: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Every string made harmless."""
    return tuple(clean(text) for text in texts)
