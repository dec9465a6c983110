"""For every test: goldens live in the top-level `snapshots/`, and the time zone is nobody's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_textual_snapshot
from syrupy.location import PyTestLocation

SNAPSHOTS = Path(__file__).parent.parent / "snapshots"


class TopLevelPicture(pytest_textual_snapshot.SVGImageExtension):
    """A golden SVG in `snapshots/<test module>/`."""

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder of one test module."""
        return str(SNAPSHOTS / test_location.basename)


@pytest.fixture(autouse=True)
def goldens_at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    """`snap_compare` looks there."""
    monkeypatch.setattr(pytest_textual_snapshot, "SVGImageExtension", TopLevelPicture)


@pytest.fixture(autouse=True)
def a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No colour wishes, no animation, UTC: a picture is the same on every machine."""
    for name in ("NO_COLOR", "TEXTUAL", "TEXTUAL_THEME", "SGM_THEME", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
