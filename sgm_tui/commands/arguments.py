"""What arguments may be: each says what it is not, in words, where it is not that."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """Something counted: 1 or more."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def name(text: str) -> str:
    """A name that has to be there: where a script's variable was empty, "everything" is not what was meant."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; leave the option out instead")
    return text


def positive(text: str) -> float:
    """A number of more than 0, of seconds or times as fast."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number greater than 0")
    return number
