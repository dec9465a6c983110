"""Argo CD Applications as the API server writes them, as a Table or as objects, and their conversion to the domain."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from sgm_tui.fleet.facts import Application, Condition, Operation
from sgm_tui.live.wire import MALFORMED, ListMetadata, Metadata, Wire, clean_all, parse_time
from sgm_tui.untrusted_text import clean

_MESSAGE = 1024
"""Characters of a message that are kept."""
_DIFFERING = 20
"""Resources that are OutOfSync and kept by name, at most."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

IsRepository = Callable[[str], bool]
"""Returns whether a URL is the GitOps repository's."""


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
    """Decoded only where the Application is OutOfSync: most are in sync and have dozens of resources."""
    source_hydrator: _Hydrator | None = None


class ApplicationWire(Wire, frozen=True):
    """An Application."""

    metadata: Metadata
    spec: _Spec = _Spec()
    operation: _Requested | None = None
    status: _Status = _Status()

    @property
    def destination(self) -> str:
        """The cluster name or server URL it deploys to."""
        return self.spec.destination.name or self.spec.destination.server

    @property
    def namespace(self) -> str:
        """The namespace it deploys to."""
        return self.spec.destination.namespace


class TableColumn(Wire, frozen=True):
    """One entry of `columnDefinitions`."""

    name: str = ""


class TableRow(Wire, frozen=True):
    """One row of printed cells."""

    cells: tuple[object, ...] = ()


class Table(Wire, frozen=True):
    """A `meta.k8s.io/v1` Table without objects."""

    metadata: ListMetadata = ListMetadata()
    column_definitions: tuple[TableColumn, ...] = ()
    rows: tuple[TableRow, ...] | None = None
    kind: str = ""


def to_application(wire: ApplicationWire, is_repository: IsRepository = lambda _: False, hub: str = "") -> Application:
    """Convert an Application object; of several sources, the revision of the GitOps repository's one counts."""
    status, policy = wire.status, wire.spec.sync_policy
    automated = policy.automated if policy else None
    newest = status.history[-1] if status.history else _History()
    hydrated = (status.source_hydrator or _Hydrator()).last_successful_operation or _Hydrated()
    compared = (status.sync.compared_to.sources if status.sync.compared_to else None) or wire.spec.sources
    differing = _out_of_sync(status.resources) if status.sync.status == "OutOfSync" else ()
    return Application(
        name=clean(wire.metadata.name),
        namespace=clean(wire.metadata.namespace),
        uid=clean(wire.metadata.uid),
        sync=clean(status.sync.status),
        health=clean(status.health.status),
        revision=clean(
            _gitops_revision(status.sync.revision, status.sync.revisions, compared, is_repository, hydrated)
        ),
        detailed=True,
        health_message=clean(status.health.message, _MESSAGE),
        health_since=parse_time(status.health.last_transition_time),
        requested=wire.operation is not None,
        deleting=bool(wire.metadata.deletion_timestamp),
        operation=_operation(status.operation_state, is_repository) if status.operation_state else None,
        conditions=tuple(map(_to_condition, status.conditions or ())),
        differing=differing[:_DIFFERING],
        differing_count=len(differing),
        auto_sync=automated is not None and automated.enabled is not False,
        self_heal=bool(automated and automated.self_heal),
        deployed_revision=clean(
            _gitops_revision(newest.revision, newest.revisions, newest.sources, is_repository, hydrated)
        ),
        deployed_at=parse_time(newest.deployed_at),
        reconciled_at=parse_time(status.reconciled_at),
        images=clean_all(status.summary.images or ()),
        destination=clean(wire.destination),
        destination_namespace=clean(wire.namespace),
        project=clean(wire.spec.project),
        hub=hub,
        follows=clean(_target_revision(wire.spec, is_repository)),
    )


def _to_condition(wire: _Condition) -> Condition:
    return Condition(clean(wire.type), clean(wire.message, _MESSAGE), parse_time(wire.last_transition_time))


def _out_of_sync(raw: msgspec.Raw) -> tuple[str, ...]:
    """Return the resources that are OutOfSync, as "Deployment cart"; () where they cannot be read."""
    try:
        resources = msgspec.json.decode(raw, type=tuple[_Resource, ...] | None, strict=False) or ()
    except MALFORMED:
        return ()
    return tuple(
        clean(f"{resource.kind} {resource.name}") + (" (to be pruned)" if resource.requires_pruning else "")
        for resource in resources
        if resource.status == "OutOfSync"
    )


def _target_revision(spec: _Spec, is_repository: IsRepository) -> str:
    """Return the branch, tag or commit that an Application follows in the GitOps repository."""
    sources = spec.sources or (() if spec.source is None else (spec.source,))
    index = _find_values_source(sources, is_repository)
    return "" if index is None else sources[index].target_revision


def _find_values_source(sources: Sequence[_Source], is_repository: IsRepository) -> int | None:
    """Return the index of the source that has the desired version; None where none is in the GitOps repository.

    Of the sources in the GitOps repository it is the one `$values` are read from, which may follow another revision
    than the chart.
    """
    referenced = {
        path[1:].partition("/")[0]
        for source in sources
        if source.helm is not None
        for path in source.helm.value_files or ()
        if path.startswith("$")
    }
    in_repository = [index for index, source in enumerate(sources) if is_repository(source.repo_url)]
    by_rank = sorted(in_repository, key=lambda index: (sources[index].ref not in referenced, not sources[index].ref))
    return next(iter(by_rank), None)


def applications_of(table: Table, namespace: str, hub: str = "") -> list[Application]:
    """Convert the rows of a Table: name, sync, health and revision, by the names of the columns."""
    position = {column.name: index for index, column in enumerate(table.column_definitions)}
    applications: list[Application] = []
    for row in table.rows or ():
        texts = {name: clean(row.cells[index]) for name, index in position.items() if index < len(row.cells)}
        if texts.get("Name"):
            sync, health = texts.get("Sync Status", ""), texts.get("Health Status", "")
            revision = texts.get("Revision", "")
            applications.append(Application(texts["Name"], namespace, sync, health, revision=revision, hub=hub))
    return applications


def _operation(state: _OperationState, is_repository: IsRepository) -> Operation:
    initiated = state.operation.initiated_by or _InitiatedBy()
    result = state.sync_result or _SyncResult()
    return Operation(
        phase=clean(state.phase),
        message=clean(state.message, _MESSAGE),
        revision=clean(_gitops_revision(result.revision, result.revisions, result.sources, is_repository)),
        retry_count=state.retry_count or 0,
        retry_limit=(state.operation.retry.limit if state.operation.retry else None) or 0,
        started_at=parse_time(state.started_at),
        finished_at=parse_time(state.finished_at),
        automated=bool(initiated.automated),
        username=clean(initiated.username),
    )


def _gitops_revision(
    revision: str,
    revisions: Sequence[str] | None,
    sources: Sequence[_Source] | None,
    is_repository: IsRepository,
    hydrated: _Hydrated | None = None,
) -> str:
    """Return the commit of the GitOps repository.

    Where several revisions are given and none is known to be the repository's, it is the first that is a commit: the
    revision of a chart is its version.

    Args:
        revision: of an Application with one source; "" where it has several.
        revisions: of its several sources.
        sources: the sources of the revisions.
        is_repository: returns whether a URL is the GitOps repository's.
        hydrated: the commit people wrote and the one that Argo CD's hydrator rendered it into on another branch.
    """
    if hydrated is not None and revision == hydrated.hydrated_sha:
        revision = hydrated.dry_sha
    if revision:
        return revision
    candidates = revisions or ()
    index = _find_values_source((sources or ())[: len(candidates)], is_repository)
    own = () if index is None else (candidates[index],)
    return next(iter((*own, *filter(_COMMIT.fullmatch, candidates), *candidates)), "")
