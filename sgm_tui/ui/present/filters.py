"""The line that says what the matrix leaves out, so that nobody takes a part of the fleet for all of it."""

from __future__ import annotations

from collections.abc import Iterable

from sgm_tui.ui.present.rows import View
from sgm_tui.ui.present.tones import Line, Tone


def describe_filter(view: View, shown: int, total: int, folded: Iterable[str]) -> Line:
    """Return the line; empty if every service is shown in the usual order and no stage is folded."""
    words = ["attention"] if view.attention else []
    words += ["worst first"] if view.worst_first else []
    words += [f"{stage} folded" for stage in folded]
    words += [f"filter “{view.query.strip()}”"] if view.query.split() else []
    if not words:
        return ()
    back = "   esc shows all" if view.narrowed else ""
    return (
        (f" {shown} of {total} services", Tone.STRONG),
        ("".join(f" · {word}" for word in words), Tone.TEXT),
        (back, Tone.QUIET),
    )
