"""A real bare origin that holds the bundled platform, and the configuration that reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sgm_tui.config import file as config_file
from sgm_tui.config.schema import Config
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.sandbox.git.history import history
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.git.seed import seed

STARTED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
FILES = seed(2)
DEV = "dev/app-service/cart/values.yaml"
STAGING = "staging/app-service/cart/values.yaml"
PROD = "prod/prod-eu1/app-service/cart/values.yaml"
_TEAM_FILE = Path(__file__).parent.parent / "gitops-repo" / "sgm.yaml"


def origin_in(directory: Path) -> Repository:
    """A bare repository of two services on five clusters, with months of history."""
    origin = Repository(directory / "origin.git")
    origin.seed(history(FILES), STARTED)
    return origin


def config_of(origin: Repository, directory: Path) -> Config:
    """The platform's own sgm.yaml, reading that origin."""
    found = config_file.load(_TEAM_FILE, flags={}, environ={"HOME": str(directory)})
    return replace(found, repository=replace(found.repository, url=origin.path.as_uri()))


def cell(service: str, stage: str, location: str) -> CellKey:
    """The key of a cell of the bundled platform."""
    return CellKey(ServiceName(service), StageName(stage), ClusterName(f"{stage}-{location}"))


def with_version(data: bytes, version: str) -> bytes:
    """A values file that wants another version."""
    start = data.index(b"  tag: ") + len(b"  tag: ")
    end = start + min(data[start:].index(mark) for mark in (b" ", b"\n") if mark in data[start:])
    return data[:start] + version.encode() + data[end:]
