"""What can be done to a pull request now, and why the rest cannot."""

from __future__ import annotations

from typing import Literal

PullAction = Literal["approve", "merge", "auto-merge", "stop-auto-merge", "update", "close"]
