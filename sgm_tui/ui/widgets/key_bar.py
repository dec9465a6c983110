"""The footer: as many keys as fit whole, the most important ones kept, help and the way out always among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.reactive import reactive
from textual.widgets import Footer

from sgm_tui.ui import keys
from sgm_tui.ui.textual_internals import FooterKey

_AROUND = 3
"""Spaces of one key: before it, before its word and after it."""
_ON = " on"


@dataclass(frozen=True, slots=True)
class _Entry:
    key: keys.Key
    binding: Binding
    display: str
    word: str
    enabled: bool
    on: bool

    @property
    def width(self) -> int:
        return cell_len(self.display) + cell_len(self.word) + _AROUND

    @property
    def rank(self) -> tuple[bool, bool, int, bool]:
        """What stays longest where there is too little room: help and the way out, then what is switched on."""
        return (self.key.footer != "always", not self.on, self.key.footer_rank, not self.enabled)


class _Key(FooterKey):
    """One key of the footer, which is never compact: Textual's own changes its style twice before it is shown."""

    compact = reactive(False, init=False)


class KeyBar(Footer):
    """The keys of the screen; what only moves is in the help.

    Args:
        toggled: the actions that are switched on now, said in words behind theirs.
    """

    DEFAULT_CSS = """
    KeyBar FooterKey.-on { text-style: reverse; }
    KeyBar FooterKey.-disabled .footer-key--key { text-style: none; color: $foreground; }
    """

    def __init__(self, toggled: Callable[[], frozenset[str]] = frozenset) -> None:
        super().__init__(show_command_palette=False)
        self._toggled = toggled
        self._shown: list[_Entry] = []

    def compose(self) -> ComposeResult:
        """Yield the keys that fit, in the order they are declared in."""
        self._shown = self._fitting_entries()
        for entry in self._shown:
            yield _Key(
                entry.binding.key,
                entry.display,
                entry.word,
                entry.binding.action,
                disabled=not entry.enabled,
                tooltip=entry.binding.tooltip,
                classes="-on" if entry.on else "",
            )

    async def recompose(self) -> None:
        """Make the keys anew if others are to be shown; Textual asks at every change of focus and of any binding."""
        if self.is_attached and self._fitting_entries() != self._shown:
            await super().recompose()

    def on_resize(self, event: events.Resize) -> None:
        """Another width has room for other keys."""
        self.call_after_refresh(self.recompose)

    def _fitting_entries(self) -> list[_Entry]:
        if not self._bindings_ready:
            return []
        return fitting(self._entries(self._toggled()), self.app.size.width)

    def _entries(self, on: frozenset[str]) -> list[_Entry]:
        entries: dict[str, _Entry] = {}
        for key, active in keys.sort_active(self.screen.active_bindings.values()):
            binding = active.binding
            if key.system or key.footer == "never":
                continue
            is_on = binding.action in on
            word, display = binding.description + (_ON if is_on else ""), self.app.get_key_display(binding)
            entries.setdefault(binding.action, _Entry(key, binding, display, word, active.enabled, is_on))
        return list(entries.values())


def fitting(entries: Sequence[_Entry], width: int) -> list[_Entry]:
    """As many of the entries as fit into `width` cells, the most important first, in their own order."""
    positions: set[int] = set()
    used = 0
    for index in sorted(range(len(entries)), key=lambda index: entries[index].rank):
        if used + entries[index].width > width:
            break
        used += entries[index].width
        positions.add(index)
    return [entries[index] for index in sorted(positions)]
