"""What comes in from the terminal: keys that somebody typed, and never the keys of a text that was pasted.

A terminal that does not bracket what is pasted sends it as if it were typed, and on the matrix every letter is a
command. What comes faster than anybody types is therefore taken for what it is: one paste. A text field may use it,
everything else ignores it. A held key is no paste, however fast it repeats, and neither are arrows, nor the mouse.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator, Sequence

from textual import events
from textual.message import Message

from sgm_tui.ui.textual_internals import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser

WINDOW = 0.2
"""Seconds over which keys are counted, and for which it has to be quiet after a paste."""
DIFFERING = 10
"""So many keys in the window that differ from the one before are still typed: fifty a second are not."""
HELD = 40
"""So many keys in the window are still one that is held: sixty a second, and what gathered while we were busy."""
PAUSE = 0.03
"""After so much quiet a single key is one that somebody pressed: what is pasted comes in pieces without a pause."""
LONGEST = 4_096
"""So much of a paste is passed on: no field here wants more, and a megabyte in one would stall the screen."""
_LARGE = 4 * HELD
"""So much text at once is no key that is held."""
_UNFINISHED = 2.0
"""Seconds after which a bracketed paste has ended, even if the terminal never says so."""


class TypingPace:
    """Tells typing from pasting by its pace."""

    def __init__(self) -> None:
        self._keys: deque[float] = deque()
        self._changes: deque[float] = deque()
        self._before = ""
        self._last = 0.0
        self._remaining = 0
        self.is_pasting = False
        """Keys are dropped until it is quiet."""

    def admit(self, messages: Sequence[Message], now: float) -> list[Message]:
        """What came in one piece, its keys as they are or as one paste."""
        typed = [one for one in messages if isinstance(one, events.Key) and one.character]
        if not typed:
            return list(messages)
        self._quieten(len(typed), now)
        self._count(typed, now)
        if not (self.is_pasting or len(self._changes) > DIFFERING or len(self._keys) > HELD):
            return list(messages)
        other_messages: list[Message] = [one for one in messages if not isinstance(one, events.Key)]
        return [*other_messages, *self.paste("".join(one.character or "" for one in typed), now)]

    def paste(self, text: str, now: float) -> list[Message]:
        """This text was pasted; what of it is passed on."""
        if not self.is_pasting:
            self.is_pasting, self._remaining = True, LONGEST
        self._last = now
        accepted, self._remaining = text[: self._remaining], max(0, self._remaining - len(text))
        return [events.Paste(accepted)] if accepted else []

    def _quieten(self, keys: int, now: float) -> None:
        quiet, self._last = now - self._last, now
        if quiet >= WINDOW or (keys == 1 and quiet >= PAUSE):
            if self.is_pasting:
                self._keys.clear()
                self._changes.clear()
            self.is_pasting = False

    def _count(self, typed: Sequence[events.Key], now: float) -> None:
        for key in typed:
            self._keys.append(now)
            if key.key != self._before:
                self._changes.append(now)
                self._before = key.key
        for counted in (self._keys, self._changes):
            while counted and now - counted[0] > WINDOW:
                counted.popleft()


class TerminalInput:
    """Bytes of a terminal in, messages for the application out."""

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._parser = XTermParser(debug)
        self._pace = TypingPace()
        self._bracketed = False
        self._tail = ""
        self._last = 0.0

    def take(self, data: bytes, now: float) -> list[Message]:
        """The messages of what came in one piece; of nothing, those that waited for more."""
        text = self._decode(data)
        if not text:
            return self._wait(now)
        self._last = now
        plain = "\x1b" not in self._tail + text
        self._follow_brackets(text)
        if plain and len(text) > _LARGE and not self._bracketed:
            return self._pace.paste(text, now)  # not worth being taken apart into keys
        return self._pace.admit([_cut(one) for one in (*self._parse(text), *self._parser.tick())], now)

    def _wait(self, now: float) -> list[Message]:
        if self._bracketed and now - self._last > _UNFINISHED:
            return self.take(BRACKETED_PASTE_END.encode(), now)
        return self._pace.admit(list(self._parser.tick()), now)

    def _follow_brackets(self, text: str) -> None:
        text_so_far = self._tail + text
        start, end = text_so_far.rfind(BRACKETED_PASTE_START), text_so_far.rfind(BRACKETED_PASTE_END)
        if start != end:
            self._bracketed = start > end
        self._tail = text_so_far[-len(BRACKETED_PASTE_END) + 1 :]

    def _parse(self, text: str) -> Iterator[Message]:
        try:
            yield from self._parser.feed(text)
        except (ValueError, OverflowError):
            # A sequence no terminal sends, such as a key of a number too large for a character: start afresh.
            self._parser = XTermParser(self._debug)
            self._bracketed = False


def _cut(message: Message) -> Message:
    return events.Paste(message.text[:LONGEST]) if isinstance(message, events.Paste) else message
