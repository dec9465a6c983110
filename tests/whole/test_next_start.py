"""The second start of `sgm` on a fleet: its rows are there at once, marked, and only where nothing was changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prepared import prepared_python
from terminal import Terminal

SGM = str(Path(sys.executable).with_name("sgm"))
PATIENT = 60.0


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    process = prepared_python().start("sandbox", "--scenario", "calm", "--directory", str(tmp_path / "fleet"))
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    yield Path(ready["config"])
    process.terminate()
    assert "Traceback" not in process.communicate(60)[1]


def start(config: Path, tmp_path: Path) -> Terminal:
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "SGM_STATE_DIRECTORY": str(tmp_path / "state")}
    return Terminal([SGM, "--config", str(config)], 120, 30, environment)


def is_live(text: str) -> bool:
    return "checkout" in text and "as of" not in text and "?" not in text.split("⏎", maxsplit=1)[0] and "✓" in text


def test_the_next_start_shows_the_fleet_before_anything_has_answered(config: Path, tmp_path: Path) -> None:
    with start(config, tmp_path) as first:
        first.wait_for(is_live, PATIENT)
        assert "as of" not in first.text
        first.type("q")
        assert first.wait(20) == 0
    with start(config, tmp_path) as second:
        second.wait_for(lambda text: "as of" in text and "checkout" in text, PATIENT)
        second.wait_for(is_live, PATIENT)
    with config.open("a", encoding="utf-8") as handle:
        handle.write("\n# another configuration\n")
    seen: list[str] = []
    with start(config, tmp_path) as third:
        third.wait_for(lambda text: seen.append(text) is None and is_live(text), PATIENT)
    assert not any("as of" in text for text in seen)
