"""Argo CD Applications as the API server writes them: a Table row first, the object behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from sgm_tui.fleet.facts import Application, Condition, Operation
from sgm_tui.live.wire import ListMetadata, Metadata, Wire, cleaned, moment
from sgm_tui.untrusted_text import clean

_MESSAGE = 1024
_DIFFERING = 20
"""So many of the resources that differ are kept by name."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

IsRepository = Callable[[str], bool]
"""Whether a URL is the GitOps repository's."""


class _Helm(Wire, frozen=True):
    value_files: tuple[str, ...] | None = None


class _Source(Wire, frozen=True):
    repo_url: str = msgspec.field(default="", name="repoURL")
    target_revision: str = ""
    ref: str = ""
    helm: _Helm | None = None


class _Destination(Wire, frozen=True):
    server: str = ""
    name: str = ""
    namespace: str = ""


class _Automated(Wire, frozen=True):
    enabled: bool | None = None
    self_heal: bool | None = None


class _Retry(Wire, frozen=True):
    limit: int | None = None


class _SyncPolicy(Wire, frozen=True):
    automated: _Automated | None = None


class _Spec(Wire, frozen=True):
    project: str = ""
    source: _Source | None = None
    sources: tuple[_Source, ...] | None = None
    destination: _Destination = _Destination()
    sync_policy: _SyncPolicy | None = None


class _InitiatedBy(Wire, frozen=True):
    username: str = ""
    automated: bool | None = None


class _Requested(Wire, frozen=True):
    initiated_by: _InitiatedBy | None = None
    retry: _Retry | None = None


class _SyncResult(Wire, frozen=True):
    revision: str = ""
    revisions: tuple[str, ...] | None = None
    sources: tuple[_Source, ...] | None = None


class _OperationState(Wire, frozen=True):
    phase: str = ""
    message: str | None = None
    retry_count: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    operation: _Requested = _Requested()
    sync_result: _SyncResult | None = None


class _ComparedTo(Wire, frozen=True):
    sources: tuple[_Source, ...] | None = None


class _Resource(Wire, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    status: str = ""
    requires_pruning: bool | None = None


class _Sync(Wire, frozen=True):
    status: str = ""
    compared_to: _ComparedTo | None = None
    revision: str = ""
    revisions: tuple[str, ...] | None = None


class _Health(Wire, frozen=True):
    status: str = ""
    message: str | None = None
    last_transition_time: str | None = None


class _Condition(Wire, frozen=True):
    type: str = ""
    message: str = ""
    last_transition_time: str | None = None


class _History(Wire, frozen=True):
    revision: str = ""
    revisions: tuple[str, ...] | None = None
    sources: tuple[_Source, ...] | None = None
    deployed_at: str | None = None


class _Summary(Wire, frozen=True):
    images: tuple[str, ...] | None = None


class _Hydrated(Wire, frozen=True):
    dry_sha: str = msgspec.field(default="", name="drySHA")
    hydrated_sha: str = msgspec.field(default="", name="hydratedSHA")


class _Hydrator(Wire, frozen=True):
    last_successful_operation: _Hydrated | None = None


class _Status(Wire, frozen=True):
    sync: _Sync = _Sync()
    health: _Health = _Health()
    operation_state: _OperationState | None = None
    conditions: tuple[_Condition, ...] | None = None
    history: tuple[_History, ...] | None = None
    reconciled_at: str | None = None
    summary: _Summary = _Summary()
    resources: msgspec.Raw = msgspec.Raw(b"null")
    """Read only where something differs: most Applications are in sync and have dozens."""
    source_hydrator: _Hydrator | None = None


class ApplicationWire(Wire, frozen=True):
    """An Application."""

    metadata: Metadata
    spec: _Spec = _Spec()
    operation: _Requested | None = None
    status: _Status = _Status()

    @property
    def destination(self) -> str:
        """Cluster name or server URL it deploys to."""
        return self.spec.destination.name or self.spec.destination.server

    @property
    def namespace(self) -> str:
        """The namespace it deploys to."""
        return self.spec.destination.namespace


class TableColumn(Wire, frozen=True):
    """One entry of `columnDefinitions`."""

    name: str = ""


class TableRow(Wire, frozen=True):
    """One row; cells are printed text."""

    cells: tuple[object, ...] = ()


class Table(Wire, frozen=True):
    """`meta.k8s.io/v1` Table, without objects."""

    metadata: ListMetadata = ListMetadata()
    column_definitions: tuple[TableColumn, ...] = ()
    rows: tuple[TableRow, ...] | None = None
    kind: str = ""


def _nobodys(_: str) -> bool:
    return False


def application(wire: ApplicationWire, is_repository: IsRepository = _nobodys, hub: str = "") -> Application:
    """The domain's view of an Application object; of several sources the GitOps repository's revision counts."""
    status, policy = wire.status, wire.spec.sync_policy
    automated = policy.automated if policy else None
    newest = status.history[-1] if status.history else _History()
    hydrated = (status.source_hydrator or _Hydrator()).last_successful_operation or _Hydrated()
    compared = (status.sync.compared_to.sources if status.sync.compared_to else None) or wire.spec.sources
    differing = _differing(status.resources) if status.sync.status == "OutOfSync" else ()
    return Application(
        name=clean(wire.metadata.name),
        namespace=clean(wire.metadata.namespace),
        uid=clean(wire.metadata.uid),
        sync=clean(status.sync.status),
        health=clean(status.health.status),
        revision=clean(
            _written(status.sync.revision, hydrated) or _ours(status.sync.revisions, compared, is_repository)
        ),
        detailed=True,
        health_message=clean(status.health.message, _MESSAGE),
        health_since=moment(status.health.last_transition_time),
        requested=wire.operation is not None,
        deleting=bool(wire.metadata.deletion_timestamp),
        operation=_operation(status.operation_state, is_repository) if status.operation_state else None,
        conditions=_conditions(status.conditions or ()),
        differing=differing[:_DIFFERING],
        differing_count=len(differing),
        auto_sync=automated is not None and automated.enabled is not False,
        self_heal=bool(automated and automated.self_heal),
        deployed_revision=clean(
            _written(newest.revision, hydrated) or _ours(newest.revisions, newest.sources, is_repository)
        ),
        deployed_at=moment(newest.deployed_at),
        reconciled_at=moment(status.reconciled_at),
        images=cleaned(status.summary.images or ()),
        destination=clean(wire.destination),
        destination_namespace=clean(wire.namespace),
        project=clean(wire.spec.project),
        hub=hub,
        follows=clean(_follows(wire.spec, is_repository)),
    )


def _conditions(conditions: Sequence[_Condition]) -> tuple[Condition, ...]:
    return tuple(
        Condition(clean(one.type), clean(one.message, _MESSAGE), moment(one.last_transition_time)) for one in conditions
    )


def _differing(raw: msgspec.Raw) -> tuple[str, ...]:
    """What is OutOfSync, as "Deployment cart"; () where that cannot be read."""
    try:
        resources = msgspec.json.decode(raw, type=tuple[_Resource, ...] | None, strict=False) or ()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(
        clean(f"{one.kind} {one.name}") + (" (to be pruned)" if one.requires_pruning else "")
        for one in resources
        if one.status == "OutOfSync"
    )


def _follows(spec: _Spec, is_repository: IsRepository) -> str:
    sources = spec.sources or (() if spec.source is None else (spec.source,))
    index = _deciding(sources, is_repository)
    return "" if index is None else sources[index].target_revision


def _deciding(sources: Sequence[_Source], is_repository: IsRepository) -> int | None:
    """Which source says what git wants: of those in the GitOps repository the one `$values` are read from, which may
    follow another revision than the chart; None where none is there."""
    referenced = {
        path[1:].partition("/")[0]
        for one in sources
        if one.helm is not None
        for path in one.helm.value_files or ()
        if path.startswith("$")
    }
    ours = [index for index, one in enumerate(sources) if is_repository(one.repo_url)]
    by_rank = sorted(ours, key=lambda at: (sources[at].ref not in referenced, not sources[at].ref))
    return next(iter(by_rank), None)


def rows(table: Table, namespace: str, hub: str = "") -> list[Application]:
    """The Applications of a Table without objects: name, sync, health and revision, by the columns' names."""
    position = {column.name: index for index, column in enumerate(table.column_definitions)}
    found: list[Application] = []
    for row in table.rows or ():
        texts = {name: clean(row.cells[index]) for name, index in position.items() if index < len(row.cells)}
        if texts.get("Name"):
            sync, health = texts.get("Sync Status", ""), texts.get("Health Status", "")
            revision = texts.get("Revision", "")
            found.append(Application(texts["Name"], namespace, sync, health, revision=revision, hub=hub))
    return found


def _operation(state: _OperationState, is_repository: IsRepository) -> Operation:
    initiated = state.operation.initiated_by or _InitiatedBy()
    result = state.sync_result or _SyncResult()
    return Operation(
        phase=clean(state.phase),
        message=clean(state.message, _MESSAGE),
        revision=clean(result.revision or _ours(result.revisions, result.sources, is_repository)),
        retry_count=state.retry_count or 0,
        retry_limit=(state.operation.retry.limit if state.operation.retry else None) or 0,
        started_at=moment(state.started_at),
        finished_at=moment(state.finished_at),
        automated=bool(initiated.automated),
        username=clean(initiated.username),
    )


def _written(revision: str, hydrated: _Hydrated) -> str:
    """The commit people wrote, where Argo CD's hydrator has made this one of it on a branch of its own."""
    return hydrated.dry_sha if revision and revision == hydrated.hydrated_sha else revision


def _ours(revisions: Sequence[str] | None, sources: Sequence[_Source] | None, is_repository: IsRepository) -> str:
    """The GitOps repository's among the revisions of several sources, else the first commit: a chart has a version."""
    known = revisions or ()
    index = _deciding((sources or ())[: len(known)], is_repository)
    named = () if index is None else (known[index],)
    return next(iter((*named, *filter(_COMMIT.fullmatch, known), *known)), "")


def decode_application(raw: bytes | msgspec.Raw) -> ApplicationWire:
    """One Application; raises msgspec.MsgspecError for what is none."""
    return msgspec.json.decode(raw, type=ApplicationWire, strict=False)
