"""Merge patches and JSON patches do what their RFCs say, without touching what they are given."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sgm_tui.sandbox.kubernetes.patches import PatchError, json_patch, merge_patch, strategic_merge_patch, without_nulls


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        (["a"], ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch_is_rfc_7386(target: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


@pytest.mark.parametrize(
    ("target", "operation", "result"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}),
        ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": {"b": 1}}, {"op": "replace", "path": "/a/b", "value": 2}, {"a": {"b": 2}}),
        ({"a": [1, 2]}, {"op": "replace", "path": "/a/0", "value": 9}, {"a": [9, 2]}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": {"b": 1, "c": 2}}, {"op": "remove", "path": "/a/b"}, {"a": {"c": 2}}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}),
        ({"a": 1}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": 1, "b": 1}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1}, {"a": 1}),
        ({"a": 1}, {"op": "test", "path": "/b", "value": None}, {"a": 1}),
        ({"x/y": 1, "m~n": 2}, {"op": "remove", "path": "/x~1y"}, {"m~n": 2}),
        ({"a": 1}, {"op": "add", "path": "", "value": 7}, 7),
        ({"a": [{"b": 1}]}, {"op": "add", "path": "/a/0/c", "value": 2}, {"a": [{"b": 1, "c": 2}]}),
    ],
)
def test_json_patch_is_rfc_6902(target: Any, operation: dict[str, Any], result: Any) -> None:
    before = copy.deepcopy(target)
    assert json_patch(target, [operation]) == result
    assert target == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/nope", "value": 1},
        {"op": "test", "path": "/nope/deep", "value": None},
        {"op": "remove", "path": "/nope"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/nope", "value": 1},
        {"op": "add", "path": "/nope/deep", "value": 1},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "add", "path": "/a/below", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "test", "path": 5, "value": None},
        {"op": "add", "path": "/b"},
        {"op": "wish", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_an_operation_that_cannot_be_done_fails_the_patch(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": 1, "list": []}, [{"op": "add", "path": "/fine", "value": 0}, operation])


def test_a_strategic_patch_leaves_its_directives_out() -> None:
    patch = {"metadata": {"labels": {"a": "b"}, "$setElementOrder/x": [1]}, "$patch": "merge"}
    assert strategic_merge_patch({"metadata": {"name": "x"}}, patch) == {
        "metadata": {"name": "x", "labels": {"a": "b"}}
    }


def test_unchanged_parts_are_shared_not_copied() -> None:
    spec = {"template": {"big": 1}}
    assert merge_patch({"spec": spec}, {"metadata": {"a": 1}})["spec"] is spec


def test_nulls_are_pruned_and_what_has_none_stays_itself() -> None:
    clean = {"a": [{"b": 1}]}
    assert without_nulls(clean) is clean
    assert without_nulls({"a": None, "b": [{"c": None}, 1], "d": clean}) == {"b": [{}, 1], "d": clean}


def test_a_json_patch_shares_no_value_with_its_operations() -> None:
    operations = [{"op": "add", "path": "/new", "value": {}}, {"op": "add", "path": "/new/key", "value": 1}]
    before = copy.deepcopy(operations)
    assert json_patch({}, operations) == {"new": {"key": 1}}
    assert operations == before
