"""Read CODEOWNERS by GitHub's rules: who has to approve a change of a path.

The last matching line decides, owners do not accumulate over lines, a pattern without owners removes ownership.
Patterns are those of gitignore, without negation and character ranges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True)
class LineError:
    """A line that GitHub skips, with the fields of its API for CODEOWNERS errors."""

    line: int
    """Line number, from 1."""
    column: int
    """Column of the rejected word, from 1."""
    kind: str
    source: str
    """The whole line."""
    suggestion: str


class Owners:
    """One CODEOWNERS file."""

    def __init__(self, text: str) -> None:
        parsed = [_parse_line(number, line) for number, line in enumerate(text.splitlines(), 1)]
        self.rules: tuple[OwnerRule, ...] = tuple(entry for entry in parsed if isinstance(entry, OwnerRule))
        self.errors: tuple[LineError, ...] = tuple(entry for entry in parsed if isinstance(entry, LineError))

    def of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a path, "@user", "@org/team" or an e-mail; () when it has none."""
        rule = self.rule_of(path)
        return rule.owners if rule else ()

    def sets_of(self, paths: Iterable[str]) -> list[tuple[str, ...]]:
        """Return the distinct sets of owners of some paths; one owner of each set has to approve a change of them."""
        distinct = dict.fromkeys(self.of(path) for path in paths)
        return [owners for owners in distinct if owners]

    def rule_of(self, path: str) -> OwnerRule | None:
        """Return the line that decides for a path; None where none matches."""
        return next((rule for rule in reversed(self.rules) if rule.matches(path)), None)


def _parse_line(number: int, line: str) -> OwnerRule | LineError | None:
    words = line.split("#", 1)[0].split()
    if not words:
        return None
    pattern, *owners = words
    if pattern.startswith("!") or "[" in pattern:
        return LineError(number, 1, "Invalid pattern", line, "Use a pattern without `!`, `[` or `]`.")
    invalid = next((owner for owner in owners if not OWNER.fullmatch(owner)), None)
    if invalid is not None:
        return LineError(number, line.index(invalid) + 1, "Invalid owner", line, "Use @user or @org/team.")
    return OwnerRule(number, pattern, tuple(owners), re.compile(_expression(pattern)))


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
