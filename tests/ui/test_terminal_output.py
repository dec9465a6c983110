"""Nothing that is drawn, and no state of the terminal, ends the thread that writes the screen."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from sgm_tui.ui.terminal.driver import open_output


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", closefd=True), os.fdopen(writing, "w", encoding="utf-8") as file:
        yield reading, file


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso-8859-1"])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_character_the_terminal_lacks_is_replaced(encoding: str, errors: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w", encoding=encoding, errors=errors) as file:
        output = open_output(file)
        output.write("a\ud800b\udc9bc")
        output.flush()
        assert os.read(reading, 100) == b"a?b?c"


def test_a_terminal_that_does_not_block_is_waited_for(pipe: tuple[int, TextIO]) -> None:
    reading, file = pipe
    os.set_blocking(file.fileno(), False)
    output, text = open_output(file), "x" * 1_000_000
    received = bytearray()

    def read() -> None:
        while len(received) < len(text):
            received.extend(os.read(reading, 1 << 16))

    reader = threading.Thread(target=read, daemon=True)
    threading.Timer(0.2, reader.start).start()
    output.write(text)
    output.flush()
    reader.join(20)
    assert received.decode() == text
