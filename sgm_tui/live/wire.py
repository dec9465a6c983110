"""The common parts of Kubernetes documents: metadata, times and lists, decoded from raw bytes into typed fields.

Lists keep their items raw, so that an unreadable object costs one object and not the list. Unknown fields are skipped;
every foreign string is cleaned where it becomes a domain value.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from sgm_tui.untrusted_text import clean

RawObject = msgspec.Raw
"""An object that has not been decoded yet."""
MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not what they should be."""

Kind = TypeVar("Kind")


class Wire(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Base of every decoded type: camelCase names, no cyclic garbage collection."""


class OwnerReference(Wire, frozen=True):
    """An entry of `metadata.ownerReferences`."""

    uid: str = ""
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Metadata(Wire, frozen=True):
    """The fields of `metadata` that sgm uses."""

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
        """Return the value of a label, "" when there is none."""
        return (self.labels or {}).get(key, "")

    def annotation(self, key: str) -> str:
        """Return the value of an annotation, "" when there is none."""
        return (self.annotations or {}).get(key, "")

    @property
    def owner(self) -> str:
        """The uid of the controlling owner, "" when there is none."""
        owners = self.owner_references or ()
        return next((owner.uid for owner in owners if owner.controller), owners[0].uid if owners else "")


class ListMetadata(Wire, frozen=True):
    """The `metadata` of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class RawList(Wire, frozen=True):
    """A list of any kind, with its items still undecoded."""

    metadata: ListMetadata = ListMetadata()
    items: list[msgspec.Raw] | None = None


class Event(Wire, Generic[Kind], frozen=True):
    """One line of a watch: the type of the change, and the object."""

    type: str
    object: Kind


class Envelope(Wire, frozen=True):
    """The metadata of an object of any kind."""

    metadata: Metadata = Metadata()


class Status(Wire, frozen=True):
    """A Kubernetes Status: why a request was refused."""

    message: str = ""
    reason: str = ""
    code: int = 0


class Unreadable(NamedTuple):
    """An object that cannot be decoded."""

    metadata: Metadata | None
    """Its metadata, so that its cell can show the error; None where not even that can be decoded."""
    reason: str


def read_object(raw: bytes | msgspec.Raw, kind: type[Any]) -> Any:
    """Decode an object as `kind`; return an Unreadable where it is malformed."""
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except MALFORMED as error:
        reason = clean(error)
    try:
        return Unreadable(msgspec.json.decode(raw, type=Envelope, strict=False).metadata, reason)
    except MALFORMED:
        return Unreadable(None, reason)


def parse_time(text: str | None) -> datetime | None:
    """Parse an RFC 3339 time into an aware UTC datetime; return None for anything else."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def parse_revision(text: str) -> int:
    """Parse a revision annotation; return 0 for anything but a decimal number."""
    return int(text) if text.isdecimal() else 0


def clean_all(texts: Iterable[str]) -> tuple[str, ...]:
    """Return every text without control characters."""
    return tuple(clean(text) for text in texts)
