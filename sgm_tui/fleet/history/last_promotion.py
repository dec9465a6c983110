"""The last promotion of a service into a stage: which clusters it reached, and in which of them git still has it.

A rollback without arguments reverts exactly this (the platform design's `rollback.yaml`), so it has to be distinguished
from earlier promotions: reverting the same stage twice must not take a cluster one promotion further back,
and a cluster the promotion never reached stays where it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sgm_tui.fleet.history.cell_history import PastVersion
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.versions import compare


@dataclass(frozen=True, slots=True)
class LastPromotion:
    """The newest promotion of one service into one stage."""

    past: PastVersion
    """Its newest commit, as recorded for one of its cells."""
    current: tuple[CellKey, ...]
    """The cells in which git still has its version."""
    reverted: tuple[CellKey, ...]
    """The cells that were reverted from it since."""
    untouched: tuple[CellKey, ...]
    """The cells of the stage it never reached."""


def flag_rollbacks(pasts: Sequence[PastVersion]) -> tuple[bool, ...]:
    """Tell for each version of a cell, newest first, whether its commit was a rollback to an earlier version.

    A commit that calls itself a revert is one. Any other is one where its version was here before and is older than the
    one it replaced; with versions that have no order, unless it restores what a revert had just removed.
    """
    flags: list[bool] = []
    earlier: set[str] = set()
    oldest_first = list(reversed(pasts))
    for at, past in enumerate(oldest_first):
        previous = oldest_first[at - 1] if at else None
        if previous is None:
            flags.append(False)
        elif past.kind == "revert":
            flags.append(True)
        elif past.version not in earlier:
            flags.append(False)
        elif (order := compare(past.version, previous.version)) is not None:
            flags.append(order < 0)
        else:
            undoes_a_revert = flags[at - 1] and at > 1 and oldest_first[at - 2].version == past.version
            flags.append(not undoes_a_revert)
        earlier.add(past.version)
    return tuple(reversed(flags))


def has_gone_back(pasts: Sequence[PastVersion]) -> bool:
    """Return whether the newest version of a cell came by a rollback."""
    return bool(pasts) and flag_rollbacks(pasts)[0]


def find_newest_promotion(pasts: Sequence[PastVersion]) -> PastVersion | None:
    """Return the newest version of a cell that was not a rollback; None where it only had its first version."""
    flags = flag_rollbacks(pasts)
    return next((past for past, back in zip(pasts[:-1], flags[:-1], strict=True) if not back), None)


def last_promotion(
    pasts: Mapping[CellKey, Sequence[PastVersion]], order: Mapping[str, int], names: Mapping[str, Collection[str]]
) -> LastPromotion | None:
    """Find the last promotion among the cells of one service in one stage; None where git has none.

    Args:
        pasts: the versions of each cell, newest first.
        order: commit → its position on the branch, the newest last.
        names: commit → the identities of its promotion, from its message. Commits that share one are one
            promotion (waves, a pull request for each cluster); a commit without any stands alone.
    """
    newest = {key: past for key, those in pasts.items() if (past := find_newest_promotion(those)) is not None}
    if not newest:
        return None
    last = max(newest.values(), key=lambda past: order.get(past.revision, -1))
    identities = frozenset(names.get(last.revision, ()))
    reached = {
        key
        for key, past in newest.items()
        if past.revision == last.revision or not identities.isdisjoint(names.get(past.revision, ()))
    }
    return LastPromotion(
        past=last,
        current=tuple(key for key in pasts if key in reached and pasts[key][0] is newest[key]),
        reverted=tuple(key for key in pasts if key in reached and pasts[key][0] is not newest[key]),
        untouched=tuple(key for key in pasts if key not in reached),
    )
