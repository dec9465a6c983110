"""What the screens are painted on: never smaller than they can be read on.

Where the terminal is smaller than that, the screens keep the least size they need (Textual divides by a width of
nothing and ends), nothing of them is painted, and no input reaches them: nobody means what they cannot see. The
terminal shows the size it has and the size it takes instead. When it grows again everything is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rich.console import RenderableType
from textual import events, on
from textual.driver import Driver
from textual.geometry import Size
from textual.screen import Screen

from sgm_tui.ui.screens.dialog import Dialog
from sgm_tui.ui.textual_internals import HookedApp

LEAST = Size(40, 10)
"""The matrix shows three services in two stages, and a question its word and its buttons; below that, neither."""


def is_too_small(size: Size) -> bool:
    """Whether no screen can be read at this size."""
    return size.width < LEAST.width or size.height < LEAST.height


def at_least(size: Size) -> Size:
    """The size at which the screens are laid out in a terminal of this size."""
    return Size(max(size.width, LEAST.width), max(size.height, LEAST.height))


def notice(size: Size) -> tuple[str, ...]:
    """The lines that are shown instead of a screen, in as many words as there is room for."""
    has, needs = f"{size.width}×{size.height}", f"{LEAST.width}×{LEAST.height}"
    long = (f"terminal too small ({has})", f"sgm needs {needs}", "ctrl+c quits")
    if size.width >= len(long[0]) and size.height >= len(long):
        return long
    shorter = (f"too small ({has}), needs {needs}", f"too small ({has})", f"{has} < {needs}", has)
    return (next((one for one in shorter if len(one) <= size.width), has[: size.width]),)


def _drawn(lines: tuple[str, ...], size: Size) -> str:
    """The lines in the middle of an empty terminal, as a terminal takes them."""
    top = (size.height - len(lines)) // 2 + 1
    rows = (f"\x1b[{top + at};{(size.width - len(line)) // 2 + 1}H{line}" for at, line in enumerate(lines))
    return "\x1b[0m\x1b[2J" + "".join(rows)


class MinimumSizeApp(HookedApp):
    """An application whose screens always have room."""

    always: frozenset[str] = frozenset()
    """The keys that work even where nothing can be read."""

    table: Mapping[int, str] = MappingProxyType({})
    """What is written instead of signs this terminal does not have."""

    _terminal: Size | None = None
    """The size of a terminal that is too small."""

    @property
    def size(self) -> Size:
        """The size of the screens."""
        return at_least(super().size)

    @property
    def is_readable(self) -> bool:
        """Whether the screens are shown."""
        return self._terminal is None

    async def on_event(self, event: events.Event) -> None:
        """Let in what the screens can take now."""
        if isinstance(event, events.Resize):
            event = self._make_room(event)
        elif isinstance(event, events.InputEvent | events.Paste) and not self._lets_in(event):
            return
        await super().on_event(event)

    @on(Driver.SignalResume)
    def come_back(self) -> None:
        """The process was stopped, and goes on: what the terminal shows is not ours, and time has passed."""
        for screen in self.screen_stack:
            if isinstance(screen, Dialog):
                screen.begin_again()
        self.refresh(layout=True)

    def _lets_in(self, event: events.Event) -> bool:
        if isinstance(event, events.Key) and event.key in self.always:
            return True
        is_seen = not isinstance(self.screen, Dialog) or event.is_forwarded or self.screen.takes(event)
        return self.is_readable and is_seen

    def _make_room(self, event: events.Resize) -> events.Resize:
        before, self._terminal = self._terminal, event.size if is_too_small(event.size) else None
        if self._terminal is not None:
            self.write_to_terminal(_drawn(notice(self._terminal), self._terminal).translate(self.table))
        if self._terminal is None and before is not None:
            self.refresh(layout=True)  # the screens may have kept their size, and still have to be painted
        size = at_least(event.size)
        return event if size == event.size else events.Resize(size, size)

    def paint(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write what a screen has to paint, where it can be read."""
        if self.is_readable:
            super().paint(screen, renderable)
