"""Plans as JSON and back, for the file that survives a restart and the journal that recovers from a crash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Extra, Plan

_SCHEMA = 1


def document_of(plan: Plan) -> dict[str, Any]:
    """Return a plan as a JSON document."""
    return {"schema": _SCHEMA, "changes": _list(plan.changes), "before": [_list(step) for step in plan.before]}


def plan_of(document: dict[str, Any]) -> Plan:
    """Parse the plan of a JSON document.

    Raises:
        ValueError, KeyError, TypeError: it is not the document of a plan.
    """
    if document["schema"] != _SCHEMA:
        raise ValueError(f"schema {document['schema']}")
    before = tuple(_changes(step) for step in document.get("before", ()))
    return Plan(_changes(document["changes"]), before)


def change_of(document: dict[str, Any]) -> Change:
    """Parse the change of a JSON document.

    Raises:
        ValueError, KeyError, TypeError: it is not the document of a change.
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
            CellKey(ServiceName(key["service"]), StageName(key["stage"]), ClusterName(key["cluster"]))
            for key in document["cells"]
        ),
        strategy=_text(document.get("strategy", "")),
        extras=tuple(Extra(one["key"], one["value"], one["why"]) for one in document.get("extras", ())),
        undoes=tuple(_text(one) for one in document.get("undoes", ())),
        restores=tuple(_text(one) for one in document.get("restores", ())),
        marks_bad=_text(document.get("marks_bad", "")),
    )


def _list(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [asdict(change) for change in changes]


def _changes(documents: Iterable[dict[str, Any]]) -> tuple[Change, ...]:
    return tuple(change_of(one) for one in documents)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
