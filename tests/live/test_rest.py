"""How long a source rests: shorter where something moves, not at all when somebody asks."""

from __future__ import annotations

import asyncio

from sgm_tui.live.polling import rest


class Cluster:
    """A cluster that begins to move when it has been asked about so many times."""

    def __init__(self, begins: int) -> None:
        self.begins = begins
        self.asked = 0

    def moves(self) -> bool:
        self.asked += 1
        return self.asked >= self.begins


async def test_where_nothing_moves_it_is_as_many_rounds_as_fit() -> None:
    quiet = Cluster(begins=1000)
    await rest(asyncio.Event(), 0.001, quiet=0.0105, moves=quiet.moves)
    assert quiet.asked == 10


async def test_the_round_in_which_something_begins_to_move_is_the_last() -> None:
    busy = Cluster(begins=3)
    await rest(asyncio.Event(), 0.001, quiet=60.0, moves=busy.moves)
    assert busy.asked == 3


async def test_who_asks_need_not_wait() -> None:
    wake, quiet = asyncio.Event(), Cluster(begins=1000)
    wake.set()
    await rest(wake, 3600.0, quiet=7200.0, moves=quiet.moves)
    assert (quiet.asked, wake.is_set()) == (0, False)


async def test_an_interval_longer_than_the_quiet_one_is_kept() -> None:
    quiet = Cluster(begins=1000)
    await rest(asyncio.Event(), 0.02, quiet=0.001, moves=quiet.moves)
    assert quiet.asked == 1
