"""The Argo CD Applications of one hub: a Table first, because it comes fourteen times sooner, then the full list.

A real API server needs seven seconds to list thirty thousand Applications and half a second for the same as a Table
without objects (performance.md §7); the Table has what a matrix needs first.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from sgm_tui.errors import SgmError
from sgm_tui.fleet.facts import Application
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.source import SourceId
from sgm_tui.fleet.updates import (
    AnswerArriving,
    ApplicationChanged,
    ApplicationDeleted,
    ApplicationsListed,
    SourceAnswered,
    SourceOff,
    SourceUnreachable,
)
from sgm_tui.live.application_wire import ApplicationWire, Table, applications_of, to_application
from sgm_tui.live.connection import AbsentError, ClusterConnection, decode, probe
from sgm_tui.live.naming import IsService, Naming
from sgm_tui.live.watch import Changed, Collection, Failed, Heartbeat, Listed, follow, in_batches
from sgm_tui.live.wire import RawObject, Unreadable, read_object
from sgm_tui.sources import Publish
from sgm_tui.supervision import run_together
from sgm_tui.untrusted_text import clean

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
UNREADABLE = "Unreadable"
"""Stands in for a sync or health status that cannot be read: no rule takes it for a good one."""
_log = logging.getLogger("sgm.argocd")


class ApplicationSource:
    """Follows the Applications of one namespace of a hub."""

    def __init__(
        self, connection: ClusterConnection, namespace: str, naming: Naming, *, is_service: IsService, scope: str = ""
    ) -> None:
        """Follow nothing yet.

        Args:
            connection: to the hub.
            namespace: of the Applications.
            naming: finds the cell of an Application.
            is_service: returns whether git knows a service of that name: the rows of a Table have no labels.
            scope: the name of the source, where that is not just the hub's.
        """
        self.source = SourceId("argocd", scope or connection.context)
        self._connection = connection
        self._namespace = namespace
        self._path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications"
        self._naming = naming
        self._is_service = is_service
        self._keys: dict[str, CellKey] = {}
        self._claims: defaultdict[CellKey, dict[str, Application]] = defaultdict(dict)
        """The Applications of each cell by name: a service's database may carry its label too."""
        self._wake = asyncio.Event()
        self._is_following = False
        """The list has been read and its watch has not failed since."""
        self._has_missed_probe = False
        """The last probe failed: bookmarks, which a server makes from memory, then prove nothing."""

    def refresh(self) -> None:
        """Try again now, if the source waits after a failure."""
        self._wake.set()

    async def run(self, publish: Publish) -> None:
        """Publish what Argo CD reports until cancelled; failures are published, never raised."""
        await run_together(self._follow(publish), self._probe_regularly(publish))

    async def _follow(self, publish: Publish) -> None:
        await self._publish_table(publish)
        collection = Collection(
            self._connection, self._path, ApplicationWire, arrived=lambda: publish(AnswerArriving(self.source))
        )
        async for event in follow(collection, wake=self._wake):
            match event:
                case Listed():
                    publish(ApplicationsListed(self.source, await self._read_list(event.items)))
                case Changed(change, wire):
                    self._apply_change(change, wire, publish)
                case Heartbeat() if not self._has_missed_probe:
                    publish(SourceAnswered(self.source))
                case Failed(AbsentError(), _):
                    publish(SourceOff(self.source, f"Argo CD is not installed on {self._connection.context}"))
                case Failed(error, pause):
                    publish(SourceUnreachable(self.source, error.message, pause))
            self._is_following = not isinstance(event, Failed)

    async def _probe_regularly(self, publish: Publish) -> None:
        """Notice that a hub stopped responding sooner than its watch would, and its return sooner than a retry."""
        while True:
            error = await probe(self._connection, self._path)
            had_missed, self._has_missed_probe = self._has_missed_probe, error is not None
            if error is not None:
                publish(SourceUnreachable(self.source, error.message, self._connection.pace.probe))
            elif self._is_following:
                publish(SourceAnswered(self.source))
            elif had_missed:
                self.refresh()
            await asyncio.sleep(self._connection.pace.probe)

    async def _publish_table(self, publish: Publish) -> None:
        """Publish the Applications of a Table; where there is none, the list that follows reports the error."""
        try:
            data = await self._connection.get(self._path, {"includeObject": "None"}, accept=_TABLE)
            table = decode(data, Table, self._connection)
        except SgmError as error:
            _log.info("no Table from %s: %s", self._connection.context, error.message)
            return
        applications: dict[CellKey, Application] = {}
        for application in applications_of(table, self._namespace, self._connection.context):
            key = self._naming.of_application(application.name)
            if key is not None and self._is_service(key.service):
                applications[key] = application
        if applications:
            publish(ApplicationsListed(self.source, applications))

    async def _read_list(self, items: list[RawObject]) -> dict[CellKey, Application]:
        keys: dict[str, CellKey] = {}
        claims: defaultdict[CellKey, dict[str, Application]] = defaultdict(dict)
        async for raw in in_batches(items):
            name, key, application = self._convert(read_object(raw, ApplicationWire))
            if key is not None and application is not None:
                keys[name] = key
                claims[key][name] = application
        self._keys, self._claims = keys, claims
        return {key: applications[self._representative(key)] for key, applications in claims.items()}

    def _representative(self, key: CellKey) -> str:
        """Return which Application stands for a cell: one named after it, else the first by name."""
        return min(self._claims[key], key=lambda name: (not self._naming.is_called_after(name, key), name))

    def _apply_change(self, change: str, wire: ApplicationWire | Unreadable, publish: Publish) -> None:
        name, key, application = self._convert(wire)
        before = self._keys.get(name)
        if before is not None and (change == "DELETED" or before != key):
            self._remove_from_cell(name, before, publish)
        if key is None or application is None or change == "DELETED":
            publish(SourceAnswered(self.source))
            return
        self._keys[name] = key
        self._claims[key][name] = application
        publish(ApplicationChanged(self.source, key, self._claims[key][self._representative(key)]))

    def _remove_from_cell(self, name: str, key: CellKey, publish: Publish) -> None:
        """Forget an Application of a cell, and publish which other one stands for the cell, or that none does."""
        del self._keys[name]
        del self._claims[key][name]
        if self._claims[key]:
            publish(ApplicationChanged(self.source, key, self._claims[key][self._representative(key)]))
        else:
            publish(ApplicationDeleted(self.source, key))

    def _convert(self, wire: ApplicationWire | Unreadable) -> tuple[str, CellKey | None, Application | None]:
        """Return name, cell and value of an Application.

        One that cannot be read has a value that shows so, never its previous one.
        """
        hub = self._connection.context
        if isinstance(wire, Unreadable):
            return self._convert_unreadable(wire)
        key = self._naming.of_application(
            wire.metadata.name,
            service=wire.metadata.label("service"),
            destination=wire.destination,
            hub=hub,
            namespace=wire.namespace,
        )
        application = None if key is None else to_application(wire, self._naming.is_repository, hub)
        return wire.metadata.name, key, application

    def _convert_unreadable(self, wire: Unreadable) -> tuple[str, CellKey | None, Application | None]:
        hub, metadata = self._connection.context, wire.metadata
        _log.warning("an Application of %s cannot be read: %s", hub, wire.reason)
        if metadata is None:
            return "", None, None
        service = metadata.label("service")
        key = self._naming.of_application(metadata.name, service=service) or self._keys.get(metadata.name)
        application = Application(
            clean(metadata.name),
            self._namespace,
            UNREADABLE,
            UNREADABLE,
            detailed=True,
            health_message=wire.reason,
            hub=hub,
        )
        return metadata.name, key, application
