"""Escape untrusted text as Markdown that shows it literally: no formatting, no link, no mention."""

from __future__ import annotations

import re

from sgm_tui.untrusted_text import one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~]|:(?=[\w+-]+:)|&(?=#|\w+;))")
"""Characters with a meaning in GitHub Flavored Markdown; a colon and an ampersand only in `:emoji:` and `&entity;`."""
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp):|\b(www)\.")
"""What its autolink extension turns into a link."""
_BREAK = "\u200b"
"""A zero-width space, which ends a word."""


def markdown_text(text: object) -> str:
    """Return one line of Markdown that shows `text` literally; @names mention and addresses link nobody."""
    escaped = _SPECIAL.sub(r"\\\1", one_line(text))
    broken = _LINK.sub(lambda link: f"{link[1]}{_BREAK}:" if link[1] else f"{link[2]}{_BREAK}.", escaped)
    return broken.replace("@", f"@{_BREAK}").replace("--\\>", f"--{_BREAK}\\>")
