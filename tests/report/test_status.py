"""`sgm status -o json`: what no source has reported is null, never an empty list."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from sgm_tui.fleet.source import SourceHealth, SourceId
from sgm_tui.report.assertion import parse
from sgm_tui.report.status import report


@pytest.mark.parametrize(("field", "kind", "scope"), [("pending", "forge", ""), ("alerts", "alerts", "prod-eu1")])
def test_a_list_of_a_source_that_never_answered_is_null_and_satisfies_no_assertion(
    field: str, kind: str, scope: str
) -> None:
    settled = builders.snapshot([builders.cell("cart", "prod-eu1"), builders.cell("cart", "prod-us1")])
    sources = (SourceHealth(SourceId("forge" if kind == "forge" else "alerts", scope)),)
    silent, other = report(replace(settled, sources=sources))["cells"]
    assert silent[field] is None
    assert not parse(f"{field}==0").holds(silent)
    assert other[field] == (None if kind == "forge" else [])

    answered = (replace(sources[0], seen_at=builders.NOW, state="fresh"),)
    first = report(replace(settled, sources=answered))["cells"][0]
    assert first[field] == []
    assert parse(f"{field}==0").holds(first)
