"""Hostile words on the screens of promotion, revert and recovery are words and nothing else."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from test_hostile_text import HOSTILE, fleet_named, text_of

from sgm_tui.fleet.gate import Gate
from sgm_tui.fleet.history.cell_history import PastVersion, RevertForecast
from sgm_tui.fleet.history.last_promotion import LastPromotion
from sgm_tui.fleet.model import CellKey, Version
from sgm_tui.fleet.plans.plan import Refusal
from sgm_tui.fleet.plans.proposal import CommitRange, Preview, UnfinishedWrite
from sgm_tui.fleet.plans.waves import WavePlan, WaveStep
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.app import SgmApp
from sgm_tui.untrusted_text import clean

PAGES = (("y",), ("v",), ("space", "v"), ("c",), ("c", "e"), ("c", "o"), ("c", "U"), ("c", "W"), ("o",), ("o", "m"))
"""The keys that lead from the matrix to each page."""


class Named(builders.ScriptedSession):
    """A session that says one word everywhere."""

    def __init__(self, word: str) -> None:
        super().__init__(fleet_named(word))
        key = next(iter(self.snapshot.cells))
        gate = Gate(key, "soak", "block", word)
        self.word, self.gates = word, (gate,)
        made = PastVersion(key, Version(word), "a" * 40, "", word, word, word, builders.NOW, None, known_bad=word)
        self.pasts = (made, replace(made, revision="b" * 40))
        self.last_promotions = {(key.service, key.stage): LastPromotion(made, (), (), (key,))}
        self.histories = {key: self.pasts}
        self.begun = (UnfinishedWrite("1f3a", word, word, builders.NOW, word, word, "resume", word),)
        self.list_available_versions = (Version(word),)

        def previewed(shown: FleetSnapshot) -> Preview:
            plain = builders.preview(shown)
            between = CommitRange((word,), 1, word)
            return replace(
                plain,
                proposals=tuple(
                    replace(
                        one,
                        gates=(gate,),
                        title=word,
                        branch=word,
                        edits=tuple(replace(edit, stays=(word,), commit_range=between) for edit in one.edits),
                    )
                    for one in plain.proposals
                ),
                refusals=(Refusal(word, word),),
            )

        self.previewed = previewed

    async def forecast_revert(self, where: CellKey, to: str | None) -> RevertForecast:
        return RevertForecast(False, self.word, self.word)


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_word_of_a_cluster_git_or_a_forge_is_more_than_a_word(raw: str) -> None:
    word = clean(raw) or "?"
    session = Named(word)
    key = next(iter(session.snapshot.cells))
    change = builders.promotion(key, word)
    session.plan(session.snapshot.plan.with_change(change))
    session.wave_plans = ((WavePlan(word, ((change,),), builders.NOW, stopped=word), WaveStep("wait", word)),)
    app = SgmApp(session, environ={"LANG": "C.UTF-8"})
    async with app.run_test(size=(120, 36)) as pilot:
        for keys in (
            ("y",),
            ("v",),
            ("space", "v"),
            ("c",),
            ("c", "e"),
            ("c", "o"),
            ("c", "U"),
            ("c", "W"),
            ("o",),
            ("o", "m"),
        ):
            for one in keys:
                await pilot.press(one)
                await pilot.pause(0.05)
            shown = text_of(app)
            assert app.is_running, keys
            assert "\x1b" not in shown
            while len(app.screen_stack) > 1:
                app.pop_screen()
                await pilot.pause()
        assert app.return_code is None
