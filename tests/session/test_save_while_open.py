"""What the dashboard shows is kept for its next start: only what is confirmed, not too often, and at its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import builders

from sgm_tui.fleet.last_seen import LastSeen
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.session.last_seen import save_while_open
from sgm_tui.store.last_seen_file import read_last_seen


async def run_over(file: Path, snapshots: Iterable[FleetSnapshot]) -> list[LastSeen | None]:
    """Let it follow these snapshots until it is cancelled; return what the file held after each, and at the end."""
    held: list[LastSeen | None] = []
    ended = asyncio.Event()

    async def each() -> AsyncIterator[FleetSnapshot]:
        for position, snapshot in enumerate(snapshots):
            if position:
                held.append(read_last_seen(file, builders.NOW + timedelta(days=1)))
            yield snapshot
        held.append(read_last_seen(file, builders.NOW + timedelta(days=1)))
        ended.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(save_while_open(file, each()))
    await asyncio.wait_for(ended.wait(), 20)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return [*held, read_last_seen(file, builders.NOW + timedelta(days=1))]


def times(held: list[LastSeen | None]) -> list[float | None]:
    """The seconds after the first snapshot at which each of these was seen."""
    return [None if one is None else (one.seen_at - builders.NOW).total_seconds() for one in held]


async def test_it_is_saved_at_once_then_once_a_minute_and_at_the_end(tmp_path: Path) -> None:
    calm = builders.calm()
    later = [replace(calm, generated_at=builders.NOW + timedelta(seconds=seconds)) for seconds in (0, 20, 61, 70)]
    assert times(await run_over(tmp_path / "seen", later)) == [0, 0, 61, 61, 70]


async def test_what_is_not_confirmed_or_empty_replaces_nothing(tmp_path: Path) -> None:
    calm = replace(builders.calm(), generated_at=builders.NOW)
    unconfirmed = replace(calm, last_seen=LastSeen(builders.NOW), generated_at=builders.NOW + timedelta(hours=1))
    empty = replace(calm, cells={}, generated_at=builders.NOW + timedelta(hours=2))
    assert times(await run_over(tmp_path / "seen", [unconfirmed, calm, unconfirmed, empty])) == [None, 0, 0, 0, 0]


async def test_an_outage_does_not_replace_what_was_certain(tmp_path: Path) -> None:
    outage, calm = builders.outage(), replace(builders.calm(), generated_at=builders.NOW)
    earlier, later = (replace(outage, generated_at=builders.NOW + timedelta(hours=hours)) for hours in (-1, 1))
    assert times(await run_over(tmp_path / "seen", [earlier, calm, later])) == [None, 0, 0, 0]


async def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert times(await run_over(tmp_path / "file" / "seen", [builders.calm(), builders.calm()])) == [None, None, None]
