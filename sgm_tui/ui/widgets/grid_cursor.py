"""The cursor of the matrix: a service and a cluster, whatever row and column they are in at the moment."""

from __future__ import annotations

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName
from sgm_tui.ui.widgets.grid_layout import Column, Layout


class GridCursor:
    """A position that stays on its cell when rows re-sort, stages fold or snapshots come."""

    def __init__(self) -> None:
        self.services: tuple[ServiceName, ...] = ()
        """The rows as they are shown."""
        self.layout = Layout()
        self._service: ServiceName | None = None
        self._cluster: ClusterName | None = None
        self._row_of: dict[ServiceName, int] = {}

    @property
    def row(self) -> int:
        """The cursor's row; 0 while its service is not shown."""
        return self._row_of.get(self._service, 0) if self._service is not None else 0

    @property
    def column_index(self) -> int:
        """The index of the cursor's column; 0 while its cluster is not shown."""
        for index, column in enumerate(self.layout.columns):
            if any(cluster.name == self._cluster for cluster in column.clusters):
                return index
        return 0

    @property
    def column(self) -> Column | None:
        """The cursor's column; None in a matrix without columns."""
        columns = self.layout.columns
        return columns[self.column_index] if columns else None

    @property
    def shown_service(self) -> ServiceName | None:
        """The cursor's service; None while a filter hides it: until it is shown again, no key may act on it unseen."""
        return self._service if self._service in self._row_of else None

    def replace_rows(self, services: tuple[ServiceName, ...]) -> None:
        """Stay on the same service, or go to the row that took its place."""
        row_before = self.row
        self.services = services
        self._row_of = {service: row for row, service in enumerate(services)}
        if self._service not in self._row_of and services:
            self._service = services[min(row_before, len(services) - 1)]

    def choose_start(self) -> None:
        """Begin at the first row and the first cluster, as soon as there are any."""
        if self._service is None and self.services:
            self._service = self.services[0]
        columns = self.layout.columns
        if self._cluster is None and columns:
            self._cluster = columns[0].clusters[0].name

    def go_to(self, row: int, column_index: int) -> bool:
        """Go to a row and column, or to the nearest there are; return False in an empty matrix."""
        columns = self.layout.columns
        if not self.services or not columns:
            return False
        self._service = self.services[max(0, min(row, len(self.services) - 1))]
        column = columns[max(0, min(column_index, len(columns) - 1))]
        if not any(cluster.name == self._cluster for cluster in column.clusters):
            self._cluster = column.clusters[0].name
        return True

    def find(self, key: CellKey) -> tuple[int, int] | None:
        """Return the row and column of a cell, and choose its cluster in a folded stage; None if it is not shown."""
        for index, column in enumerate(self.layout.columns):
            if key.service in self._row_of and any(cluster.name == key.cluster for cluster in column.clusters):
                self._cluster = key.cluster
                return self._row_of[key.service], index
        return None
