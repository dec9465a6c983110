"""Where everything of the matrix is: columns, stage bands, and how wide each is. Pure geometry.

Columns keep their place whatever happens in them: widths follow from the screen's width and the fleet's shape alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rich.cells import cell_len

from sgm_tui.fleet.model import Cluster, Stage, StageName
from sgm_tui.fleet.snapshot import FleetSnapshot

NARROWEST = 9
"""`◐ v1.4.2`: the least a cell can be read in; a fleet that needs less scrolls sideways."""
WIDEST = 40
FOLDED = 10
SERVICE_NARROWEST, SERVICE_WIDEST = 8, 26
MARKER = 1
"""The cursor's mark before the service."""
EDGE = 2
"""The rule and the space before every stage."""
GAP = 1


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a cluster, or a whole folded stage."""

    stage: StageName
    clusters: tuple[Cluster, ...]
    x: int
    """Offset from the frozen service column, in terminal cells."""
    width: int
    start: int
    """The offset the body is scrolled to when this column is to be the first: its own, or that of the rule before."""
    protected: bool = False
    folded: bool = False

    @property
    def leads(self) -> bool:
        """Whether a rule is before it, because it is the first of its stage."""
        return self.start != self.x


@dataclass(frozen=True, slots=True)
class Band:
    """One stage over its columns."""

    stage: StageName
    protected: bool
    x: int
    """Offset of its rule."""
    width: int
    columns: tuple[Column, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole geometry for one screen width."""

    width: int = 0
    """Width of the screen that the columns were laid out for."""
    service_width: int = SERVICE_NARROWEST
    bands: tuple[Band, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def frozen(self) -> int:
        """Width of what never scrolls sideways: marker, service and a space."""
        return MARKER + self.service_width + GAP

    @property
    def body_width(self) -> int:
        """Width of everything that scrolls sideways."""
        return self.bands[-1].x + self.bands[-1].width if self.bands else 0

    def snapped(self, offset: float) -> int:
        """The beginning of the column that is at this offset."""
        after = bisect_right(self.columns, offset, key=_start)
        return self.columns[after - 1].start if after else 0

    def reaching(self, offset: int) -> int:
        """The first beginning of a column at or after this offset."""
        at = bisect_left(self.columns, offset, key=_start)
        return self.columns[at].start if at < len(self.columns) else 0

    def offset_showing(self, column: Column, scroll: float) -> int:
        """Return the offset nearest to the current one at which a column is wholly on the screen."""
        offset, room = self.snapped(scroll), self.width - self.frozen
        if column.start < offset:
            return column.start
        if column.x + column.width > offset + room:
            return min(column.start, self.reaching(column.x + column.width - room))
        return offset

    def column_at(self, offset: int) -> int | None:
        """The index of the column at this offset of the body."""
        for index, column in enumerate(self.columns):
            if column.x <= offset < column.x + column.width + GAP:
                return index
        return None

    def band_at(self, offset: int) -> Band | None:
        """The band at this offset of the body."""
        return next((band for band in self.bands if band.x <= offset < band.x + band.width), None)


def _start(column: Column) -> int:
    return column.start


def lay_out(snapshot: FleetSnapshot, folded: AbstractSet[StageName], width: int) -> Layout:
    """The geometry of this fleet on a screen so wide; stages without clusters have no band."""
    service_width = max((cell_len(service) for service in snapshot.services), default=SERVICE_NARROWEST)
    widest = SERVICE_WIDEST if width >= 110 else max(SERVICE_NARROWEST, width // 5)
    service_width = min(max(service_width, SERVICE_NARROWEST), widest)
    frozen = MARKER + service_width + GAP
    stages = [stage for stage in snapshot.fleet.stages if snapshot.fleet.clusters_of(stage.name)]
    opened = sum(len(snapshot.fleet.clusters_of(stage.name)) for stage in stages if stage.name not in folded)
    shut = sum(stage.name in folded for stage in stages)
    spare = width - frozen - EDGE * len(stages) - shut * (FOLDED + GAP)
    each = min(max(spare // opened - GAP, NARROWEST), WIDEST) if opened else NARROWEST
    bands: list[Band] = []
    start = 0
    for stage in stages:
        is_folded = stage.name in folded
        columns = _columns(stage, snapshot.fleet.clusters_of(stage.name), start, each, is_folded=is_folded)
        band_width = EDGE + sum(column.width + GAP for column in columns)
        bands.append(Band(stage.name, stage.protected, start, band_width, columns, is_folded))
        start += band_width
    return Layout(width, service_width, tuple(bands), tuple(column for band in bands for column in band.columns))


def _columns(
    stage: Stage, clusters: tuple[Cluster, ...], band_x: int, width: int, *, is_folded: bool
) -> tuple[Column, ...]:
    first_x = band_x + EDGE
    if is_folded:
        return (Column(stage.name, clusters, first_x, FOLDED, band_x, stage.protected, folded=True),)
    positions = [first_x + index * (width + GAP) for index in range(len(clusters))]
    return tuple(
        Column(stage.name, (cluster,), x, width, band_x if x == first_x else x, stage.protected)
        for cluster, x in zip(clusters, positions, strict=True)
    )
