"""What `git cat-file --batch` prints, taken apart."""

from __future__ import annotations

from collections.abc import Iterator


def batch(answer: bytes) -> Iterator[tuple[str, bytes]]:
    """The answers of `cat-file --batch`: header, content, newline."""
    position = 0
    while position < len(answer):
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        if len(header) != 3:
            position = end + 1
            continue
        size = int(header[2])
        yield header[0].decode(), answer[end + 1 : end + 1 + size]
        position = end + 2 + size


def batch_in_order(answer: bytes) -> Iterator[bytes | None]:
    """The answers of `cat-file --batch`, one for each question; None where there was nothing."""
    position = 0
    while position < len(answer):
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        if len(header) != 3 or header[1] != b"blob" or not header[2].isdigit():
            position = end + 1
            yield None
            continue
        size = int(header[2])
        yield answer[end + 1 : end + 1 + size]
        position = end + 2 + size
