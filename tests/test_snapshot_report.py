"""A picture that differs ends in the report that shows it, on every Python."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_textual_snapshot


def test_a_picture_that_differs_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    svg = "<svg><text>{}</text></svg>"
    difference = pytest_textual_snapshot.SvgSnapshotDiff(
        snapshot=svg.format("before"),
        actual=svg.format("after"),
        test_name="test_looks",
        path=tmp_path / "test_looks.py",
        line_number=1,
        app=pytest_textual_snapshot.PseudoApp(pytest_textual_snapshot.PseudoConsole(False, (80, 24))),
        environment={},
        docstring="",
        app_path=None,
        snapshot_exists=True,
    )
    session = SimpleNamespace(config=SimpleNamespace(getoption=lambda _name: "report.html"))
    pytest_textual_snapshot.save_svg_diffs([difference], session, 0)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert svg.format("before") in report
    assert svg.format("after") in report
