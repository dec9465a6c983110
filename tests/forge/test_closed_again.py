"""What somebody closed is not opened again without a word: it is named, with who closed it, before anybody agrees."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from origin import STARTED
from test_supersede import FIRST, SECOND, Desk, _desk, opened

from sgm_tui.commands import changes
from sgm_tui.errors import RefusedError
from sgm_tui.fleet.plans.proposal import Preview, Progress
from sgm_tui.fleet.policy import Policy
from sgm_tui.operations.waves import Waves
from sgm_tui.permission import Consent
from sgm_tui.report.changes import document, text
from sgm_tui.ui.present.plans import preview_parts, question_lines


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as made:
        yield made


async def closed_by(desk: Desk, login: str) -> int:
    """The pull request of a promotion, closed by somebody; its branch went with it."""
    request = await opened(desk)
    desk.lab.state.pulls.close(desk.lab.state.pulls[request.number], login)
    desk.lab.origin.delete(request.branch)
    desk.lab.pass_time(60)
    return request.number


def words(preview: Preview, desk: Desk) -> list[str]:
    """What the text, the preview and the question on the screen say."""
    fleet, now = desk.snapshot.fleet, desk.snapshot.generated_at
    lines = [line for _, part in preview_parts(preview, fleet, now, 120) for line in part]
    return [text(preview, now), *(str(["".join(part for part, _ in line) for line in one]) for one in (
        lines, question_lines(preview, fleet)
    ))]  # fmt: skip


@pytest.mark.parametrize("login", ["mia", "operator"])
async def test_the_same_promotion_again_names_what_was_closed_and_by_whom(desk: Desk, login: str) -> None:
    number = await closed_by(desk, login)
    preview = await desk.preview(FIRST)
    sentence = f"#{number} for the same change was closed by {login} without being merged"
    for shown in words(preview, desk):
        assert sentence in shown
    (earlier,) = document("planned", preview)["closed_earlier"]
    assert (earlier["number"], earlier["by"], earlier["text"]) == (number, login, sentence)
    assert earlier["url"].endswith(f"/pull/{number}")


async def test_another_version_is_another_change(desk: Desk) -> None:
    await closed_by(desk, "mia")
    preview = await desk.preview(SECOND)
    assert preview.proposals[0].closed_earlier is None
    assert document("planned", preview)["closed_earlier"] == []


async def test_one_that_is_open_again_is_adopted_and_not_told_as_closed(desk: Desk) -> None:
    number = await closed_by(desk, "mia")
    (*_, last) = await desk.promote(FIRST)
    assert (last.step, last.number != number) == ("opened", True)
    assert all(one.closed_earlier is None for one in (await desk.preview(FIRST)).proposals)


async def test_where_github_cannot_tell_it_is_unknown_and_not_none(desk: Desk) -> None:
    preview = await desk.preview(FIRST)
    desk.lab.answers["GET", "pulls"] = [(502, "Bad Gateway")] * 3
    unknown = await desk.promoter.preview(
        desk.snapshot.plan.with_change(preview.proposals[0].edits[0].change), desk.snapshot
    )
    (proposal,) = unknown.proposals
    assert proposal.closed_earlier is not None
    assert "GitHub answered 502" in proposal.closed_earlier.sentence
    assert document("planned", unknown)["closed_earlier"][0]["number"] is None


class Session:
    """What the commands write through."""

    def __init__(self, desk: Desk) -> None:
        self.store = argparse.Namespace(snapshot=desk.snapshot)
        self._desk = desk

    async def submit(self, preview: Preview, consent: Consent) -> AsyncIterator[Progress]:
        """Write it."""
        async for progress in self._desk.promoter.submit(preview, lambda: self._desk.snapshot, consent):
            yield progress


def arguments(**given: Any) -> Any:
    return argparse.Namespace(**{"yes": False, "direct": False, "check": False, "output": "text"} | given)


async def test_without_a_terminal_it_needs_yes_and_is_not_written(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await closed_by(desk, "mia")
    preview = await desk.preview(FIRST)
    session: Any = Session(desk)
    monkeypatch.setattr(changes.output, "confirm", lambda _question: False)
    with pytest.raises(RefusedError, match="not confirmed"):
        await changes._agree_and_write(session, preview, arguments(), None)
    assert f"#{number} for the same change was closed by mia" in capsys.readouterr().err
    assert await desk.look() == ()


@pytest.mark.parametrize("output", ["text", "json"])
async def test_with_yes_it_is_said_and_written(desk: Desk, capsys: pytest.CaptureFixture[str], output: str) -> None:
    number = await closed_by(desk, "mia")
    preview = await desk.preview(FIRST)
    session: Any = Session(desk)
    result, _ = await changes._agree_and_write(session, preview, arguments(yes=True, output=output), None)
    assert result == "opened"
    shown = capsys.readouterr()
    assert f"#{number} for the same change was closed by mia" in shown.err
    if output == "json":
        assert json.loads(shown.out)["closed_earlier"][0]["number"] == number


@pytest.fixture
def waves(desk: Desk, tmp_path: Path) -> Waves:
    return Waves(tmp_path / "waves.json", desk.promoter)


async def test_a_wave_that_somebody_closed_waits_until_its_plan_is_resumed(desk: Desk, waves: Waves) -> None:
    number = await closed_by(desk, "mia")
    preview = await desk.preview(FIRST)
    identity = waves.save(preview, preview.proposals[0], STARTED, Policy())
    waves.add(replace(waves.plans()[0], opened=0))
    (plan,) = waves.plans()
    assert await waves._open(plan, lambda: desk.snapshot) == []
    (plan,) = waves.plans()
    assert f"#{number} for the same change was closed by mia" in plan.stopped
    waves.resume(identity)
    (plan,) = waves.plans()
    assert [one.step for one in await waves._open(plan, lambda: desk.snapshot)] == ["opened"]
