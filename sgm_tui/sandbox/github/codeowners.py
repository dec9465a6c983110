"""CODEOWNERS as GitHub reads it: the last line that fits a path decides, and any owner on it may agree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOCATIONS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Searched in this order."""
_OWNER = re.compile(r"@[\w-]+(?:/[\w.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
_UNSUPPORTED = re.compile(r"^!|[\[\]]|^\\#")


@dataclass(frozen=True, slots=True)
class Line:
    """One line that names owners, or none."""

    pattern: str
    owners: tuple[str, ...]
    expression: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line GitHub skips, and why."""

    line: int
    column: int
    kind: str
    source: str
    suggestion: str


def parse(text: str) -> tuple[list[Line], list[Mistake]]:
    """The lines of a file, and those that are wrong."""
    lines: list[Line] = []
    mistakes: list[Mistake] = []
    for number, source in enumerate(text.splitlines(), 1):
        words = source.partition("#")[0].split()
        if not words:
            continue
        pattern, *owners = words
        wrong = next((one for one in owners if not _OWNER.fullmatch(one)), None)
        if _UNSUPPORTED.search(pattern):
            mistakes.append(Mistake(number, 1, "Invalid pattern", source, "Use a pattern without `!`, `[` or `]`."))
        elif wrong is not None:
            mistakes.append(
                Mistake(number, source.index(wrong) + 1, "Invalid owner", source, "Use @user or @org/team.")
            )
        else:
            lines.append(Line(pattern, tuple(owners), _expression(pattern)))
    return lines, mistakes


def owners_of(lines: Sequence[Line], path: str) -> tuple[str, ...]:
    """Who has to agree to a change of this file; any one of them is enough."""
    return next((line.owners for line in reversed(lines) if line.expression.match(path)), ())


def owner_sets(lines: Sequence[Line], paths: Iterable[str]) -> list[tuple[str, ...]]:
    """Every different set of owners among these files, each of which has to agree."""
    distinct = dict.fromkeys(owners_of(lines, path) for path in paths)
    return [owners for owners in distinct if owners]


def _expression(pattern: str) -> re.Pattern[str]:
    """A gitignore pattern: anchored when it has a slash before its end, and folders take everything below along."""
    folder = pattern.endswith("/")
    body = pattern.strip("/")
    anchored = pattern.startswith("/") or "/" in body
    parts = [_part(part) for part in body.split("/")]
    core = "/".join(parts).replace(".**./", "(?:.*/)?").replace("/.**.", "/.*").replace(".**.", ".*")
    start = "" if anchored else "(?:.*/)?"
    # `docs/*` is the files right in it; a name without a wildcard at its end may be a folder.
    below = "/.*" if folder else "" if body.endswith("/*") else "(?:/.*)?"
    return re.compile(f"^{start}{core}{below}$")


def _part(part: str) -> str:
    if part == "**":
        return ".**."
    return "".join("[^/]*" if one == "*" else "[^/]" if one == "?" else re.escape(one) for one in part)
