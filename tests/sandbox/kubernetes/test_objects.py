"""The store of an API server keeps the rules of etcd and the registry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kube_server import STARTED, new_store, owned_by, rollout

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import ApiError, ObjectStore
from sgm_tui.sandbox.kubernetes.revisions import KubeObject


def application(**parts: Any) -> KubeObject:
    return {"metadata": {"name": "one", "namespace": "argocd"}, "spec": {"project": "acme"}, **parts}


def events(store: ObjectStore) -> list[str]:
    seen: list[str] = []
    store.listeners.append(lambda event, kind, obj: seen.append(f"{event} {kind} {obj['metadata']['name']}"))
    return seen


def changed(obj: KubeObject, **parts: Any) -> KubeObject:
    return {**obj, **parts}


def test_a_new_object_gets_what_only_the_server_can_give() -> None:
    store = new_store()
    obj = store.create("Rollout", rollout("a"))
    metadata = obj["metadata"]
    assert obj["apiVersion"] == "argoproj.io/v1alpha1"
    assert metadata["creationTimestamp"] == "2026-11-23T09:00:00Z"
    assert metadata["generation"] == 1
    assert metadata["resourceVersion"] == str(store.revision)
    assert len(metadata["uid"]) == 36


def test_the_same_seed_gives_the_same_uids_and_revisions() -> None:
    one, two, other = (new_store(seed=seed).create("Rollout", rollout("a")) for seed in ("s", "s", "t"))
    assert one == two
    assert one["metadata"]["uid"] != other["metadata"]["uid"]


def test_a_store_started_later_has_forgotten_every_revision_of_an_earlier_one() -> None:
    earlier = new_store()
    for name in "abc":
        earlier.create("Rollout", rollout(name))
    later = ObjectStore(Clock(STARTED + timedelta(seconds=1)), seed="test")
    assert later.shelf("Rollout").changes_since(earlier.revision) is None


def test_a_given_creation_time_and_status_stay_so_that_history_can_be_made() -> None:
    obj = rollout("a")
    obj["metadata"]["creationTimestamp"] = "2026-06-01T00:00:00Z"
    stored = new_store().create("Rollout", {**obj, "status": {"phase": "Healthy"}})
    assert stored["metadata"]["creationTimestamp"] == "2026-06-01T00:00:00Z"
    assert stored["status"] == {"phase": "Healthy"}


def test_a_generated_name_is_told_in_the_answer() -> None:
    store = new_store()
    made = store.create("Pod", {"metadata": {"generateName": "a-", "namespace": "probe"}})
    assert made["metadata"]["name"].startswith("a-")
    assert store.get("Pod", "probe", made["metadata"]["name"]) is made


@pytest.mark.parametrize(
    ("kind", "obj", "reason"),
    [
        ("Rollout", rollout("a"), "AlreadyExists"),
        ("Rollout", {"metadata": {"namespace": "probe"}}, "BadRequest"),
        ("Rollout", {"metadata": {"name": "x"}}, "BadRequest"),
        ("Cockatoo", rollout("x"), "NotFound"),
    ],
    ids=["taken", "nameless", "without a namespace", "unknown kind"],
)
def test_a_create_that_cannot_be_is_refused(kind: str, obj: KubeObject, reason: str) -> None:
    store = new_store()
    store.create("Rollout", rollout("a"))
    with pytest.raises(ApiError) as refused:
        store.create(kind, obj)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("kind", "obj", "change", "raised"),
    [
        ("Rollout", rollout("one", "argocd"), {"spec": {"replicas": 3}}, True),
        ("Rollout", rollout("one", "argocd"), {"status": {"phase": "Paused"}}, False),
        ("Application", application(), {"spec": {"project": "other"}}, True),
        ("Application", application(), {"status": {"sync": {"status": "Synced"}}}, True),
        ("Application", application(), {"operation": {"sync": {}}}, True),
        ("ReplicaSet", rollout("one", "argocd"), {"status": {"replicas": 1}}, False),
        ("ApplicationSet", application(), {"status": {"conditions": []}}, False),
        ("AnalysisRun", application(), {"status": {"phase": "Running"}}, True),
    ],
)
def test_generation_follows_what_the_kind_says(kind: str, obj: KubeObject, change: KubeObject, raised: bool) -> None:
    store = new_store()
    before = store.create(kind, obj)
    after = store.write(kind, changed(before, **change))
    assert (after["metadata"]["generation"] > before["metadata"]["generation"]) is raised


def test_annotations_never_raise_the_generation_and_services_have_none() -> None:
    store = new_store()
    app = store.create("Application", application())
    annotated = store.write("Application", changed(app, metadata={**app["metadata"], "annotations": {"a": "b"}}))
    assert annotated["metadata"]["generation"] == 1
    service = store.create("Service", {"metadata": {"name": "s", "namespace": "probe"}})
    assert "generation" not in service["metadata"]


def test_a_write_that_changes_nothing_is_no_event_and_keeps_the_revision() -> None:
    store = new_store()
    before = store.create("Rollout", rollout("a"))
    seen = events(store)
    assert store.write("Rollout", {**before, "spec": dict(before["spec"])}) is before
    assert seen == []


def test_a_write_on_top_of_an_older_version_conflicts() -> None:
    store = new_store()
    first = store.create("Rollout", rollout("a"))
    store.write("Rollout", changed(first, spec={"replicas": 5}))
    with pytest.raises(ApiError) as refused:
        store.write("Rollout", changed(first, spec={"replicas": 6}))
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")


def test_a_write_without_a_revision_wins() -> None:
    store = new_store()
    store.create("Rollout", rollout("a"))
    after = store.write("Rollout", rollout("a", replicas=9))
    assert after["spec"]["replicas"] == 9
    assert after["metadata"]["uid"]


def test_a_write_for_another_object_of_that_name_is_refused() -> None:
    store = new_store()
    first = store.create("Rollout", rollout("a"))
    store.delete("Rollout", "probe", "a")
    store.create("Rollout", rollout("a"))
    with pytest.raises(ApiError) as refused:
        store.write("Rollout", first)
    assert refused.value.code == 422


def test_a_status_write_touches_nothing_but_the_status() -> None:
    store = new_store()
    before = store.create("Rollout", rollout("a"))
    asked = {**before, "spec": {"replicas": 9}, "status": {"phase": "Paused"}}
    after = store.write("Rollout", asked, subresource="status")
    assert after["spec"] == before["spec"]
    assert after["status"] == {"phase": "Paused"}


def test_what_is_only_tried_is_not_stored() -> None:
    store = new_store()
    made = store.create("Rollout", rollout("a"), dry_run=True)
    assert "resourceVersion" not in made["metadata"]
    assert store.get("Rollout", "probe", "a") is None


def test_lists_are_in_name_order_by_namespace_and_labels() -> None:
    store = new_store()
    for name, namespace in (("b", "n"), ("a", "n"), ("c", "n-1"), ("a", "m")):
        store.create("Rollout", rollout(name, namespace))
    assert [obj["metadata"]["name"] for obj in store.list("Rollout", "n")] == ["a", "b"]
    assert [obj["metadata"]["namespace"] for obj in store.list("Rollout", labels={"app": "a"})] == ["m", "n"]


def test_what_an_object_owns_goes_with_it() -> None:
    store = new_store()
    owner = store.create("Rollout", rollout("a"))
    replicas = store.create("ReplicaSet", {"metadata": owned_by(owner, "a-1")})
    store.create("Pod", {"metadata": owned_by(replicas, "a-1-x")})
    assert [obj["metadata"]["name"] for obj in store.owned("ReplicaSet", owner["metadata"]["uid"])] == ["a-1"]
    seen = events(store)
    store.delete("Rollout", "probe", "a")
    assert seen == ["DELETED Rollout a", "DELETED ReplicaSet a-1", "DELETED Pod a-1-x"]


def test_foreground_takes_the_owned_first_and_orphan_leaves_them() -> None:
    store = new_store()
    for name in ("fore", "orphan"):
        owner = store.create("Rollout", rollout(name))
        store.create("ReplicaSet", {"metadata": owned_by(owner, f"{name}-1")})
    seen = events(store)
    store.delete("Rollout", "probe", "fore", propagation="Foreground")
    assert seen == ["DELETED ReplicaSet fore-1", "DELETED Rollout fore"]
    store.delete("Rollout", "probe", "orphan", propagation="Orphan")
    left = store.get("ReplicaSet", "probe", "orphan-1")
    assert left is not None
    assert "ownerReferences" not in left["metadata"]


def test_an_object_of_two_owners_outlives_the_first() -> None:
    store = new_store()
    one, two = (store.create("Rollout", rollout(name)) for name in ("one", "two"))
    metadata = owned_by(one, "shared")
    metadata["ownerReferences"] += owned_by(two, "shared")["ownerReferences"]
    store.create("ConfigMap", {"metadata": metadata})
    store.delete("Rollout", "probe", "one")
    assert store.get("ConfigMap", "probe", "shared") is not None
    store.delete("Rollout", "probe", "two")
    assert store.get("ConfigMap", "probe", "shared") is None


def test_finalizers_hold_an_object_until_the_last_is_taken_off() -> None:
    store = new_store()
    held = application()
    held["metadata"] = {**held["metadata"], "finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    store.create("Application", held)
    seen = events(store)
    marked = store.delete("Application", "argocd", "one")
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["generation"] == 2
    store.delete("Application", "argocd", "one")
    free = {key: value for key, value in marked["metadata"].items() if key != "finalizers"}
    store.write("Application", {**marked, "metadata": free})
    assert seen == ["MODIFIED Application one", "DELETED Application one"]
    assert store.get("Application", "argocd", "one") is None


def test_a_deleted_object_carries_a_new_revision() -> None:
    store = new_store()
    made = store.create("Rollout", rollout("a"))
    gone = store.delete("Rollout", "probe", "a")
    assert int(gone["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_a_deleted_namespace_takes_everything_in_it() -> None:
    store = new_store("probe", "other")
    owner = store.create("Rollout", rollout("a"))
    store.create("ReplicaSet", {"metadata": owned_by(owner, "a-1")})
    store.create("Rollout", rollout("b", "other"))
    store.delete("Namespace", "", "probe")
    assert [obj["metadata"]["name"] for obj in store.list("Rollout")] == ["b"]
    assert store.list("ReplicaSet") == []


@pytest.mark.parametrize("wanted", [{"uid": "another"}, {"resource_version": "1"}])
def test_a_delete_bound_to_another_object_is_refused(wanted: dict[str, str]) -> None:
    store = new_store()
    store.create("Rollout", rollout("a"))
    with pytest.raises(ApiError) as refused:
        store.delete("Rollout", "probe", "a", **wanted)
    assert refused.value.code == 409


def test_the_past_can_be_seen_until_it_is_forgotten() -> None:
    store = new_store(window=2)
    first = store.create("Rollout", rollout("a"))
    moment = store.revision
    store.write("Rollout", changed(first, spec={"replicas": 3}))
    store.create("Rollout", rollout("b"))
    shelf = store.shelf("Rollout")
    past = shelf.versions_at(moment)
    assert past is not None
    assert [version.object for version in past] == [first]
    for replicas in range(10, 20):
        store.write("Rollout", rollout("a", replicas=replicas))
    assert shelf.versions_at(moment) is None
    assert shelf.changes_since(moment) is None
    assert len(shelf.changes_since(shelf.floor) or ()) >= 2


def test_a_compaction_forgets_everything_before_it() -> None:
    store = new_store()
    before = store.revision
    store.create("Rollout", rollout("a"))
    store.compact()
    assert store.shelf("Rollout").changes_since(before) is None
    assert store.shelf("Rollout").changes_since(store.revision) == []
