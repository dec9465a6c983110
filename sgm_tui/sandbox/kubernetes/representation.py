"""The forms of an answer: whole objects, Tables, or metadata only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from sgm_tui.sandbox.kubernetes.columns import columns_of
from sgm_tui.sandbox.kubernetes.kinds import Resource
from sgm_tui.sandbox.kubernetes.revisions import KubeObject, Version
from sgm_tui.sandbox.kubernetes.status import ApiError

encode = msgspec.json.Encoder().encode

_META = "meta.k8s.io/v1"


class Form(Enum):
    """The form that an Accept header requests."""

    OBJECT = "object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class Representation:
    """The form in which one request gets its objects."""

    resource: Resource
    form: Form
    now: Callable[[], datetime]
    """The time for ages, which only Tables have."""
    include: str = "Metadata"
    """What a Table's rows include: None, Metadata or Object."""
    with_columns: bool = True
    """Whether to send column definitions; a watch sends them in its first event only."""

    def continued(self) -> Representation:
        """Return the form of the events after the first one."""
        return self if not self.with_columns else replace(self, with_columns=False)

    def encode(self, version: Version) -> bytes:
        """Encode one object."""
        match self.form:
            case Form.OBJECT:
                return version.json
            case Form.METADATA:
                return encode(_partial(version.object))
        metadata = {"resourceVersion": version.object["metadata"].get("resourceVersion", "")}
        return encode(self._table(metadata, [self._row(version.object)]))

    def many(self, versions: Sequence[Version], metadata: Mapping[str, Any]) -> bytes:
        """Encode a list."""
        match self.form:
            case Form.OBJECT:
                head = encode({"kind": f"{self.resource.kind}List", "apiVersion": self.resource.api_version})
                items = b",".join([version.json for version in versions])
                return head[:-1] + b',"metadata":' + encode(metadata) + b',"items":[' + items + b"]}"
            case Form.METADATA:
                kind = "PartialObjectMetadataList"
                items_of = [_partial(version.object) for version in versions]
                return encode({"kind": kind, "apiVersion": _META, "metadata": metadata, "items": items_of})
        return encode(self._table(metadata, [self._row(version.object) for version in versions]))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> bytes:
        """Return the object of a BOOKMARK: only the revision the watch has reached."""
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial_events_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        match self.form:
            case Form.OBJECT:
                kind, api_version = self.resource.kind, self.resource.api_version
                return encode({"kind": kind, "apiVersion": api_version, "metadata": metadata})
            case Form.METADATA:
                return encode({"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": metadata})
        # The real server shows the annotation even to those who asked for no objects.
        has_annotation = initial_events_end or self.include != "None"
        partial = (
            {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": metadata} if has_annotation else None
        )
        cells = ["", *(None for _ in columns_of(self.resource.kind)[1:])]
        return encode(self._table({"resourceVersion": str(revision)}, [{"cells": cells, "object": partial}]))

    def _table(self, metadata: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        columns = [column.definition() for column in columns_of(self.resource.kind)] if self.with_columns else None
        return {"kind": "Table", "apiVersion": _META, "metadata": metadata, "columnDefinitions": columns, "rows": rows}

    def _row(self, obj: KubeObject) -> dict[str, Any]:
        now = self.now()
        row: dict[str, Any] = {"cells": [column.read(obj, now) for column in columns_of(self.resource.kind)]}
        match self.include:
            case "None":
                row["object"] = None
            case "Object":
                row["object"] = obj
            case _:
                row["object"] = _partial(obj)
        return row


def _partial(obj: KubeObject) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def representation_of(resource: Resource, accept: str, include: str, now: Callable[[], datetime]) -> Representation:
    """Return what an Accept header requests; its first acceptable entry wins, as on the real server.

    Raises:
        ApiError: 406, nothing in it can be served; 400, `includeObject` is none of the three words.
    """
    for entry in (accept or "*/*").split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        if media not in ("application/json", "application/*", "*/*"):
            continue
        options = dict(parameter.partition("=")[::2] for parameter in parameters)
        form = options.get("as", "")
        if not form:
            return Representation(resource, Form.OBJECT, now)
        if options.get("g") != "meta.k8s.io" or options.get("v") not in ("v1", "v1beta1"):
            continue
        if form == "Table":
            if include not in ("", "None", "Metadata", "Object"):
                raise ApiError(400, "BadRequest", f'unrecognized includeObject value: "{include}"')
            return Representation(resource, Form.TABLE, now, include or "Metadata")
        if form in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return Representation(resource, Form.METADATA, now)
    raise ApiError(
        406, "NotAcceptable", "only the following media types are accepted: application/json, "
        "application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    )  # fmt: skip
