"""A plan as JSON and back: for the file that survives a restart, and for the journal that a crash is resumed from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plan import Change, Extra, Plan

_SCHEMA = 1


def document_of(plan: Plan) -> dict[str, Any]:
    """A plan as JSON."""
    return {"schema": _SCHEMA, "changes": [asdict(change) for change in plan.changes]}


def plan_of(document: dict[str, Any]) -> Plan:
    """The plan a JSON document holds.

    Raises:
        ValueError, KeyError, TypeError: it holds none.
    """
    if document["schema"] != _SCHEMA:
        raise ValueError(f"schema {document['schema']}")
    return Plan(tuple(change_of(one) for one in document["changes"]))


def change_of(document: dict[str, Any]) -> Change:
    """The change a JSON document holds.

    Raises:
        ValueError, KeyError, TypeError: it holds none.
    """
    kind = document["kind"]
    if kind not in {"promotion", "revert"}:
        raise ValueError(f"kind {kind}")
    cluster = document["cluster"]
    return Change(
        kind=kind,
        service=ServiceName(_text(document["service"])),
        stage=StageName(_text(document["stage"])),
        cluster=None if cluster is None else ClusterName(_text(cluster)),
        path=_text(document["path"]),
        key=_text(document["key"]),
        from_version=Version(_text(document["from_version"])),
        to_version=Version(_text(document["to_version"])),
        cells=tuple(
            CellKey(ServiceName(one["service"]), StageName(one["stage"]), ClusterName(one["cluster"]))
            for one in document["cells"]
        ),
        strategy=_text(document.get("strategy", "")),
        extras=tuple(Extra(one["key"], one["value"], one["why"]) for one in document.get("extras", ())),
        undoes=tuple(_text(one) for one in document.get("undoes", ())),
        restores=tuple(_text(one) for one in document.get("restores", ())),
        marks_bad=_text(document.get("marks_bad", "")),
        batch=int(document.get("batch", 0)),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
