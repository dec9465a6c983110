"""`sgm prs merge|approve|auto-merge` asks on the terminal what the dashboard asks."""

from __future__ import annotations

import io
from typing import Any

import builders
import pytest

from sgm_tui.commands import prs
from sgm_tui.fleet.facts import UnrelatedChange
from sgm_tui.fleet.model import StageName


@pytest.mark.parametrize(
    ("locked", "typed", "agreed"),
    [
        (("prod",), "prod\n", True),
        (("prod",), "y\n", False),
        (("prod",), "yes\n", False),
        (("prod",), "\n", False),
        (("prod",), "", False),
        (("prod", "dr"), "prod dr\n", True),
        (("prod", "dr"), "prod\n", False),
        ((), "y\n", True),
        ((), "prod\n", False),
    ],
)
def test_a_protected_stage_is_typed_and_a_yes_is_not_enough(
    locked: tuple[str, ...], typed: str, agreed: bool, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    request = builders.pull_request(57, "chore: a chart")
    assert prs._confirm(request, "approve", locked) is agreed
    assert ("Type prod" in capsys.readouterr().err) == bool(locked)


def test_it_names_the_shared_files_through_which_a_protected_stage_changes() -> None:
    paths = ("charts/a.yaml", "charts/b.yaml", "charts/c.yaml", "CODEOWNERS", "dev/x.yaml")
    unrelated_changes = tuple(
        UnrelatedChange(path, stage=StageName("dev") if path.startswith("dev") else None) for path in paths
    )
    request = builders.pull_request(57, "chore: a chart", unrelated_changes=unrelated_changes, auto_merge=True)
    assert prs._why_protected(request, ["prod"]) == (
        "#57 changes prod through charts/a.yaml, charts/b.yaml, charts/c.yaml and 1 more, which every stage shares, "
        "and auto-merge is on"
    )
