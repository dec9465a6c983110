"""The nouns: stages in order, the clusters in them, services, and the key of a cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

StageName = NewType("StageName", str)
ClusterName = NewType("ClusterName", str)
ServiceName = NewType("ServiceName", str)
Version = NewType("Version", str)
"""An image tag or digest. Always a string: `1.10` is not the number 1.1."""

_VERSION = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:@|$))?(?:[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
"""Compiled on first use: most commands never need it."""


def is_version(text: str) -> bool:
    """Return whether a registry could have an image of that tag, digest, or tag with digest (OCI reference)."""
    return bool(text) and not text.endswith("@") and re.fullmatch(_VERSION, text, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage on the way to production; stages are ordered."""

    name: StageName
    protected: bool = False
    """Whether writes need an explicit consent; drawn unmistakably."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One Kubernetes cluster; it belongs to one stage and has a location."""

    name: ClusterName
    stage: StageName
    location: str


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """One service in one cluster."""

    service: ServiceName
    stage: StageName
    cluster: ClusterName

    def __str__(self) -> str:
        return f"{self.service}@{self.cluster}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The configured shape: stages in order and every cluster, in column order."""

    stages: tuple[Stage, ...] = ()
    clusters: tuple[Cluster, ...] = ()

    def clusters_of(self, stage: StageName) -> tuple[Cluster, ...]:
        """Return the clusters of one stage, in column order."""
        return tuple(cluster for cluster in self.clusters if cluster.stage == stage)

    def cluster(self, name: str) -> Cluster | None:
        """Return the cluster of that name, or None."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def stage(self, name: str) -> Stage | None:
        """Return the stage of that name, or None."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def stage_after(self, name: StageName) -> Stage | None:
        """Return the stage that a promotion out of `name` goes to; None for the last, and for an unknown one."""
        names = [stage.name for stage in self.stages]
        position = names.index(name) + 1 if name in names else len(names)
        return self.stages[position] if position < len(names) else None

    def stage_before(self, name: StageName) -> Stage | None:
        """Return the stage that a promotion into `name` comes from; None for the first."""
        names = [stage.name for stage in self.stages]
        position = names.index(name) if name in names else 0
        return self.stages[position - 1] if position > 0 else None
