"""CODEOWNERS: who has to agree to a change of a path, by GitHub's rules.

The last matching line decides, owners do not add up over lines, a pattern without owners owns nothing; patterns are
gitignore's, without negation and character ranges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, the first that exists."""


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    owners: tuple[str, ...]


class Owners:
    """One CODEOWNERS file."""

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.splitlines() if (rule := _rule(line)) is not None]

    def of(self, path: str) -> tuple[str, ...]:
        """Owners of a path, "@user", "@org/team" or an e-mail; () when nobody owns it."""
        return next((rule.owners for rule in reversed(self._rules) if rule.pattern.match(path)), ())


def _rule(line: str) -> _Rule | None:
    words = line.split("#", 1)[0].split()
    if not words or words[0].startswith("!") or "[" in words[0]:
        return None
    return _Rule(re.compile(_expression(words[0])), tuple(words[1:]))


def _expression(pattern: str) -> str:
    rooted = "/" in pattern.rstrip("/")
    folder = pattern.endswith("/")
    body = pattern.strip("/")
    wild = {"**/": "(?:.*/)?", "/**/": "/(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = [wild.get(piece, re.escape(piece)) for piece in re.split(r"(/\*\*/|\*\*/|/\*\*|\*\*|\*|\?)", body)]
    start = "^" if rooted else "^(?:.*/)?"
    # `docs/*` owns what lies in docs, not what lies deeper; every other pattern owns what is below it too.
    end = "/.*" if folder else "$" if body.endswith("/*") else "(?:/.*)?$"
    return start + "".join(parts) + end
