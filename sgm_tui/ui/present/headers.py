"""The frozen header of the matrix: stages with what is going on in them, and clusters under their stage."""

from __future__ import annotations

from collections.abc import Mapping

from sgm_tui.fleet.cell import Verdict
from sgm_tui.fleet.model import Cluster
from sgm_tui.ui.present.fit import Piece, fit, pad, shorten
from sgm_tui.ui.present.glyphs import BAND
from sgm_tui.ui.present.tones import Line, Tone

_COUNTED = (
    (Verdict.BAD, Tone.BAD, "bad"),
    (Verdict.ATTENTION, Tone.ATTENTION, "to look at"),
    (Verdict.UNKNOWN, Tone.UNKNOWN, "unknown"),
    (Verdict.BUSY, Tone.BUSY, "moving"),
)


def band_line(
    name: str, counts: Mapping[Verdict, int], width: int, *, number: int, protected: bool, folded: bool
) -> Line:
    """One stage's band: its number for the jump key, its name, and how many of its cells are not quiet."""
    tone = Tone.PROTECTED if protected else Tone.TITLE
    key = Piece(f"{number}", Tone.QUIET, 3) if number <= 9 and not folded else Piece("", tone)
    pieces = [Piece((name.upper() if protected else name) + ("…" if folded else ""), tone)]
    if not folded:
        if protected:
            pieces.append(Piece("locked", tone, 2))
        pieces.extend(
            Piece(f"{counts[verdict]} {word}", loudness, 4)
            for verdict, loudness, word in _COUNTED
            if counts.get(verdict)
        )
    return ((f"{BAND} ", tone), *fit([*pieces, key], width - 2))


def cluster_line(cluster: Cluster, width: int, *, under_cursor: bool) -> Line:
    """One cluster's name; where it does not fit, its location tells it from its siblings."""
    name = cluster.name if len(cluster.name) <= width or not cluster.location else cluster.location
    return pad([(shorten(name, width), Tone.STRONG if under_cursor else Tone.TITLE)], width)
