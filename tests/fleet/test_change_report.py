"""What is told of a plan on the command line: to people as text, to machines as one document."""

from __future__ import annotations

import builders

from sgm_tui.fleet.change_report import document, text
from sgm_tui.fleet.history import WayBack
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.plan import Change
from sgm_tui.fleet.proposal import FileEdit, Preview, Proposal

WHERE = builders.key("cart", "prod-eu1")


def revert(way: WayBack | None, bad: str = "") -> FileEdit:
    change = Change(
        "revert", WHERE.service, WHERE.stage, WHERE.cluster, "values.yaml", "image.tag", Version("v2"), Version("v1"),
        (WHERE,), marks_bad=bad,
    )  # fmt: skip
    return FileEdit(change, "-v2\n+v1", way=way)


def preview(edit: FileEdit) -> Preview:
    proposal = Proposal(WHERE.stage, "sgm/prod/x", "revert(cart): prod-eu1 -> v1", "", (edit,))
    return Preview("a" * 40, (proposal,))


def test_how_fast_a_way_back_is_can_be_read_by_people_and_by_machines() -> None:
    slow = preview(revert(WayBack(False, "it walks all 8 steps again", "leave the steps out"), bad="it loses orders"))
    said = text(slow)
    assert "way back: cart prod-eu1: step by step: it walks all 8 steps again" in said
    assert "faster: leave the steps out" in said
    assert "known bad: cart v2, in every cell once this is merged: it loses orders" in said
    (change,) = document("planned", slow)["changes"]
    assert change["way_back"] == {
        "fast": False,
        "reason": "it walks all 8 steps again",
        "faster": "leave the steps out",
    }
    assert change["known_bad"] == "it loses orders"


def test_where_nobody_looked_nothing_is_foretold() -> None:
    assert document("planned", preview(revert(None)))["changes"][0]["way_back"] is None
    assert "way back" not in text(preview(revert(None)))
