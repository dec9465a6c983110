"""The palette: every command of the screen by name, from the one declaration of keys."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding
from textual.command import CommandList, DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from sgm_tui.ui import keys
from sgm_tui.ui.screens.leavable import ClosableScreen
from sgm_tui.ui.textual_internals import HookedPalette


class Palette(HookedPalette, ClosableScreen[None]):
    """Textual's palette, left at most once: its second escape would take away the screen below."""

    def may_move(self, action: str) -> bool:
        """Return False for a page of a list that is not laid out, or has no room: it has no pages yet."""
        return bool(self.query_one(CommandList).scrollable_content_region) or not action.startswith("page_")


class KeyCommands(Provider):
    """The commands behind the keys of the screen under the palette."""

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for binding, run in self._commands():
            yield DiscoveryHit(binding.description, run, help=binding.tooltip)

    async def search(self, query: str) -> Hits:
        """Those whose name or explanation matches."""
        matcher = self.matcher(query)
        for binding, run in self._commands():
            text = f"{binding.description} — {binding.tooltip}"
            if (score := matcher.match(text)) > 0:
                yield Hit(score, matcher.highlight(text), run)

    def _commands(self) -> Iterator[tuple[Binding, IgnoreReturnCallbackType]]:
        actions: set[str] = set()
        for key, active in keys.sort_active(self.screen.active_bindings.values()):
            binding = active.binding
            if active.enabled and not key.system and binding.action not in actions:
                actions.add(binding.action)
                yield binding, self._runner(binding.action)

    def _runner(self, action: str) -> IgnoreReturnCallbackType:
        screen = self.screen

        async def run() -> None:
            await screen.run_action(action)

        return run
