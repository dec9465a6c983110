"""Whether anything may be written from here: every transport asks right before it sends."""

from __future__ import annotations

from sgm_tui.errors import RefusedError


class WritePermission:
    """Shared by a session and all of its transports, so that a check forgotten elsewhere cannot leak."""

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only

    def check(self, target: str) -> None:
        """Refuse to write to `target` in read-only.

        Raises:
            RefusedError: nothing may be written.
        """
        if self.read_only:
            raise RefusedError(f"read-only: nothing is written to {target}", "Start sgm without --read-only.")


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
