"""Text from outside, made harmless once, at the edge.

Cluster, git, GitHub and Prometheus text may carry terminal escapes, bidirectional overrides or ten thousand
combining marks. `clean` is called by every source adapter on every foreign string before it becomes a domain
value, so nothing behind the edge ever has to ask again. What was removed stays visible as a placeholder.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sgm_tui.redaction import without_user_information

_LIMIT = 256
LONGEST_WORDS = 2_000
"""Characters of a reason."""
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]"
)
_LONGEST_USER = 512
"""Characters read beyond the limit, so that a URL's password is recognised where the cut is in the middle of it."""
_COMBINING_LIMIT = 2
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHARED_MOST = 16_384
_shared: dict[str, str] = {}
"""Names, images and messages come again with every object of every cluster: one string serves them all."""


def clean(text: object, limit: int = _LIMIT, *, keep_lines: bool = False) -> str:
    """Return `text` as a string a terminal can show: no control, format or unassigned character survives,
    and no user name or password of a URL.

    Args:
        text: anything; what is not a string is converted first, None becomes "".
        limit: longest result in characters; the cut is marked with an ellipsis.
        keep_lines: keep line feeds and turn tabs into spaces (bodies, diffs) instead of showing them as placeholders.
    """
    whole = "" if text is None else text if isinstance(text, str) else str(text)
    raw = without_user_information(whole[: limit + _LONGEST_USER])
    cut = len(raw) > limit or len(whole) > limit + _LONGEST_USER
    raw = raw[:limit]
    if raw.isascii() and raw.isprintable():
        return raw[:-1] + "…" if cut else _one(raw)
    result = "".join(_visible(raw, keep_lines=keep_lines))
    return result[: limit - 1] + "…" if cut else result


def one_line(text: object, limit: int = LONGEST_WORDS) -> str:
    """Return a person's words as one line that may leave us: nothing in it steers a terminal or begins a trailer.

    Args:
        text: anything a person typed or a variable holds, halves of characters included.
        limit: longest result in characters; the cut is marked with an ellipsis.
    """
    return clean(" ".join(("" if text is None else str(text)).split()), limit)


def harmless(value: Any) -> Any:
    """Return a JSON-like value whose strings may leave us: line ends and tabs stay, what steers a reader is shown.

    Control characters, halves of characters and the controls of writing direction become placeholders; everything
    else stays as it is, invisible spaces too.
    """
    if isinstance(value, str):
        return _STEERING.sub(lambda found: _placeholder(found[0]), value)
    if isinstance(value, dict):
        return {harmless(name): harmless(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(inner) for inner in value]
    return value


def _one(text: str) -> str:
    if len(_shared) >= _SHARED_MOST:
        _shared.clear()
    return _shared.setdefault(text, text)


def _visible(raw: str, *, keep_lines: bool) -> list[str]:
    shown: list[str] = []
    marks = 0
    for character in raw:
        category = unicodedata.category(character)
        if category in {"Mn", "Me"}:
            marks += 1
            if marks <= _COMBINING_LIMIT:
                shown.append(character)
            continue
        marks = 0
        if keep_lines and character == "\n":
            shown.append(character)
        elif character == "\t":
            shown.append("    " if keep_lines else " ")
        elif category in _INVISIBLE:
            shown.append(_placeholder(character))
        else:
            shown.append(character)
    return shown


def _placeholder(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"<U+{code:04X}>"
