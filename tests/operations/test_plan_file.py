"""The plan on disk: restarts, several terminals, damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Extra
from sgm_tui.operations.plan_file import PlanFile


def change(service: str, version: str = "v2") -> Change:
    where = CellKey(ServiceName(service), StageName("prod"), ClusterName("prod-eu1"))
    return Change(
        kind="promotion",
        service=where.service,
        stage=where.stage,
        cluster=where.cluster,
        path=f"prod/prod-eu1/app-service/{service}/values.yaml",
        key="image.tag",
        from_version=Version("1.10"),
        to_version=Version(version),
        cells=(where,),
        strategy="bluegreen",
        extras=(Extra("rollout.strategy", '"blueGreen"', "strategy bluegreen"),),
        undoes=("0" * 40,),
    )


def test_a_plan_survives_a_restart_whole(tmp_path: Path) -> None:
    kept = PlanFile(tmp_path / "plan.json").update(lambda plan: plan.with_change(change("cart"), change("search")))
    again = PlanFile(tmp_path / "plan.json")
    assert again.reload()
    assert again.plan == kept
    assert not again.reload()


def test_two_terminals_fill_one_cart(tmp_path: Path) -> None:
    one, other = PlanFile(tmp_path / "plan.json"), PlanFile(tmp_path / "plan.json")
    one.update(lambda plan: plan.with_change(change("cart")))
    other.update(lambda plan: plan.with_change(change("search")))
    assert one.reload()
    assert [made.service for made in one.plan.changes] == ["cart", "search"]


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"schema": 9, "changes": []}', '{"schema": 1, "changes": [{"kind": "promotion"}]}']
)
def test_a_damaged_plan_is_set_aside_and_never_overwritten(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(damage, encoding="utf-8")
    cart = PlanFile(file)
    cart.reload()
    assert cart.plan.changes == ()
    assert (tmp_path / "plan.unreadable").read_text(encoding="utf-8") == damage


def test_a_version_that_is_no_text_is_no_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    PlanFile(file).update(lambda plan: plan.with_change(change("cart")))
    document = json.loads(file.read_text(encoding="utf-8"))
    document["changes"][0]["to_version"] = 1.1
    file.write_text(json.dumps(document), encoding="utf-8")
    cart = PlanFile(file)
    cart.reload()
    assert cart.plan.changes == ()


def test_a_plan_that_cannot_be_kept_says_where_and_what_to_do(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"plan\.json"):
        PlanFile(blocker / "plan.json").update(lambda plan: plan)
