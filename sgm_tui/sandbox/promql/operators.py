"""PromQL operators between scalars and vectors, with the matching of vectors to each other."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sgm_tui.sandbox.promql.values import NAME, Labels, PromqlError, Sample, Vector, distinct, labels_of, without_name
from sgm_tui.sandbox.promql.values import written as write_labels

_Operation = Callable[[float, float], float]


def _divided(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def _remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


ARITHMETIC: Mapping[str, _Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": _remainder,
    "^": _power,
    "atan2": math.atan2,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}

_KEEPS_NAME = {*COMPARISONS, "atan2"}
"""Everything else makes another quantity, which has no name yet."""


@dataclass(frozen=True, slots=True)
class Matching:
    """How elements of two vectors find each other."""

    labels: Sequence[str] = ()
    on: bool = False
    """Only these labels count; otherwise all but these."""
    card: str = "OneToOne"
    include: Sequence[str] = ()
    """Labels the many side takes over from the one side."""

    def signature(self, labels: Labels) -> Labels:
        """What has to be equal."""
        if self.on:
            return tuple(pair for pair in labels if pair[0] in self.labels)
        return tuple(pair for pair in labels if pair[0] not in self.labels and pair[0] != NAME)


def of_scalars(op: str, left: float, right: float) -> float:
    """Two numbers; a comparison of them is always with `bool`."""
    if op in ARITHMETIC:
        return ARITHMETIC[op](left, right)
    return float(COMPARISONS[op](left, right))


def with_scalar(op: str, vector: Vector, number: float, *, swapped: bool, as_bool: bool) -> Vector:
    """Every element with a number; `swapped` is the number on the left."""
    if op in ARITHMETIC:
        compute = ARITHMETIC[op]
        return distinct([
            (without_name(labels), compute(number, value) if swapped else compute(value, number))
            for labels, value in vector
        ])  # fmt: skip
    compare = COMPARISONS[op]
    held = [(labels, value, compare(number, value) if swapped else compare(value, number)) for labels, value in vector]
    if as_bool:
        return distinct([(without_name(labels), float(holds)) for labels, _, holds in held])
    return [(labels, value) for labels, value, holds in held if holds]


def of_sets(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """`and`, `or`, `unless`: elements by whether the other side has one like them."""
    if op == "or":
        known = {matching.signature(labels) for labels, _ in left}
        return left + [element for element in right if matching.signature(element[0]) not in known]
    others = {matching.signature(labels) for labels, _ in right}
    return [element for element in left if (matching.signature(element[0]) in others) == (op == "and")]


def of_vectors(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool) -> Vector:
    """Elements of two vectors, each with the one that matches it."""
    many_right = matching.card == "OneToMany"
    many, one = (right, left) if many_right else (left, right)
    partners = _partners(one, matching, side="left" if many_right else "right")
    taken: set[Labels] = set()
    out: Vector = []
    for labels, value in many:
        signature = matching.signature(labels)
        partner = partners.get(signature)
        if partner is None:
            continue
        compute = (partner[1], value) if many_right else (value, partner[1])
        result = _applied(op, *compute, as_bool=as_bool)
        if result is None:
            continue
        keeps = op in _KEEPS_NAME and not as_bool
        made = _result_labels(labels, partner[0], signature, matching, keeps_name=keeps)
        if (signature if matching.card == "OneToOne" else made) in taken:
            raise _ambiguous(matching)
        taken.add(signature if matching.card == "OneToOne" else made)
        out.append((made, result))
    return out


def _applied(op: str, left: float, right: float, *, as_bool: bool) -> float | None:
    if op in ARITHMETIC:
        return ARITHMETIC[op](left, right)
    holds = COMPARISONS[op](left, right)
    return float(holds) if as_bool else left if holds else None


def _partners(one: Vector, matching: Matching, *, side: str) -> dict[Labels, Sample]:
    found: dict[Labels, Sample] = {}
    for element in one:
        signature = matching.signature(element[0])
        if signature in found:
            twice = f"[{write_labels(element[0])}, {write_labels(found[signature][0])}]"
            raise PromqlError(
                "execution",
                f"found duplicate series for the match group {write_labels(signature)} on the {side} hand-side of the "
                f"operation: {twice};many-to-many matching not allowed: matching labels must be unique on one side",
            )
        found[signature] = element
    return found


def _ambiguous(matching: Matching) -> PromqlError:
    if matching.card == "OneToOne":
        return PromqlError(
            "execution", "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )
    return PromqlError(
        "execution", "multiple matches for labels: grouping labels must ensure unique matches"
    )  # fmt: skip


def _result_labels(many: Labels, one: Labels, signature: Labels, matching: Matching, *, keeps_name: bool) -> Labels:
    if matching.card == "OneToOne":
        if matching.on:
            return signature
        kept = many if keeps_name else without_name(many)
        return tuple(pair for pair in kept if pair[0] not in matching.labels)
    labels = dict(many if keeps_name else without_name(many))
    theirs = dict(one)
    for name in matching.include:
        labels[name] = theirs.get(name, "")
    return labels_of(labels)
