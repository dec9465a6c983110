"""Which promotion a revert without further words undoes, and in which clusters."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.fleet.history.cell_history import PastVersion, PastVersionKind
from sgm_tui.fleet.history.last_promotion import LastPromotion, flag_rollbacks, has_gone_back, last_promotion
from sgm_tui.fleet.model import CellKey, Version

EU, US, AP = (builders.key("cart", f"prod-{where}") for where in ("eu1", "us1", "ap1"))
KINDS: dict[str, PastVersionKind] = {"p": "promotion", "r": "revert", "e": "edit"}


def pasts_of(key: CellKey, *entries: str) -> tuple[PastVersion, ...]:
    """The versions of a cell, newest first, from the oldest on: "commit kind version"."""
    found = []
    for entry in entries:
        commit, kind, version = entry.split()
        made = PastVersion(
            key, Version(version), commit, "", "path", "mia", f"commit {commit}", builders.NOW, None, KINDS[kind]
        )
        found.append(made)
    return tuple(reversed(found))


def found(cells: dict[CellKey, tuple[str, ...]], names: dict[str, set[str]] | None = None) -> LastPromotion | None:
    pasts = {key: pasts_of(key, *entries) for key, entries in cells.items()}
    order = {past.revision: int(past.revision) for those in pasts.values() for past in those}
    return last_promotion(pasts, order, names or {})


SEED = "1 e v1"
CASES: list[tuple[str, dict[CellKey, tuple[str, ...]], dict[str, set[str]], set[CellKey], set[CellKey]]] = [
    ("only the cluster it reached", {EU: (SEED, "2 p v2"), US: (SEED, "2 p v2"), AP: (SEED, "2 p v2", "3 p v3")},
     {}, {AP}, set()),
    ("the same version, brought to one cluster later",
     {EU: (SEED, "2 p v2"), US: (SEED, "2 p v2"), AP: (SEED, "3 p v2")},
     {}, {AP}, set()),
    ("one commit to all of them", {EU: (SEED, "2 p v2"), US: (SEED, "2 p v2"), AP: (SEED, "2 p v2")},
     {}, {EU, US, AP}, set()),
    ("reverted in one of them already", {EU: (SEED, "2 p v2"), US: (SEED, "2 p v2"), AP: (SEED, "2 p v2", "3 r v1")},
     {}, {EU, US}, {AP}),
    ("reverted everywhere it reached", {EU: (SEED, "2 p v2"), AP: (SEED, "2 p v2", "3 p v3", "4 r v2")},
     {}, set(), {AP}),
    ("reverted by hand, without a word of it", {EU: (SEED, "2 p v2"), AP: (SEED, "2 p v2", "3 p v3", "4 e v2")},
     {}, set(), {AP}),
    ("reverted by promoting the older version", {AP: (SEED, "2 p v2", "3 p v3", "4 p v2")}, {}, set(), {AP}),
    ("promoted again after it was reverted", {EU: (SEED,), AP: (SEED, "2 p v2", "3 r v1", "4 p v2")}, {}, {AP}, set()),
    ("the revert of a revert brings it again", {AP: (SEED, "2 p v2", "3 r v1", "4 e v2")}, {}, {AP}, set()),
    ("waves: several commits of one promotion",
     {EU: (SEED, "2 p v2"), US: (SEED, "4 p v2"), AP: (SEED, "5 p v2")},
     {"2": {"a", "w"}, "4": {"b", "w"}, "5": {"c", "w"}}, {EU, US, AP}, set()),
    ("waves: another service's commit lies between, and one wave is left by hand",
     {EU: (SEED, "2 p v2", "6 r v1"), US: (SEED, "4 p v2"), AP: (SEED,)}, {"2": {"w"}, "4": {"w"}}, {US}, {EU}),
    ("an identity that only an older promotion has", {EU: (SEED, "2 p v2"), AP: (SEED, "2 p v2", "3 p v3")},
     {"2": {"a"}, "3": {"b"}}, {AP}, set()),
    ("a hand commit", {EU: (SEED, "2 p v2"), AP: (SEED, "3 e v2")}, {}, {AP}, set()),
    ("a cluster that was added since has nothing to go back to", {EU: (SEED, "2 p v2"), AP: ("3 e v2",)},
     {}, {EU}, set()),
    ("versions without an order", {AP: ("1 e abc", "2 p def", "3 r abc")}, {}, set(), {AP}),
    ("versions without an order, reverted by hand", {AP: ("1 e abc", "2 p def", "3 e abc")}, {}, set(), {AP}),
    ("a release, a build named by its commit, and back by hand", {AP: (SEED, "2 p abc", "3 e v1")}, {}, set(), {AP}),
    ("a build named by its commit, a release, and back by hand", {AP: ("1 e abc", "2 p v1", "3 e abc")},
     {}, set(), {AP}),
    ("versions without an order, promoted again", {AP: ("1 e abc", "2 p def", "3 r abc", "4 p def")}, {}, {AP}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "names", "current", "reverted"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_last_promotion_is_reverted_where_git_still_has_it_and_nowhere_else(
    cells: dict[CellKey, tuple[str, ...]],
    names: dict[str, set[str]],
    current: set[CellKey],
    reverted: set[CellKey],
) -> None:
    last = found(cells, names)
    assert last is not None
    assert (set(last.current), set(last.reverted)) == (current, reverted)
    assert {*last.current, *last.reverted, *last.untouched} == set(cells)


@pytest.mark.parametrize("cells", [{}, {AP: (SEED,)}, {EU: (SEED,), AP: ("3 e v2",)}])
def test_a_stage_nothing_was_ever_promoted_into_has_no_last_promotion(cells: dict[CellKey, tuple[str, ...]]) -> None:
    assert found(cells) is None


ENTRIES = st.lists(st.tuples(st.sampled_from("pe"), st.integers(1, 4)), min_size=1, max_size=8)


@given(st.dictionaries(st.sampled_from([EU, US, AP]), ENTRIES, min_size=1))
def test_reverting_the_last_promotion_twice_never_goes_one_further_back(
    histories: dict[CellKey, list[tuple[str, int]]],
) -> None:
    """Every cell has its own commits; each revert is a commit of its own, as sgm writes it."""
    number = 0
    pasts: dict[CellKey, tuple[PastVersion, ...]] = {}
    for key, entries in histories.items():
        numbered = []
        for kind, version in entries:
            number += 1
            numbered.append(f"{number} {kind} v{version}")
        pasts[key] = pasts_of(key, *numbered)
    order = {str(at): at for at in range(number + 9)}
    last = last_promotion(pasts, order, {})
    if last is None or not last.current:
        return
    for at, key in enumerate(last.current):
        back = replace(pasts[key][1], revision=str(number + 1 + at), kind="revert")
        pasts[key] = (back, *pasts[key])
    again = last_promotion(pasts, order, {})
    assert again is not None
    assert (again.past, again.current) == (last.past, ())


def test_a_history_of_thousands_of_flips_is_read_in_one_pass() -> None:
    flips = pasts_of(AP, *(f"{at} e {'abc' if at % 2 else 'def'}" for at in range(1, 4000)))
    assert len(flag_rollbacks(flips)) == len(flips)


def test_a_cell_without_a_past_has_not_gone_back() -> None:
    assert has_gone_back(()) is False
    assert has_gone_back(pasts_of(AP, SEED)) is False
