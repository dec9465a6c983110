"""Processes that write at the same time as others, or die in the middle of a record."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from killed import Desk, change_of

from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.plans.proposal import WriteOptions
from sgm_tui.operations import audit


def main() -> None:
    """`ORIGIN STATE CHANGE DIRECT`: write a change, and print its last step and text as JSON."""
    asyncio.run(_write(*sys.argv[1:5]))


async def _write(origin: str, state: str, change: str, direct: str) -> None:
    desk = Desk(Path(origin), Path(state))
    plan = Plan().with_change(change_of(**json.loads(change)))
    preview = await desk.promoter.preview(plan, terms=WriteOptions(direct=bool(direct)))
    steps = [step async for step in desk.promoter.submit(preview)]
    sys.stdout.write(json.dumps([steps[-1].step, steps[-1].text] if steps else ["", str(preview)]))


def _die(file: Path, text: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def record_half() -> None:
    """`AUDIT`: die after a record was written and before its seal is."""
    audit.replace_text = _die
    audit.Audit(Path(sys.argv[1])).record("push", operation="two")
