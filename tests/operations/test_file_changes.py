"""What a change makes of its file: exactly what was asked for, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName, Version
from sgm_tui.fleet.plans.plan import Change, Extra, Refusal
from sgm_tui.fleet.plans.strategy import extras_of
from sgm_tui.gitops.yaml.compare import describe_differences, find_differing_keys, find_extra_keys
from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.values import UnreadableError
from sgm_tui.operations.file_changes import apply_change

OLD = b"""# cart
image:
  repository: ghcr.io/acme/cart
  tag: v1   # promoted
rollout:
  strategy: canary
  steps:          # by hand
    - setWeight: 50
    - pause: {}
env:
  A: "1"
"""
NEW = OLD.replace(b"tag: v1", b"tag: v2").replace(b'A: "1"', b'A: "2"')
WHERE = CellKey(ServiceName("cart"), StageName("prod"), ClusterName("prod-eu1"))
PATH = "prod/prod-eu1/app-service/cart/values.yaml"
PROMOTION = Change(
    "promotion", WHERE.service, WHERE.stage, WHERE.cluster, PATH, "image.tag", Version("v1"), Version("v2"), (WHERE,)
)
REVERT = replace(PROMOTION, kind="revert", from_version=Version("v2"), to_version=Version("v1"), undoes=("abc",))


class Files:
    """Commits by name."""

    def __init__(self, **commits: bytes) -> None:
        self.commits = commits

    def read(self, commit: str, path: str) -> bytes | None:
        assert path == PATH
        return self.commits.get(commit.replace("^1", "_before"))


def test_a_promotion_changes_the_version_and_nothing_else() -> None:
    assert apply_change(Files(head=OLD), "head", PROMOTION).after == OLD.replace(b"tag: v1 ", b"tag: v2 ")


def test_a_strategy_is_written_with_the_version() -> None:
    extras = extras_of("canary10-30")
    assert not isinstance(extras, Refusal)
    after = apply_change(Files(head=OLD), "head", replace(PROMOTION, extras=extras)).after
    assert (
        b"  steps:          # by hand\n    - setWeight: 10\n    - pause: {duration: 1m}\n    - analysis: {}\n" in after
    )
    assert after.startswith(b"# cart\nimage:\n  repository: ghcr.io/acme/cart\n  tag: v2   # promoted\n")
    assert after.endswith(b'env:\n  A: "1"\n')


def test_a_strategy_reaches_a_service_that_relied_on_the_charts_defaults() -> None:
    extras = extras_of("bluegreen")
    assert not isinstance(extras, Refusal)
    plain = b"image:\n  repository: ghcr.io/acme/cart\n  tag: v1\n"
    after = apply_change(Files(head=plain), "head", replace(PROMOTION, extras=extras)).after
    assert after == plain.replace(b"v1", b"v2") + b"rollout:\n  strategy: blueGreen\n"


def test_a_strategy_that_is_there_already_changes_nothing() -> None:
    change = replace(PROMOTION, extras=(Extra("rollout.strategy", '"canary"'),))
    assert apply_change(Files(head=OLD), "head", change).after == OLD.replace(b"tag: v1 ", b"tag: v2 ")


def test_a_revert_takes_back_everything_the_promotion_changed() -> None:
    assert apply_change(Files(head=NEW, abc=NEW, abc_before=OLD), "head", REVERT).after == OLD


def test_a_revert_keeps_what_was_changed_elsewhere_since() -> None:
    since = NEW.replace(b"setWeight: 50", b"setWeight: 20")
    after = apply_change(Files(head=since, abc=NEW, abc_before=OLD), "head", REVERT).after
    assert after == OLD.replace(b"setWeight: 50", b"setWeight: 20")


def test_a_revert_that_cannot_undo_everything_brings_the_version_back_and_says_what_is_left() -> None:
    since = NEW.replace(b'A: "2"', b'A: "3"')
    made = apply_change(Files(head=since, abc=NEW, abc_before=OLD), "head", REVERT)
    assert made.after == since.replace(b"tag: v2", b"tag: v1")
    assert "not fully reverted" in made.not_reverted[0]


def test_a_revert_of_what_is_gone_already_is_refused() -> None:
    other = NEW.replace(b"tag: v2", b"tag: v7")
    with pytest.raises(EditRefusedError, match="v7 now"):
        apply_change(Files(head=other, abc=NEW, abc_before=OLD), "head", REVERT)


def test_a_file_that_is_gone_is_refused() -> None:
    with pytest.raises(EditRefusedError, match="no longer in git"):
        apply_change(Files(), "head", PROMOTION)


def test_only_the_keys_of_the_policy_travel_and_protected_ones_never() -> None:
    source = OLD.replace(b'A: "1"', b'A: "5"').replace(b"setWeight: 50", b"setWeight: 1")
    extras = find_extra_keys(source, OLD, ["env.A", "env.B", "image.repository"])
    assert [(one.key, json.loads(one.value)) for one in extras] == [("env.A", "5")]
    assert describe_differences(source, OLD, ("env.A",), ("rollout",)) == ("protected: rollout.steps",)


AMPERSAND = OLD.replace(b'A: "1"', b"URL: http://shop/?a=1&b=2").replace(b"  strategy: canary\n", b"  maxSurge: 50%\n")


def test_a_strategy_leaves_its_neighbours_alone_whatever_else_the_file_holds() -> None:
    extras = extras_of("bluegreen")
    assert not isinstance(extras, Refusal)
    after = apply_change(Files(head=AMPERSAND), "head", replace(PROMOTION, extras=extras)).after
    assert b"maxSurge: 50%" in after
    assert b"setWeight: 50" in after
    assert b"strategy: blueGreen" in after


def test_a_file_that_cannot_be_read_is_never_taken_for_an_empty_one() -> None:
    twice = OLD + b"rollout:\n  strategy: canary\n"
    with pytest.raises(EditRefusedError):
        apply_change(Files(head=twice), "head", replace(PROMOTION, extras=(Extra("rollout.strategy", '"blueGreen"'),)))
    with pytest.raises(UnreadableError):
        find_differing_keys(twice, twice)
    assert "cannot compare" in describe_differences(twice, OLD, (), ())[0]


def test_values_that_differ_only_far_behind_differ() -> None:
    one, other = (b"env:\n  A: " + b"x" * 300 + end for end in (b"1\n", b"2\n"))
    assert find_differing_keys(one, other) == ("env.A",)
    assert find_differing_keys(AMPERSAND, AMPERSAND.replace(b"b=2", b"b=3")) == ("env.URL",)
