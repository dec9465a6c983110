"""Intents that leave a screen: what a person wants to see next. Inert; the application decides."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from sgm_tui.fleet.model import CellKey


@dataclass
class CellRequested(Message):
    """Everything about one cell."""

    key: CellKey


class PlanRequested(Message):
    """What is planned."""


class PullsRequested(Message):
    """The pull requests."""


@dataclass
class WhyRequested(Message):
    """Everything in the way of one cell's next version."""

    key: CellKey


@dataclass
class RevertRequested(Message):
    """The versions one cell could go back to."""

    key: CellKey


@dataclass
class PromotionRevertRequested(Message):
    """The reverts of the last promotion in several cells, or in the marked ones."""

    keys: tuple[CellKey, ...]


@dataclass
class RevertsStaged(Message):
    """The reverts of these cells are in the plan."""

    keys: tuple[CellKey, ...]


class UnfinishedRequested(Message):
    """What was begun and never finished."""


class WavesRequested(Message):
    """Promotions that go wave by wave."""


@dataclass
class RolloutRequested(Message):
    """Something done to the rollout of one cell, once it has been asked about."""

    key: CellKey
    action: str
    """promote (let it go on) or abort."""
