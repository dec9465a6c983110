"""Saving a picture of the screen as a file in the current folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def save_picture(picture: str, taken_at: datetime) -> Path:
    """Write a picture to the current folder under the time it was taken at, and return its path.

    Raises:
        OSError: it cannot be written, or a picture of the same second exists.
    """
    file = Path.cwd() / f"sgm-{taken_at:%Y%m%dT%H%M%SZ}.svg"
    with file.open("x", encoding="utf-8") as writer:
        writer.write(picture)
    return file
