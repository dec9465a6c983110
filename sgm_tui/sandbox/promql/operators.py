"""PromQL operators between scalars and vectors, with vector matching."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sgm_tui.sandbox.promql.values import (
    NAME,
    Labels,
    PromqlError,
    Sample,
    Vector,
    labels_of,
    require_distinct,
    without_name,
)
from sgm_tui.sandbox.promql.values import format_labels as write_labels

_Operation = Callable[[float, float], float]


def _divide(dividend: float, divisor: float) -> float:
    if divisor == 0:
        if dividend == 0 or math.isnan(dividend):
            return math.nan
        return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)
    return dividend / divisor


def _remainder(dividend: float, divisor: float) -> float:
    return math.nan if divisor == 0 or math.isinf(dividend) else math.fmod(dividend, divisor)


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


ARITHMETIC: Mapping[str, _Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
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
"""Operators that keep the metric name; the others yield another quantity, which has no name."""


@dataclass(frozen=True, slots=True)
class Matching:
    """How elements of two vectors are matched."""

    labels: Sequence[str] = ()
    on: bool = False
    """Whether only these labels count; otherwise all labels but these."""
    card: str = "OneToOne"
    include: Sequence[str] = ()
    """Labels that the "many" side copies from the "one" side."""

    def signature(self, labels: Labels) -> Labels:
        """Return the labels that must be equal."""
        if self.on:
            return tuple(pair for pair in labels if pair[0] in self.labels)
        return tuple(pair for pair in labels if pair[0] not in self.labels and pair[0] != NAME)


def apply_to_scalars(op: str, lhs: float, rhs: float) -> float:
    """Apply an operator to two numbers; comparisons always have `bool`."""
    if op in ARITHMETIC:
        return ARITHMETIC[op](lhs, rhs)
    return float(COMPARISONS[op](lhs, rhs))


def apply_with_scalar(op: str, vector: Vector, number: float, *, swapped: bool, as_bool: bool) -> Vector:
    """Apply an operator to every element and a number; `swapped` if the number is on the left."""
    if op in ARITHMETIC:
        compute = ARITHMETIC[op]
        return require_distinct([
            (without_name(labels), compute(number, value) if swapped else compute(value, number))
            for labels, value in vector
        ])  # fmt: skip
    compare = COMPARISONS[op]
    compared = [
        (labels, value, compare(number, value) if swapped else compare(value, number)) for labels, value in vector
    ]
    if as_bool:
        return require_distinct([(without_name(labels), float(holds)) for labels, _, holds in compared])
    return [(labels, value) for labels, value, holds in compared if holds]


def apply_set_operator(op: str, lhs: Vector, rhs: Vector, matching: Matching) -> Vector:
    """Apply `and`, `or` or `unless`: select elements by whether the other side has a match."""
    if op == "or":
        left_signatures = {matching.signature(labels) for labels, _ in lhs}
        return lhs + [element for element in rhs if matching.signature(element[0]) not in left_signatures]
    right_signatures = {matching.signature(labels) for labels, _ in rhs}
    return [element for element in lhs if (matching.signature(element[0]) in right_signatures) == (op == "and")]


def apply_to_vectors(op: str, lhs: Vector, rhs: Vector, matching: Matching, *, as_bool: bool) -> Vector:
    """Apply an operator to the elements of two vectors that match each other."""
    many_right = matching.card == "OneToMany"
    many, unique = (rhs, lhs) if many_right else (lhs, rhs)
    partners = _partners(unique, matching, side="left" if many_right else "right")
    used: set[Labels] = set()
    out: Vector = []
    for labels, value in many:
        signature = matching.signature(labels)
        partner = partners.get(signature)
        if partner is None:
            continue
        compute = (partner[1], value) if many_right else (value, partner[1])
        result = _apply(op, *compute, as_bool=as_bool)
        if result is None:
            continue
        keeps = op in _KEEPS_NAME and not as_bool
        result_labels = _result_labels(labels, partner[0], signature, matching, keeps_name=keeps)
        if (signature if matching.card == "OneToOne" else result_labels) in used:
            raise _ambiguous(matching)
        used.add(signature if matching.card == "OneToOne" else result_labels)
        out.append((result_labels, result))
    return out


def _apply(op: str, lhs: float, rhs: float, *, as_bool: bool) -> float | None:
    if op in ARITHMETIC:
        return ARITHMETIC[op](lhs, rhs)
    holds = COMPARISONS[op](lhs, rhs)
    return float(holds) if as_bool else lhs if holds else None


def _partners(unique: Vector, matching: Matching, *, side: str) -> dict[Labels, Sample]:
    partners: dict[Labels, Sample] = {}
    for element in unique:
        signature = matching.signature(element[0])
        if signature in partners:
            twice = f"[{write_labels(element[0])}, {write_labels(partners[signature][0])}]"
            raise PromqlError(
                "execution",
                f"found duplicate series for the match group {write_labels(signature)} on the {side} hand-side of the "
                f"operation: {twice};many-to-many matching not allowed: matching labels must be unique on one side",
            )
        partners[signature] = element
    return partners


def _ambiguous(matching: Matching) -> PromqlError:
    if matching.card == "OneToOne":
        return PromqlError(
            "execution", "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )
    return PromqlError(
        "execution", "multiple matches for labels: grouping labels must ensure unique matches"
    )  # fmt: skip


def _result_labels(many: Labels, unique: Labels, signature: Labels, matching: Matching, *, keeps_name: bool) -> Labels:
    if matching.card == "OneToOne":
        if matching.on:
            return signature
        base = many if keeps_name else without_name(many)
        return tuple(pair for pair in base if pair[0] not in matching.labels)
    labels = dict(many if keeps_name else without_name(many))
    theirs = dict(unique)
    for name in matching.include:
        labels[name] = theirs.get(name, "")
    return labels_of(labels)
