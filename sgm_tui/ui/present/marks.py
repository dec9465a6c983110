"""Marks of a row: which cells are behind the previous stage, and which differ from their own stage."""

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
    """`↓2` for two releases behind the previous stage, `↑1` for one ahead; only the arrow if unknown."""
    skewed: bool = False
    """Whether most of its siblings in the stage run another version."""


NONE = Marks()


def running(cell: Cell) -> Version | None:
    """Return the live version of a cell, or the desired one if the cluster reports none."""
    return cell.live_version or cell.desired_version


def distance(version: Version, reference: Version, releases: AbstractSet[Version] = frozenset()) -> str:
    """Return the distance of `version` from `reference` as a mark; "" if equal or not comparable.

    The number counts the releases in between and the newer of the two, among the known releases of the service; if one
    of the two is unknown, only the arrow remains.
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
    """Return the sort key of a version: semver, else its numbers (v12, 1.2.3.4); () if it has no order."""
    return order_of(version) or _numbers(version)


def _is_pre_release(version: Version) -> bool:
    """Return whether it is a pre-release, which does not count as a release."""
    order = order_of(version)
    return order is not None and not order[3]


def row_marks(
    fleet: Fleet, cells: Sequence[Cell], releases: AbstractSet[Version] = frozenset()
) -> dict[ClusterName, Marks]:
    """Return the marks of every cell of a row that has any; `releases` are the known versions of its service."""
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
    """Return the version most of a stage runs; of a draw, the newest."""
    counts = Counter(version for cell in cells if (version := running(cell)) is not None)
    return max(counts, key=lambda version: (counts[version], _numbers(version), version), default=None)


@lru_cache(maxsize=4096)
def _numbers(version: Version) -> tuple[int, ...]:
    """Return the numbers of a version like v1.10.0; none for a digest, which has no order."""
    text = version.removeprefix("v").partition("+")[0]
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,3}([-.][\w.]{1,40})?", text):
        return ()
    return tuple(int(number) for number in _NUMBERS.findall(text.partition("-")[0]))
