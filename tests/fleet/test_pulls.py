"""Which actions on a pull request may change a protected stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from sgm_tui.fleet.facts import PullRequest, UnrelatedChange
from sgm_tui.fleet.model import StageName, Version
from sgm_tui.fleet.pull_request_actions import ACTION_NAMES, PullAction, changes_protected

DEV, STAGING, PROD = (builders.key("cart", name) for name in ("dev-eu1", "staging-eu1", "prod-eu1"))
MERGING = {"merge", "auto-merge"}
COMPLETING = {"approve", "update"}


def request(**facts: Any) -> PullRequest:
    return replace(builders.pull_request(7, "a change"), **{"proposes": (), "auto_merge": False, **facts})


CHANGES_PROD: list[dict[str, Any]] = [
    {"proposes": ((PROD, Version("v2")),)},
    {"proposes": ((DEV, Version("v2")), (PROD, Version("v2")))},
    {"unrelated_changes": (UnrelatedChange("prod/notes.txt", stage=StageName("prod")),)},
    {"unrelated_changes": (UnrelatedChange("charts/microservice/templates/rollout.yaml"),)},
    {"unrelated_changes": (UnrelatedChange("argocd/applicationsets/app-service.yaml"),)},
    {"unrelated_changes": (UnrelatedChange("CODEOWNERS"),)},
    {"proposes": ((DEV, Version("v2")),), "unrelated_changes": (UnrelatedChange(".github/workflows/promote.yaml"),)},
    {"unknown": frozenset({"proposes"})},
]
CHANGES_NO_PROD: list[dict[str, Any]] = [
    {"proposes": ((DEV, Version("v2")), (STAGING, Version("v2")))},
    {"unrelated_changes": (UnrelatedChange("dev/platform/values.yaml", stage=StageName("dev")),)},
]


@pytest.mark.parametrize("action", ACTION_NAMES)
@pytest.mark.parametrize("auto_merge", [False, True])
@pytest.mark.parametrize("facts", CHANGES_PROD)
def test_merging_it_or_completing_its_auto_merge_needs_the_protected_stage(
    facts: dict[str, Any], auto_merge: bool, action: PullAction
) -> None:
    asks = action in MERGING or (auto_merge and action in COMPLETING)
    found = changes_protected(request(auto_merge=auto_merge, **facts), action, builders.fleet())
    assert found == (("prod",) if asks else ())


@pytest.mark.parametrize("action", ACTION_NAMES)
@pytest.mark.parametrize("facts", CHANGES_NO_PROD)
def test_what_stays_in_the_folders_of_other_stages_needs_none(facts: dict[str, Any], action: PullAction) -> None:
    assert changes_protected(request(auto_merge=True, **facts), action, builders.fleet()) == ()
