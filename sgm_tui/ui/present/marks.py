"""What one row tells at a glance: who is behind the stage before, and who differs from its own stage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.model import ClusterName, Fleet, Version
from sgm_tui.fleet.versions import order_of
from sgm_tui.ui.present.glyphs import AHEAD, BEHIND

_NUMBERS = re.compile(r"\d+")
_LARGEST_SHOWN = 99


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one cell."""

    distance: str = ""
    """`↓2`: two releases behind the stage before, `↑1` one ahead; only the arrow where they cannot be counted."""
    skewed: bool = False
    """Most of its siblings in the stage run another version."""


NONE = Marks()


def running(cell: Cell) -> Version | None:
    """What a cell runs, or is meant to run where the cluster does not tell."""
    return cell.live_version or cell.desired_version


def distance(version: Version, reference: Version, releases: AbstractSet[Version] = frozenset()) -> str:
    """How far `version` is from `reference`, as a mark; "" when equal or not comparable.

    The number counts the releases between them, and the newer of the two, among those known of the service; where one
    of the two is not known, nobody can count and only the arrow is left.
    """
    ours, theirs = _order(version), _order(reference)
    if len(ours) != len(theirs) or ours == theirs:
        return ""
    arrow = BEHIND if ours < theirs else AHEAD
    if version not in releases or reference not in releases:
        return arrow
    older, newer = min(ours, theirs), max(ours, theirs)
    orders = {_order(one) for one in releases if not _is_pre_release(one)}
    between = sum(len(order) == len(older) and older < order < newer for order in orders)
    return f"{arrow}{min(between + 1, _LARGEST_SHOWN)}"


def _order(version: Version) -> tuple[Any, ...]:
    """What a version sorts by: as semver has it, else by its numbers (v12, 1.2.3.4); () for what has no order."""
    return order_of(version) or _numbers(version)


def _is_pre_release(version: Version) -> bool:
    """Whether it is none of the releases on the way."""
    order = order_of(version)
    return order is not None and not order[3]


def row_marks(
    fleet: Fleet, cells: Sequence[Cell], releases: AbstractSet[Version] = frozenset()
) -> dict[ClusterName, Marks]:
    """The marks of every cell of one row that has any; `releases` are the known versions of its service."""
    marks: dict[ClusterName, Marks] = {}
    before: Version | None = None
    for stage in fleet.stages:
        members = [cell for cell in cells if cell.key.stage == stage.name]
        usual = _usual(members)
        for cell in members:
            version = running(cell)
            if version is None:
                continue
            mark = Marks(distance(version, before, releases) if before else "", usual is not None and version != usual)
            if mark != NONE:
                marks[cell.key.cluster] = mark
        before = usual or before
    return marks


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
