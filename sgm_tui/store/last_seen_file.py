"""Save what the dashboard shows, so that the next one has a fleet on its first frame.

The first frame reads this file before any library is loaded, so it is JSON by lines: a header with the shape of the
fleet, then a line for each service, of which only those on the screen are decoded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.last_seen import LastSeen
from sgm_tui.fleet.model import CellKey, Cluster, ClusterName, Fleet, ServiceName, Stage, StageName, Version
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.private_files import replace_file

SCHEMA = 1
"""The format of the file; a file of another one is ignored."""
_LARGEST = 16_000_000
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
            versions = json.loads(line)
            return {
                cluster: Version(version)
                for cluster, version in zip(self._clusters, versions, strict=True)
                if isinstance(version, str) and version
            }
        except _UNREADABLE as error:
            logger.info("a service's last seen versions cannot be read: %s", error)
            return {}


def read_last_seen(file: Path) -> LastSeen | None:
    """Return what an earlier run saved; None if there is nothing, or nothing that can be read."""
    try:
        if file.stat().st_size > _LARGEST:
            return None
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        header = json.loads(first)
        return _last_seen(header, lines) if header["schema"] == SCHEMA else None
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        logger.info("what was seen last cannot be read: %s", error)
        return None


def _last_seen(header: Mapping[str, Any], lines: list[str]) -> LastSeen:
    seen_at = datetime.fromisoformat(header["seen_at"])
    if seen_at.tzinfo is None:
        raise ValueError("the time has no zone")
    stages = tuple(Stage(StageName(str(name)), bool(protected)) for name, protected in header["stages"])
    clusters = tuple(
        Cluster(ClusterName(str(name)), StageName(str(stage)), str(location))
        for name, stage, location in header["clusters"]
    )
    services = [ServiceName(str(name)) for name in header["services"]]
    return LastSeen(seen_at, Fleet(stages, clusters), _Rows(services, lines, [cluster.name for cluster in clusters]))


def write_last_seen(file: Path, snapshot: FleetSnapshot) -> None:
    """Save the versions of a snapshot that are certain: those of cells whose sources respond.

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


def _certain_version(snapshot: FleetSnapshot, service: ServiceName, cluster: Cluster) -> str:
    cell = snapshot.cells.get(CellKey(service, cluster.stage, cluster.name))
    if cell is None or cell.journey is Journey.UNKNOWN or cell.facts.unavailable_kinds:
        return ""
    return cell.live_version or cell.desired_version or ""
