"""The frozen header of the matrix: stages with their counts, and clusters below their stage."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len

from sgm_tui.fleet.cell import Journey
from sgm_tui.fleet.model import Cluster
from sgm_tui.ui.present.cells import by_urgency, journey_tone
from sgm_tui.ui.present.fit import Piece, fit, pad, shorten
from sgm_tui.ui.present.glyphs import BAND, JOURNEY
from sgm_tui.ui.present.tones import Line, Tone

_KEYS = 9
_LEAST_NAME = 3
"""The least cells of a stage's name."""


def band_line(name: str, counts: Mapping[Journey, int], width: int, *, number: int, protected: bool) -> Line:
    """Return one stage's band: its number key, its name, and its counts of changes in progress and problems."""
    tone = Tone.PROTECTED if protected else Tone.TITLE
    title = name.upper() if protected else name
    lead = [Piece(f"{number}", Tone.QUIET)] if number <= _KEYS else []
    bands = [
        Piece(f"{JOURNEY[journey]}{counts[journey]}", journey_tone(journey), rank)
        for rank, journey in enumerate(by_urgency(counts), 1)
        if counts[journey] and journey is not Journey.SETTLED
    ]
    # The name gives way before the most urgent count: a name is known from its beginning, a number only whole.
    beside = sum(cell_len(piece.text) + 1 for piece in (*lead, *bands[:1]))
    shown = Piece(shorten(title, max(_LEAST_NAME, width - 2 - beside)), tone)
    return ((f"{BAND} ", tone), *fit([*lead, shown, *bands], width - 2))


def cluster_line(cluster: Cluster, width: int, *, under_cursor: bool) -> Line:
    """Return a cluster's name; if it does not fit, the location that distinguishes it from its siblings."""
    name = cluster.name if len(cluster.name) <= width or not cluster.location else cluster.location
    return pad([(shorten(name, width), Tone.STRONG if under_cursor else Tone.TITLE)], width)
