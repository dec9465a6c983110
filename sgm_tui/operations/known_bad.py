"""Versions marked as known bad on this machine: quarantined from every promotion until they are unmarked.

Other machines, and CI, learn of a mark from the commit that reverts the version (`fleet.history.trailers`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.json_reader import read_json
from sgm_tui.operations.actor import actor
from sgm_tui.operations.journal import now
from sgm_tui.operations.state_files import lock_file, replace_text, report_unusable
from sgm_tui.untrusted_text import clean

_SCHEMA = 1


class KnownBad:
    """The file of known-bad marks."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def mark(self, service: ServiceName, version: Version, reason: str) -> None:
        """Mark a version as known bad with a reason, or unmark it with "".

        Raises:
            RefusedError: the file cannot be read or written.
        """
        with lock_file(self._file):
            marks = self._read()
            if reason:
                mark = {"reason": clean(reason), "at": now(), "by": actor()}
                marks.setdefault(service, {})[version] = mark
            else:
                marks.get(service, {}).pop(version, None)
            replace_text(self._file, json.dumps({"schema": _SCHEMA, "marks": marks}))

    def of(self, service: ServiceName) -> dict[Version, str]:
        """Return version → reason of the marks of a service.

        Raises:
            RefusedError: the file cannot be read.
        """
        marks = self._read().get(service, {})
        return {Version(version): f"known bad: {mark['reason']} ({mark['by']})" for version, mark in marks.items()}

    def reason(self, service: ServiceName, version: Version) -> str:
        """Return the reason a version is marked, or "" if it is not.

        Raises:
            RefusedError: the file cannot be read.
        """
        mark = self._read().get(service, {}).get(version)
        return "" if mark is None else mark["reason"]

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            if not self._file.exists():
                return {}
            document = read_json(self._file.read_text(encoding="utf-8"))
            return {
                service: {version: _checked(mark) for version, mark in marks.items()}
                for service, marks in document["marks"].items()
            }
        except OSError as error:
            raise report_unusable(self._file, error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefusedError(f"{self._file} has no known-bad marks this sgm can read", "Move it away.") from error


def _checked(mark: dict[str, Any]) -> dict[str, Any]:
    """Return a mark whose reason and author are texts; a KeyError or TypeError says that it is none."""
    return {**mark, "reason": str(mark["reason"]), "by": str(mark["by"])}
