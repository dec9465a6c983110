"""PromQL aggregations: reduce the elements of each group to one, or select the most extreme."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from sgm_tui.sandbox.promql.range_functions import quantile, variance
from sgm_tui.sandbox.promql.values import NAME, Labels, Vector, labels_of, number_text

Grouping = Callable[[Labels], Labels]


def grouping(labels: Sequence[str], *, without: bool) -> Grouping:
    """Return the function that keeps the labels of a `by` or `without` clause, with a cache."""
    chosen = frozenset(labels)
    groups: dict[Labels, Labels] = {}

    def group(element: Labels) -> Labels:
        labels = groups.get(element)
        if labels is None:
            labels = groups[element] = tuple(
                pair for pair in element if (pair[0] in chosen) != without and not (without and pair[0] == NAME)
            )
        return labels

    return group


def _sum(values: Sequence[float]) -> float:
    # fsum refuses to add opposite infinities, floating point has an answer.
    total = sum(values)
    return math.fsum(values) if math.isfinite(total) else total


def _least(values: Sequence[float]) -> float:
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def _greatest(values: Sequence[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)


REDUCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": _sum,
    "avg": lambda values: _sum(values) / len(values),
    "min": _least,
    "max": _greatest,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": lambda values: math.sqrt(variance(values)),
    "stdvar": variance,
}
"""Aggregations without a parameter."""


def group_values(vector: Vector, group: Grouping) -> dict[Labels, list[float]]:
    """Return the values of each group, in the order in which the groups appear."""
    groups: dict[Labels, list[float]] = {}
    for labels, value in vector:
        key = group(labels)
        members = groups.get(key)
        if members is None:
            groups[key] = [value]
        else:
            members.append(value)
    return groups


def reduce_groups(vector: Vector, group: Grouping, reduce: Callable[[Sequence[float]], float]) -> Vector:
    """Return one element for each group."""
    return [(labels, reduce(values)) for labels, values in group_values(vector, group).items()]


def quantiles(vector: Vector, group: Grouping, fraction: float) -> Vector:
    """Return the quantile of each group."""
    return [(labels, quantile(fraction, values)) for labels, values in group_values(vector, group).items()]


def most_extreme(vector: Vector, group: Grouping, count: float, *, greatest: bool) -> Vector:
    """Apply `topk` or `bottomk`: return the elements themselves, the most extreme of each group first."""
    limit = 0 if math.isnan(count) else max(0, int(count))
    groups: dict[Labels, Vector] = {}
    for element in vector:
        groups.setdefault(group(element[0]), []).append(element)

    def order(element: tuple[Labels, float]) -> float:
        value = element[1]
        return math.inf if math.isnan(value) else -value if greatest else value

    return [element for members in groups.values() for element in sorted(members, key=order)[:limit]]


def count_values(vector: Vector, group: Grouping, label: str) -> Vector:
    """Apply `count_values`: count how many elements of a group have each value."""
    counts: dict[Labels, float] = {}
    for labels, value in vector:
        key = labels_of({**dict(group(labels)), label: number_text(value)})
        counts[key] = counts.get(key, 0.0) + 1.0
    return list(counts.items())
