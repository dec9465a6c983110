"""Permission to write, which every transport checks right before it sends.

A write that changes a protected stage must carry the consent a user gave for that stage.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sgm_tui.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Consent:
    """The protected stages a user agreed to change, by typing their names or confirming on the command line."""

    stages: frozenset[str] = frozenset()

    @classmethod
    def to(cls, stages: Iterable[str]) -> Consent:
        """Return the consent to changing these stages."""
        return cls(frozenset(stages))

    def __or__(self, other: Consent) -> Consent:
        return Consent(self.stages | other.stages)


NO_CONSENT = Consent()
"""No consent: sufficient for stages that are not protected."""


def _no_stages(_commit: str) -> Collection[str]:
    return ()


class WritePermission:
    """The permission of a session, shared with all its transports, so that no write can bypass the check."""

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self.protected_stages_of: Callable[[str], Collection[str]] = _no_stages
        """Returns the protected stages that merging a commit would change; reads the clone, so call it in a thread."""

    def check(self, target: str) -> None:
        """Refuse to write to `target` in read-only mode.

        Raises:
            RefusedError: read-only mode is on.
        """
        if self.read_only:
            raise RefusedError(f"read-only: nothing is written to {target}", "Start sgm without --read-only.")

    def check_stages(self, target: str, stages: Iterable[str], consent: Consent) -> None:
        """Refuse a write to `target` that changes a protected stage without consent to that stage.

        Args:
            target: the repository or cluster, as messages call it.
            stages: the protected stages the write changes.
            consent: the stages a user agreed to change.

        Raises:
            RefusedError: read-only mode is on, or consent to one of the stages is missing.
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
        """Refuse to write a commit to `target` that changes a protected stage without consent; reads the clone.

        Raises:
            RefusedError: read-only mode is on, or consent to one of the stages is missing.
            UnreachableError: the clone cannot be read.
        """
        self.check(target)
        self.check_stages(target, self.protected_stages_of(commit), consent)


class ReadOnlySwitch:
    """The base of sessions with a read-only mode, which holds for all transports that share the permission."""

    def __init__(self, *, read_only: bool) -> None:
        self.permission = WritePermission(read_only=read_only)

    @property
    def read_only(self) -> bool:
        """Return whether read-only mode is on."""
        return self.permission.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self.permission.read_only = value
