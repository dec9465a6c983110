"""Whether anything may be written from here: every transport checks right before it sends.

A protected stage is locked: a write that changes it carries the consent a person gave for that stage.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sgm_tui.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Consent:
    """The protected stages whose change a person accepted, by typing their names or confirming on the command line."""

    stages: frozenset[str] = frozenset()

    @classmethod
    def to(cls, stages: Iterable[str]) -> Consent:
        """Return the consent to changing these stages."""
        return cls(frozenset(stages))

    def __or__(self, other: Consent) -> Consent:
        return Consent(self.stages | other.stages)


NO_CONSENT = Consent()
"""Nobody accepted anything: enough for stages that are not protected."""


def _no_stages(_commit: str) -> Collection[str]:
    return ()


class WritePermission:
    """Shared by a session and all of its transports, so that a check forgotten elsewhere cannot leak."""

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self.protected_stages_of: Callable[[str], Collection[str]] = _no_stages
        """Commit → the protected stages its merge would change; reads the clone, so it is called in a thread."""

    def check(self, target: str) -> None:
        """Refuse to write to `target` in read-only.

        Raises:
            RefusedError: nothing may be written.
        """
        if self.read_only:
            raise RefusedError(f"read-only: nothing is written to {target}", "Start sgm without --read-only.")

    def check_stages(self, target: str, stages: Iterable[str], consent: Consent) -> None:
        """Refuse to write to `target` what changes a protected stage without consent to exactly that stage.

        Args:
            target: what is written to, as a person knows it.
            stages: the protected stages the write changes.
            consent: what a person accepted.

        Raises:
            RefusedError: consent to one of the stages is missing.
        """
        self.check(target)
        missing = sorted(set(stages) - consent.stages)
        if missing:
            names = " and ".join(missing)
            verb = "is" if len(missing) == 1 else "are"
            raise RefusedError(
                f"{names} {verb} protected: nothing is written to {target} without consent to change {names}",
                "Look at it again, and type the stage on the screen, or confirm (--yes) on the command line.",
            )

    def check_commit(self, target: str, commit: str, consent: Consent) -> None:
        """Refuse to write to `target` a commit that changes a protected stage without consent; reads the clone.

        Raises:
            RefusedError: read-only, or consent to one of the stages is missing.
            UnreachableError: the clone cannot be read.
        """
        self.check(target)
        self.check_stages(target, self.protected_stages_of(commit), consent)


class Permitted:
    """What may become read-only, and takes its transports along: they share its permission."""

    def __init__(self, *, read_only: bool) -> None:
        self.permission = WritePermission(read_only=read_only)

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written."""
        return self.permission.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self.permission.read_only = value
