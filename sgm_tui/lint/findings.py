"""What a check says: a finding at a place, or that it could not be made and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sgm_tui.fleet.argo.objects import Application
from sgm_tui.lint.catalogue import BY_ID, Severity
from sgm_tui.untrusted_text import clean
from sgm_tui.yaml_reader.marked import Place

_MESSAGE = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong at one place."""

    rule: str
    severity: Severity
    place: Place
    message: str
    fix: str
    applications: tuple[str, ...] = ()
    """Every Application it hits, where the message names only some."""
    asked: tuple[Place, ...] = ()
    """Where else to look: what asks for the thing that is not allowed here."""

    @property
    def why(self) -> str:
        """Why it matters."""
        return BY_ID[self.rule].why

    @property
    def said(self) -> str:
        """What is wrong, why it matters and what to do, in sentences."""
        end = "" if self.message.endswith((".", "?", "!")) else "."
        return f"{self.message}{end} {self.why} {self.fix}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Rules that had nothing to look at."""

    rules: tuple[str, ...]
    reason: str


Said = Iterator[Finding | Skipped]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found, in the order of files and lines."""

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    files: int
    """How many files were looked at."""
    applications: tuple[Application, ...] = ()
    """Every Application, written down or made by an ApplicationSet."""

    def count(self, severity: Severity) -> int:
        """How many findings are this bad."""
        return sum(one.severity == severity for one in self.findings)


def found(rule: str, place: Place, message: str, fix: str = "", *, severity: Severity | None = None) -> Finding:
    """A finding of a rule; its text is made harmless here, for it quotes files of strangers."""
    known = BY_ID[rule]
    return Finding(
        rule=rule,
        severity=severity or known.severity,
        place=place,
        message=clean(message, _MESSAGE),
        fix=clean(fix or known.fix, _MESSAGE),
    )


def several(things: Sequence[str], shown: int = 1) -> str:
    """The first few of some things, and how many more there are."""
    rest = len(things) - shown
    return ", ".join(things[:shown]) + (f" and {rest} more" if rest > 0 else "")
