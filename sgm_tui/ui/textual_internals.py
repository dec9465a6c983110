"""Everything private of Textual that sgm needs, under public names; read from Textual 8.2.8.

Textual may change any of it in any release. Only this module and the driver of the terminal
(`ui/terminal/driver.py`), which replaces one of Textual's, have to be read again then; `tests/test_architecture.py`
holds the rest of `ui` to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from textual._context import active_message_pump
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.app import App
from textual.binding import BindingsMap
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen, ScreenResultType
from textual.widget import Widget
from textual.widgets._footer import FooterKey

__all__ = [
    "BRACKETED_PASTE_END",
    "BRACKETED_PASTE_START",
    "FooterKey",
    "HookedApp",
    "HookedPalette",
    "HookedScreen",
    "XTermParser",
    "current_node",
    "is_being_removed",
]


class HookedApp(App[None]):
    """An application whose message loop, errors and painting a subclass can decide on."""

    async def dispatch(self, message: Message) -> None:
        """Run the handlers of a message; an exception that leaves here ends the message loop."""
        await super()._dispatch_message(message)

    def handle_error(self, error: Exception) -> None:
        """Decide what an exception ends that left the message loop, or a worker, of any node."""
        super()._handle_exception(error)

    def paint(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write what a screen has to paint."""
        super()._display(screen, renderable)

    async def _dispatch_message(self, message: Message) -> None:
        await self.dispatch(message)

    def _handle_exception(self, error: Exception) -> None:
        self.handle_error(error)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        self.paint(screen, renderable)

    @property
    def is_ending(self) -> bool:
        """Whether it is about to end."""
        return self._exit

    @property
    def failure(self) -> Exception | None:
        """The bug that ended the application, with its causes; None where none did."""
        return self._exception

    def end_with_failure(self, error: Exception) -> None:
        """End at once with exit code 1; `failure` is then the first error it was called with."""
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    @property
    def line_filters(self) -> Sequence[LineFilter]:
        """What changes the lines of every widget before they are written."""
        return self._filters

    @line_filters.setter
    def line_filters(self, filters: Sequence[LineFilter]) -> None:
        self._filters = list(filters)

    def write_to_terminal(self, text: str) -> None:
        """Write text that no screen painted; nothing where there is no terminal."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(text)
            self._driver.flush()


class HookedScreen(Screen[ScreenResultType]):
    """A screen whose message loop a subclass can decide on."""

    async def dispatch(self, message: Message) -> None:
        """Run the handlers of a message; an exception that leaves here ends the message loop."""
        await super()._dispatch_message(message)

    async def _dispatch_message(self, message: Message) -> None:
        await self.dispatch(message)

    @property
    def bindings_in_focus(self) -> Iterator[tuple[DOMNode, BindingsMap]]:
        """Every node that a key goes through, the focused one first, with its bindings."""
        yield from self._binding_chain


class HookedPalette(CommandPalette):
    """A command palette that can decline to move in its list."""

    def may_move(self, action: str) -> bool:
        """Return whether an action of the list (`cursor_down`, `page_up` …) is possible now."""
        return True

    def _action_command_list(self, action: str) -> None:
        if self.may_move(action):
            super()._action_command_list(action)


def is_being_removed(widget: Widget) -> bool:
    """Return whether a widget is being taken away."""
    return widget._pruning


def current_node(default: MessagePump) -> MessagePump:
    """Return the node whose message loop is running; `default` outside of all."""
    return active_message_pump.get(default)
