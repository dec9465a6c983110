"""What a snapshot tells of the fleet as a whole."""

from __future__ import annotations

import pytest
from builders import cell, snapshot

from sgm_tui.fleet.cell import Journey


@pytest.mark.parametrize(
    ("journey", "moves"),
    [
        (Journey.SETTLED, False),
        (Journey.STAGED, False),
        (Journey.PROPOSED, False),
        (Journey.UNKNOWN, False),
        (Journey.MERGED, True),
        (Journey.ROLLING, True),
        (Journey.PAUSED, True),
        (Journey.FAILED, True),
        (Journey.DRIFTED, True),
    ],
)
def test_a_cluster_moves_while_a_change_is_in_it_or_in_trouble(journey: Journey, moves: bool) -> None:
    shown = snapshot([cell("cart", "prod-eu1", journey=journey), cell("cart", "prod-us1")])
    assert shown.moves("prod-eu1") is moves
    assert not shown.moves("prod-us1")
