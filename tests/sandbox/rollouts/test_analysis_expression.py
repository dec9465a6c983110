"""Conditions of analysis metrics: what holds, and what is refused without being run."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.sandbox.rollouts.expression import ExpressionError, holds

NAN = math.nan


@pytest.mark.parametrize(
    ("condition", "result", "expected"),
    [
        ("result[0] >= 0.95", [0.95], True),
        ("result[0] >= 0.95", [0.94], False),
        ("result[0] < 2", [1.5], True),
        ("len(result) == 0 || isNaN(result[0]) || result[0] >= 0.99", [], True),
        ("len(result) == 0 || isNaN(result[0]) || result[0] >= 0.99", [NAN], True),
        ("len(result) == 0 || isNaN(result[0]) || result[0] >= 0.99", [0.5], False),
        ("len(result) > 0 && result[0] > 0.1", [0.2], True),
        ("len(result) > 0 and not (result[0] > 0.1)", [0.2], False),
        ("!isInf(result[0]) or false", [math.inf], False),
        ("default(result[0], 1) > 0.5", [NAN], True),
        ("default(result, 0) == 0", [], True),
        ("all(result, # > 0.5)", [0.6, 0.7], True),
        ("all(result, {# > 0.65})", [0.6, 0.7], False),
        ("any(result, # > 0.65)", [0.6, 0.7], True),
        ("none(result, # > 0.65)", [0.6], True),
        ("count(result, # > 0.65) == 1", [0.6, 0.7], True),
        ("result[-1] == 0.7", [0.6, 0.7], True),
        ("result[0] * 100 - 1 >= 2 + 3 / 2", [0.1], True),
        ("2 ** 3 % 5 == 3", [], True),
        ("result[0] in [1, 2]", [2.0], True),
        ("result[0] > 1 ? true : result[0] == 0.5", [0.5], True),
        ("asInt(result[0]) == 3 && asFloat('2.5') == 2.5", [3.7], True),
        ("-result[0] < 0", [1.0], True),
        ("result.success == 'yes'", {"success": "yes"}, True),
        ("isNil(result.missing)", {}, True),
    ],
)
def test_a_condition_holds_or_not(condition: str, result: object, expected: bool) -> None:
    assert holds(condition, result) is expected


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("result[0] >= 0.95", "index out of range: 0"),
        ("result[0]", "index out of range"),
        ("len(result)", "expected bool"),
        ("__import__('os')", "unknown name __import__"),
        ("result.__class__ == 1", "cannot fetch __class__"),
        ("open('/etc/passwd')", "unknown name open"),
        ("result ==", "unexpected token EOF"),
        ("result == 1 )", "unexpected token )"),
        ("result $ 1", "unrecognized character: $"),
        ("1 / 0 > 1", "divide by zero"),
        ("result > 1", "not supported"),
        ("asInt('x') == 1", "invalid literal"),
        ("9 ** 9 ** 9 ** 9 > 1", "too large"),
        ("(" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_computed_is_an_error_and_nothing_is_run(condition: str, why: str) -> None:
    with pytest.raises(ExpressionError) as error:
        holds(condition, [])
    assert why in str(error.value)


@given(st.text(max_size=40))
def test_no_text_does_more_than_hold_fail_or_be_refused(condition: str) -> None:
    try:
        assert holds(condition, [1.0]) in {True, False}
    except ExpressionError:
        return
