"""The pull requests of the embedded GitHub on disk, so that a restarted sandbox knows them.

Git remembers branches and merges; which branch is proposed, by whom and with which reviews, only this file does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.github.pulls import PullRequest
from sgm_tui.sandbox.ready import write_private

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[PullRequest]).decode


class Memory:
    """The file of one repository; its times are Unix times, because the next sandbox starts at another one."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._written = b""

    def load(self) -> list[PullRequest]:
        """Return what an earlier sandbox saved; nothing if there was none or its file cannot be read."""
        try:
            memory = _decode(self._path.read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return []
        origin = self._clock.started_at.timestamp()
        return [_shift(pull, lambda moment: moment - origin) for pull in memory]

    def save(self, pulls: Iterable[PullRequest]) -> None:
        """Write what has changed, completely or not at all."""
        data = _encode(list(pulls))
        if data == self._written:
            return
        self._written = data
        stamped = [_shift(pull, lambda moment: self._clock.wall(moment).timestamp()) for pull in _decode(data)]
        write_private(self._path, _encode(stamped))


def _shift(pull: PullRequest, shift: Callable[[float], float]) -> PullRequest:
    """Return the pull request with every time moved to another clock."""
    return replace(
        pull,
        created=shift(pull.created),
        updated=shift(pull.updated),
        closed=None if pull.closed is None else shift(pull.closed),
        merged=None if pull.merged is None else shift(pull.merged),
        reviews=[replace(one, at=shift(one.at)) for one in pull.reviews],
        comments=[replace(one, at=shift(one.at)) for one in pull.comments],
    )
