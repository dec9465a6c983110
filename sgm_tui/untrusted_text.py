"""Sanitize text from outside once, where it enters the program.

Text of clusters, git, GitHub and Prometheus may contain terminal escapes, bidirectional overrides or ten thousand
combining marks. Every source adapter calls `clean` on every external string before it becomes a domain value, so no
other code has to sanitize it again. Removed characters stay visible as placeholders.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sgm_tui.redaction import without_user_information

_LIMIT = 256
LONGEST_WORDS = 2_000
"""Characters of the longest reason a user can give."""
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]"
)
_LONGEST_USER_INFORMATION = 512
"""Characters read beyond the limit, so that a password in a URL is recognized even if the limit cuts it."""
_COMBINING_LIMIT = 2
"""Combining marks on one character that are kept."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MOST_SHARED = 16_384
_shared: dict[str, str] = {}
"""Strings that were read before: names, images and messages repeat in the objects of every cluster."""


def clean(text: object, limit: int = _LIMIT, *, keep_lines: bool = False) -> str:
    """Return `text` as a string that a terminal can show safely.

    Control, format and unassigned characters become placeholders, and user names and passwords of URLs `***`.

    Args:
        text: any value; it is converted to a string first, None to "".
        limit: longest result in characters; a longer text is cut and ends with an ellipsis.
        keep_lines: keep line feeds and turn tabs into spaces (bodies, diffs) instead of showing them as placeholders.
    """
    whole = "" if text is None else text if isinstance(text, str) else str(text)
    raw = without_user_information(whole[: limit + _LONGEST_USER_INFORMATION])
    cut = len(raw) > limit or len(whole) > limit + _LONGEST_USER_INFORMATION
    raw = raw[:limit]
    if raw.isascii() and raw.isprintable():
        return raw[:-1] + "…" if cut else _share(raw)
    result = "".join(_visible(raw, keep_lines=keep_lines))
    return result[: limit - 1] + "…" if cut else result


def one_line(text: object, limit: int = LONGEST_WORDS) -> str:
    """Return a user's text as one line that is safe to send: it controls no terminal and begins no commit trailer.

    Args:
        text: text that a user typed or an environment variable holds; it may contain lone surrogates.
        limit: longest result in characters; a longer text is cut and ends with an ellipsis.
    """
    return clean(" ".join(("" if text is None else str(text)).split()), limit)


def sanitize(value: Any) -> Any:
    """Return a JSON-like value whose strings are safe to send.

    Control characters, lone surrogates and bidirectional controls become placeholders; everything else stays, line
    feeds, tabs and invisible spaces included.
    """
    if isinstance(value, str):
        return _CONTROL.sub(lambda match: _placeholder(match[0]), value)
    if isinstance(value, dict):
        return {sanitize(name): sanitize(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [sanitize(inner) for inner in value]
    return value


def _share(text: str) -> str:
    """Return the one object kept for all equal strings."""
    if len(_shared) >= _MOST_SHARED:
        _shared.clear()
    return _shared.setdefault(text, text)


def _visible(raw: str, *, keep_lines: bool) -> list[str]:
    """Return the characters of a text, with placeholders for invisible ones and without excess combining marks."""
    characters: list[str] = []
    marks = 0
    for character in raw:
        category = unicodedata.category(character)
        if category in {"Mn", "Me"}:
            marks += 1
            if marks <= _COMBINING_LIMIT:
                characters.append(character)
            continue
        marks = 0
        if keep_lines and character == "\n":
            characters.append(character)
        elif character == "\t":
            characters.append("    " if keep_lines else " ")
        elif category in _INVISIBLE:
            characters.append(_placeholder(character))
        else:
            characters.append(character)
    return characters


def _placeholder(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"<U+{code:04X}>"
