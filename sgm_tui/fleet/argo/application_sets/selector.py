"""Kubernetes label selectors, as generators use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sgm_tui.fleet.argo.application_sets.context import Context, GeneratorError
from sgm_tui.fleet.argo.application_sets.parameters import text_of


def is_selected(context: Context, selector: Any, labels: Mapping[str, str]) -> bool:
    """Return whether labels match a selector.

    Raises:
        GeneratorError: the selector is malformed.
    """
    required = context.mapping(context.mapping(selector).get("matchLabels"))
    if any(labels.get(str(key)) != text_of(value) for key, value in required.items()):
        return False
    expressions = context.mappings(selector.get("matchExpressions"))
    return all(_matches(context, expression, labels) for expression in expressions)


def _matches(context: Context, expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, operator = labels.get(str(expression.get("key"))), expression.get("operator")
    listed = expression.get("values")
    values = [text_of(item) for item in listed] if isinstance(listed, list) else []
    if operator in {"In", "NotIn"}:
        return bool((value in values) == (operator == "In"))
    if operator in {"Exists", "DoesNotExist"}:
        return bool((value is not None) == (operator == "Exists"))
    shown = text_of(operator)
    raise GeneratorError(
        f'"{shown}" is no operator of a selector: In, NotIn, Exists, DoesNotExist',
        context.place_of(operator or expression),
        f'"{shown}" is not a valid label selector operator',
    )
