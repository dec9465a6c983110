"""Read CODEOWNERS by GitHub's rules: who has to approve a change of a path.

The last matching line decides, owners do not accumulate over lines, a pattern without owners removes ownership.
Patterns are those of gitignore, without negation and character ranges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""The paths GitHub looks at; the first that exists counts."""


OWNER = re.compile(r"@[A-Za-z0-9][\w-]*(?:\[bot\])?(?:/[\w.-]+)?|[^@\s]+@[^@\s]+\.[^@\s]+")
"""The forms of an owner; GitHub ignores a line that has anything else."""


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """One line that GitHub accepts."""

    line: int
    """Line number, from 1."""
    pattern: str
    """The pattern as written."""
    owners: tuple[str, ...]
    """"@user", "@org/team" or an e-mail; () removes ownership."""
    expression: re.Pattern[str]

    def matches(self, path: str) -> bool:
        """Return whether the pattern matches a path."""
        return self.expression.match(path) is not None


class Owners:
    """One CODEOWNERS file."""

    def __init__(self, text: str) -> None:
        lines = enumerate(text.splitlines(), 1)
        self.rules: tuple[OwnerRule, ...] = tuple(
            rule for number, line in lines if (rule := _rule(number, line)) is not None
        )

    def of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a path, "@user", "@org/team" or an e-mail; () when it has none."""
        rule = self.rule_of(path)
        return rule.owners if rule else ()

    def rule_of(self, path: str) -> OwnerRule | None:
        """Return the line that decides for a path; None where none matches."""
        return next((rule for rule in reversed(self.rules) if rule.matches(path)), None)


def _rule(number: int, line: str) -> OwnerRule | None:
    words = line.split("#", 1)[0].split()
    if not words or words[0].startswith("!") or "[" in words[0]:
        return None
    if not all(OWNER.fullmatch(word) for word in words[1:]):
        return None
    return OwnerRule(number, words[0], tuple(words[1:]), re.compile(_expression(words[0])))


def _expression(pattern: str) -> str:
    rooted = "/" in pattern.rstrip("/")
    folder = pattern.endswith("/")
    body = pattern.strip("/")
    wild = {"**/": "(?:.*/)?", "/**/": "/(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = [wild.get(piece, re.escape(piece)) for piece in re.split(r"(/\*\*/|\*\*/|/\*\*|\*\*|\*|\?)", body)]
    start = "^" if rooted else "^(?:.*/)?"
    # `docs/*` matches files directly in docs, not deeper ones; every other pattern matches everything below it, too.
    end = "/.*" if folder else "$" if body.endswith("/*") else "(?:/.*)?$"
    return start + "".join(parts) + end
