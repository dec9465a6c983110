"""Text from outside as Markdown that says exactly this text: no formatting, no link, no mention."""

from __future__ import annotations

import re

from sgm_tui.untrusted_text import one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~]|:(?=[\w+-]+:)|&(?=#|\w+;))")
"""What means something to GitHub Flavored Markdown; a colon and an ampersand only in `:emoji:` and `&entity;`."""
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp):|\b(www)\.")
"""What it makes a link without being asked (its autolink extension)."""
_BREAK = "\u200b"
"""A zero-width space: what is behind it no longer belongs to the word before it."""


def markdown_text(text: object) -> str:
    """Return one line of Markdown that shows `text` literally; @names mention and addresses link nobody."""
    escaped = _SPECIAL.sub(r"\\\1", one_line(text))
    broken = _LINK.sub(lambda link: f"{link[1]}{_BREAK}:" if link[1] else f"{link[2]}{_BREAK}.", escaped)
    return broken.replace("@", f"@{_BREAK}").replace("--\\>", f"--{_BREAK}\\>")
