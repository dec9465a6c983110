"""What one row tells at a glance: who is behind the stage before, and who differs from its own stage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import ClusterName, Fleet, Version
from sgm_tui.ui.present.glyphs import AHEAD, BEHIND

_NUMBERS = re.compile(r"\d+")
_LARGEST_SHOWN = 99


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one cell."""

    distance: str = ""
    """`↓1`: behind the stage before by one in the first number that differs; `↑1` ahead of it."""
    skewed: bool = False
    """Most of its siblings in the stage run another version."""


NONE = Marks()


def running(cell: Cell) -> Version | None:
    """What a cell runs, or is meant to run where the cluster does not tell."""
    return cell.live_version or cell.desired_version


def distance(version: Version, reference: Version) -> str:
    """How far `version` is from `reference`, as a mark; "" when equal or not comparable."""
    ours, theirs = _numbers(version), _numbers(reference)
    if version == reference or len(ours) != len(theirs):
        return ""
    for mine, other in zip(ours, theirs, strict=True):
        if mine != other:
            count = min(abs(mine - other), _LARGEST_SHOWN)
            return f"{BEHIND if mine < other else AHEAD}{count}"
    return ""


def row_marks(fleet: Fleet, cells: Sequence[Cell]) -> dict[ClusterName, Marks]:
    """The marks of every cell of one row that has any."""
    found: dict[ClusterName, Marks] = {}
    before: Version | None = None
    for stage in fleet.stages:
        members = [cell for cell in cells if cell.key.stage == stage.name]
        usual = _usual(members)
        for cell in members:
            version = running(cell)
            if version is None:
                continue
            mark = Marks(distance(version, before) if before else "", usual is not None and version != usual)
            if mark != NONE:
                found[cell.key.cluster] = mark
        before = usual or before
    return found


def _usual(cells: Iterable[Cell]) -> Version | None:
    """The version most of a stage runs; of a draw, the newest."""
    counts = Counter(version for cell in cells if (version := running(cell)) is not None)
    return max(counts, key=lambda version: (counts[version], _numbers(version), version), default=None)


@lru_cache(maxsize=4096)
def _numbers(version: Version) -> tuple[int, ...]:
    """The numbers of a version like v1.10.0; none for a digest, which has no order."""
    text = version.removeprefix("v").partition("+")[0]
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,3}([-.][\w.]{1,40})?", text):
        return ()
    return tuple(int(number) for number in _NUMBERS.findall(text.partition("-")[0]))
