"""Match the globs of Argo CD: `*`, `**`, `?`, `[…]` and `{a,b}`."""

from __future__ import annotations

import functools
import re

_PIECES = re.compile(r"(/\*\*/|\*\*/|/\*\*|\*\*|\*|\?|\[[!^]?[^\]]+\]|[{},])")


def matches(pattern: str, text: str, *, separated: bool = False) -> bool:
    """Return whether a glob matches a whole text.

    Args:
        pattern: the glob.
        text: the text to match.
        separated: `*` and `?` stop at a slash, and only `**` crosses one (repository URLs, paths).
    """
    return _compile(pattern, separated).fullmatch(text) is not None


@functools.lru_cache(maxsize=1024)
def _compile(pattern: str, separated: bool) -> re.Pattern[str]:
    any_character = "[^/]" if separated else "."
    wild = {
        "*": f"{any_character}*",
        "?": any_character,
        "**": ".*",
        "**/": "(?:.*/)?",
        "/**/": "/(?:.*/)?",
        "/**": "/.*",
    }
    out: list[str] = []
    depth = 0
    for piece in _PIECES.split(pattern):
        if piece == "{":
            depth += 1
            out.append("(?:")
        elif piece == "}" and depth:
            depth -= 1
            out.append(")")
        elif piece == "," and depth:
            out.append("|")
        elif piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
            inner = piece[1:-1].replace("\\", "\\\\")
            out.append(f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]")
        else:
            out.append(wild.get(piece) or re.escape(piece))
    try:
        return re.compile("".join(out) + ")" * depth, re.DOTALL)
    except re.error:
        # An invalid glob matches only itself; Argo CD logs it and matches nothing.
        return re.compile(re.escape(pattern))
