"""The signs of the product in one table. Each is one terminal cell wide and has an ASCII twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sgm_tui.fleet.cell import Journey

JOURNEY: Mapping[Journey, str] = {
    Journey.SETTLED: "✓",
    Journey.STAGED: "+",
    Journey.PROPOSED: "⇡",
    Journey.MERGED: "⇢",
    Journey.SYNCING: "↻",
    Journey.ROLLING: "◐",
    Journey.PAUSED: "‖",
    Journey.SOAKING: "◷",
    Journey.FAILED: "✖",
    Journey.DRIFTED: "≠",
    Journey.UNKNOWN: "?",
}
MEANING: Mapping[Journey, str] = {
    Journey.SETTLED: "git, Argo CD and the cluster agree",
    Journey.STAGED: "in the plan, not written yet",
    Journey.PROPOSED: "a pull request is open",
    Journey.MERGED: "merged, not yet seen by Argo CD",
    Journey.SYNCING: "Argo CD is applying it",
    Journey.ROLLING: "rollout in progress: step, weight",
    Journey.PAUSED: "rollout paused at a manual gate",
    Journey.SOAKING: "settled, soak time not over",
    Journey.FAILED: "aborted, degraded or not synced",
    Journey.DRIFTED: "live differs from git",
    Journey.UNKNOWN: "a source is not responding",
}
ALERT, BEHIND, AHEAD, SKEWED, ARROW = "▲", "↓", "↑", "⇅", "→"
FRESH, WAITING, STALE, OFF = "●", "◌", "○", "–"
DONE, CURRENT, TODO = "✓", "▶", "·"
CURSOR, BAND, RULE = "▌", "│", "─"
MARKED = "◆"
FULL, EMPTY = "█", "░"

_BARS = "▁▂▃▄▅▆▇█"
_GAP = " "
_STEADY = 2
"""The bar of the average: low, so that steady traffic is quiet and a peak has room."""

_ASCII = {
    **dict(zip("✓⇡⇢↻◐‖◷✖≠▲↓↑→●◌○–▶·▌│─█░…×▏", "=^>@RP~X!A-+>*.o-> >|-#.~x|", strict=True)),
    **dict(zip("┌┐└┘├┤┬┴┼╭╮╰╯━┃▔▕", "+++++++++++++-|-|", strict=True)),
    **dict(zip(_BARS, "__..--=#", strict=True)),
    **dict(zip("—“”⏎•▉▊▋▍▎▐▀🔎", "-''<*###|||`>", strict=True)),
    MARKED: "*",
    SKEWED: "/",
    "←": "<",
}


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return the newest `width` values as bars relative to the average; gaps stay gaps."""
    numbers = [value for value in values if value is not None]
    average = sum(numbers) / len(numbers) if numbers else 0.0
    return "".join(_GAP if value is None else _bar(value, average) for value in values[-width:])


def _bar(value: float, average: float) -> str:
    if average <= 0 or value <= 0:
        return _BARS[0]
    return _BARS[min(len(_BARS) - 1, int(value / average * _STEADY + 0.5))]


class AsciiTable(dict[int, str]):
    """A `str.translate` table to ASCII: our signs have twins, all other characters become question marks."""

    def __init__(self) -> None:
        super().__init__({ord(sign): twin for sign, twin in _ASCII.items()})

    def __missing__(self, code: int) -> str:
        self[code] = result = chr(code) if code < 0x80 else "?"
        return result
