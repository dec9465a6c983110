"""Save what the dashboard shows, so that the next one has a fleet on its first frame.

The first frame reads this file before any library is loaded, so it is JSON by lines: a header with the shape of the
fleet, then a line for each service, of which only those on the screen are decoded.
"""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.last_seen import UNCERTAIN, LastSeen
from sgm_tui.fleet.model import CellKey, Cluster, ClusterName, Fleet, ServiceName, Stage, StageName, Version
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.json_reader import read_json
from sgm_tui.private_files import replace_file

SCHEMA = 1
"""The format of the file; a file of another one is ignored."""
_LARGEST = 16_000_000
_LONGEST_NAME = 256
"""Characters of a name or version, as long as sources ever report one."""
_OLDEST = timedelta(days=365)
"""What was seen earlier is not shown; what was seen in the future was saved before the clock was set back."""
_MOST_FILES = 20
"""Each change of a configuration leads to a new file: the oldest are removed."""
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)

logger = logging.getLogger("sgm.last_seen")


class _Rows(Mapping[ServiceName, Mapping[ClusterName, Version]]):
    """The versions of every service; a line is decoded when it is first asked for."""

    def __init__(self, services: list[ServiceName], lines: list[str], clusters: list[ClusterName]) -> None:
        self._lines = dict(zip(services, lines, strict=True))
        self._clusters = clusters
        self._decoded: dict[ServiceName, Mapping[ClusterName, Version]] = {}

    def __getitem__(self, service: ServiceName) -> Mapping[ClusterName, Version]:
        if service not in self._decoded:
            self._decoded[service] = self._decode(self._lines[service])
        return self._decoded[service]

    def __iter__(self) -> Iterator[ServiceName]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def _decode(self, line: str) -> Mapping[ClusterName, Version]:
        try:
            versions = read_json(line)
            return {
                cluster: Version(_text(version))
                for cluster, version in zip(self._clusters, versions, strict=True)
                if version is not None
            }
        except _UNREADABLE as error:
            logger.info("a service's last seen versions cannot be read: %s", error)
            return dict.fromkeys(self._clusters, UNCERTAIN)


def read_last_seen(file: Path, now: datetime) -> LastSeen | None:
    """Return what an earlier run saved; None if there is nothing, or nothing that can be read and shown."""
    try:
        status = file.stat()
        if status.st_size > _LARGEST or not stat.S_ISREG(status.st_mode):
            return None
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        header = read_json(first)
        last_seen = _last_seen(header, lines) if header["schema"] == SCHEMA else None
        return last_seen if last_seen is not None and timedelta(0) <= now - last_seen.seen_at <= _OLDEST else None
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        logger.info("what was seen last cannot be read: %s", error)
        return None


def _last_seen(header: Mapping[str, Any], lines: list[str]) -> LastSeen:
    seen_at = datetime.fromisoformat(header["seen_at"])
    if seen_at.tzinfo is None:
        raise ValueError("the time has no zone")
    stages = tuple(Stage(StageName(_name(name)), bool(protected)) for name, protected in header["stages"])
    clusters = tuple(
        Cluster(ClusterName(_name(name)), StageName(stage), _text(location))
        for name, stage, location in header["clusters"]
    )
    services = [ServiceName(_name(name)) for name in header["services"]]
    names = [cluster.name for cluster in clusters]
    for unique in ([stage.name for stage in stages], names, services):
        _refuse_duplicates(unique)
    if {cluster.stage for cluster in clusters} - {stage.name for stage in stages}:
        raise ValueError("a cluster has no stage")
    return LastSeen(seen_at, Fleet(stages, clusters), _Rows(services, lines, names))


def _text(value: Any) -> str:
    """Return a text a terminal can show; sources' texts were cleaned before they were saved, a foreign file's not."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError("a text that no source reports")
    return value


def _name(value: Any) -> str:
    if not (name := _text(value)):
        raise ValueError("an empty name")
    return name


def _refuse_duplicates(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError("a name is there twice")


def write_last_seen(file: Path, snapshot: FleetSnapshot) -> None:
    """Save which cells there are, and the versions that are certain: those of cells whose sources respond.

    Raises:
        OSError: the file holds what it held before.
    """
    clusters = snapshot.fleet.clusters
    header = {
        "schema": SCHEMA,
        "seen_at": snapshot.generated_at.isoformat(),
        "stages": [[stage.name, stage.protected] for stage in snapshot.fleet.stages],
        "clusters": [[cluster.name, cluster.stage, cluster.location] for cluster in clusters],
        "services": list(snapshot.services),
    }
    rows = ([_certain_version(snapshot, service, cluster) for cluster in clusters] for service in snapshot.services)
    replace_file(file, "\n".join(json.dumps(line) for line in (header, *rows)).encode())
    for old in sorted(file.parent.glob(f"*{file.suffix}"), key=_written_at, reverse=True)[_MOST_FILES:]:
        old.unlink(missing_ok=True)


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # another process has just removed it


def has_certain_version(snapshot: FleetSnapshot) -> bool:
    """Return whether the version of any cell is certain."""
    return any(map(_version_of, snapshot.cells.values()))


def _certain_version(snapshot: FleetSnapshot, service: ServiceName, cluster: Cluster) -> Version | None:
    """Return the version of a cell, `UNCERTAIN` while a source does not respond; None where there is no cell."""
    cell = snapshot.cells.get(CellKey(service, cluster.stage, cluster.name))
    return None if cell is None else _version_of(cell)


def _version_of(cell: Cell) -> Version:
    if cell.journey is Journey.UNKNOWN or cell.facts.unavailable_kinds:
        return UNCERTAIN
    return cell.live_version or cell.desired_version or UNCERTAIN
