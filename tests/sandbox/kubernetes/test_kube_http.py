"""What the recordings do not show: access, faults, forms, pages, subresources, deletes."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from kube_server import TOKEN, Served, new_store, owned_by, rollout, served

from sgm_tui.sandbox.kubernetes.kinds import RESOURCES

ROLLOUTS = "apis/argoproj.io/v1alpha1/namespaces/probe/rollouts"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def ask(server: Served, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with server.http.request(method, f"{server.plain}/probe/{path}", **options) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else await answer.text()


@pytest.mark.parametrize("path", ["healthz", "readyz", "livez", "version", "version/"])
async def test_health_and_version_are_public(path: str) -> None:
    async with served(probe=new_store()) as server:
        status, _ = await ask(server, "GET", path, headers={"Authorization": ""})
        assert status == 200


async def test_nobody_may_discover_or_patch_without_a_token() -> None:
    async with served(probe=new_store("probe")) as server:
        status, body = await ask(server, "GET", "apis", headers={"Authorization": ""})
        assert (status, body["message"]) == (403, 'forbidden: User "system:anonymous" cannot get path "/apis"')
        status, body = await ask(server, "PATCH", f"{ROLLOUTS}/a/status", headers={"Authorization": ""}, data="{}")
        assert status == 403
        assert 'cannot patch resource "rollouts/status"' in body["message"]


@pytest.mark.parametrize("header", [f"Basic {TOKEN}", "Bearer ", f"Bearer {TOKEN}x"])
async def test_a_wrong_token_is_unauthorized(header: str) -> None:
    async with served(probe=new_store()) as server:
        status, body = await ask(server, "GET", "api", headers={"Authorization": header})
        assert (status, body["reason"]) == (401, "Unauthorized")


async def test_a_name_that_is_not_this_machine_is_not_served() -> None:
    async with served(probe=new_store()) as server:
        status, _ = await ask(server, "GET", "version", headers={"Host": "evil.example"})
        assert status == 404


async def test_a_cluster_or_path_that_is_not_there_is_plain_text() -> None:
    async with served(probe=new_store()) as server:
        for path in ("../nowhere/version", "apis/argoproj.io/v1alpha1/cockatoos", "api/v1/pods/a/b/c/d", "metrics"):
            status, body = await ask(server, "GET", path)
            assert (status, body) == (404, "404 page not found\n"), path


async def test_every_kind_can_be_created_listed_and_read() -> None:
    store = new_store("probe")
    async with served(probe=store) as server:
        for resource in RESOURCES:
            namespace = {"namespace": "probe"} if resource.namespaced else {}
            store.create(resource.kind, {"metadata": {"name": "x", **namespace}})
            root = f"apis/{resource.api_version}" if resource.group else "api/v1"
            scope = "/namespaces/probe" if resource.namespaced else ""
            for accept in ("application/json", TABLE):
                status, body = await ask(
                    server, "GET", f"{root}{scope}/{resource.plural}", headers={"Accept": accept}
                )  # fmt: skip
                assert status == 200
                assert "x" in str(body), resource.kind
            status, body = await ask(server, "GET", f"{root}{scope}/{resource.plural}/x")
            assert (status, body["kind"]) == (200, resource.kind)


async def test_pages_cover_everything_once_while_things_change() -> None:
    store = new_store("probe")
    for number in range(25):
        store.create("Rollout", rollout(f"r{number:02}"))
    async with served(probe=store) as server:
        names: list[str] = []
        token = ""
        while True:
            status, body = await ask(server, "GET", ROLLOUTS, params={"limit": "10", "continue": token})
            assert status == 200
            names += [item["metadata"]["name"] for item in body["items"]]
            token = body["metadata"]["continue"]
            if not token:
                break
            store.delete("Rollout", "probe", f"r{len(names) // 2:02}")
            store.create("Rollout", rollout(f"r{len(names):02}x"))
        assert names == [f"r{number:02}" for number in range(25)]


async def test_an_expired_page_offers_to_go_on_with_what_is_there_now() -> None:
    store = new_store("probe")
    for name in "abcd":
        store.create("Rollout", rollout(name))
    async with served(probe=store) as server:
        _, page = await ask(server, "GET", ROLLOUTS, params={"limit": "2"})
        store.delete("Rollout", "probe", "c")
        store.compact()
        status, gone = await ask(
            server, "GET", ROLLOUTS, params={"limit": "2", "continue": page["metadata"]["continue"]}
        )
        assert (status, gone["reason"]) == (410, "Expired")
        _, rest = await ask(server, "GET", ROLLOUTS, params={"continue": gone["metadata"]["continue"]})
        assert [item["metadata"]["name"] for item in rest["items"]] == ["d"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"resourceVersion": "9" * 18}, 504),
        ({"resourceVersion": "x"}, 400),
        ({"limit": "x"}, 400),
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422),
        ({"sendInitialEvents": "true"}, 422),
        ({"continue": "bm90IGpzb24"}, 400),
        ({"watch": "false"}, 200),
    ],
)
async def test_list_options_are_checked(query: dict[str, str], status: int) -> None:
    async with served(probe=new_store("probe")) as server:
        found, _ = await ask(server, "GET", ROLLOUTS, params=query)
        assert found == status


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "RolloutList"),
        ("*/*", "RolloutList"),
        ("application/vnd.kubernetes.protobuf,application/json", "RolloutList"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", "Table"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "RolloutList"),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "PartialObjectMetadataList"),
    ],
)
async def test_the_first_form_that_can_be_served_is(accept: str, kind: str) -> None:
    async with served(probe=new_store("probe")) as server:
        _, body = await ask(server, "GET", ROLLOUTS, headers={"Accept": accept})
        assert body["kind"] == kind


async def test_what_cannot_be_served_is_not_acceptable() -> None:
    async with served(probe=new_store("probe")) as server:
        for accept in ("application/xml", "application/json;as=Table;v=v9;g=meta.k8s.io"):
            status, body = await ask(server, "GET", ROLLOUTS, headers={"Accept": accept})
            assert (status, body["reason"]) == (406, "NotAcceptable")


async def test_scale_is_a_view_of_the_replicas() -> None:
    store = new_store("probe")
    store.create("Rollout", {**rollout("a"), "status": {"HPAReplicas": 2, "selector": "app=a"}})
    merge = {"Content-Type": "application/merge-patch+json"}
    async with served(probe=store) as server:
        _, scale = await ask(server, "GET", f"{ROLLOUTS}/a/scale")
        assert (scale["kind"], scale["spec"], scale["status"]) == (
            "Scale",
            {"replicas": 2},
            {"replicas": 2, "selector": "app=a"},
        )
        status, scale = await ask(
            server, "PATCH", f"{ROLLOUTS}/a/scale", data='{"spec":{"replicas":6}}', headers=merge
        )  # fmt: skip
        assert (status, scale["spec"]["replicas"]) == (200, 6)
        stale = {**scale, "metadata": {"name": "a", "namespace": "probe", "resourceVersion": "1"}}
        status, _ = await ask(server, "PUT", f"{ROLLOUTS}/a/scale", json=stale)
        assert status == 409
    assert (store.get("Rollout", "probe", "a") or {})["spec"]["replicas"] == 6


async def test_a_replace_keeps_the_status_and_a_status_replace_the_rest() -> None:
    store = new_store("probe")
    made = store.create("Rollout", {**rollout("a"), "status": {"phase": "Healthy"}})
    async with served(probe=store) as server:
        _, body = await ask(server, "PUT", f"{ROLLOUTS}/a", json={**made, "spec": {"replicas": 5}, "status": {}})
        assert (body["spec"], body["status"]) == ({"replicas": 5}, {"phase": "Healthy"})
        _, body = await ask(
            server, "PUT", f"{ROLLOUTS}/a/status", json={**body, "spec": {}, "status": {"phase": "Paused"}}
        )
        assert (body["spec"], body["status"]) == ({"replicas": 5}, {"phase": "Paused"})


async def test_two_writers_of_an_operation_merge_unless_they_guard_it() -> None:
    store = new_store("argocd")
    spec = {"project": "acme", "destination": {}}
    store.create("Application", {"metadata": {"name": "a", "namespace": "argocd"}, "spec": spec})
    path = "apis/argoproj.io/v1alpha1/namespaces/argocd/applications/a"
    merge = {"Content-Type": "application/merge-patch+json"}
    async with served(probe=store) as server:
        await ask(server, "PATCH", path, headers=merge, data='{"operation":{"sync":{"prune":true}}}')
        await ask(server, "PATCH", path, headers=merge, data='{"operation":{"initiatedBy":{"username":"b"}}}')
        guard = '[{"op":"test","path":"/operation","value":null},{"op":"add","path":"/operation","value":{}}]'
        status, _ = await ask(
            server, "PATCH", path, headers={"Content-Type": "application/json-patch+json"}, data=guard
        )  # fmt: skip
        assert status == 422
    assert (store.get("Application", "argocd", "a") or {})["operation"] == {
        "sync": {"prune": True},
        "initiatedBy": {"username": "b"},
    }


async def test_an_operation_that_is_absent_can_be_tested_for_and_nulls_are_not_stored() -> None:
    store = new_store("argocd")
    spec = {"project": "acme", "destination": {}}
    status = {"operationState": {"phase": "Succeeded"}}
    store.create("Application", {"metadata": {"name": "a", "namespace": "argocd"}, "spec": spec, "status": status})
    operations = [
        {"op": "test", "path": "/operation", "value": None},
        {"op": "add", "path": "/operation", "value": {"sync": {}}},
        {"op": "add", "path": "/status/operationState", "value": None},
    ]
    async with served(probe=store) as server:
        path = "apis/argoproj.io/v1alpha1/namespaces/argocd/applications/a"
        json_patch = {"Content-Type": "application/json-patch+json"}
        status_code, body = await ask(server, "PATCH", path, headers=json_patch, data=json.dumps(operations))
        assert (status_code, body["operation"], body["status"]) == (200, {"sync": {}}, {})


async def test_a_built_in_kind_takes_strategic_patches_and_no_revision() -> None:
    store = new_store("probe")
    store.create("ConfigMap", {"metadata": {"name": "c", "namespace": "probe"}, "data": {"a": "1"}})
    path = "api/v1/namespaces/probe/configmaps/c"
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    async with served(probe=store) as server:
        status, body = await ask(server, "PATCH", path, headers=strategic, data='{"metadata":{"labels":{"x":"y"}}}')
        assert (status, body["metadata"]["labels"]) == (200, {"x": "y"})
        status, _ = await ask(server, "PUT", path, json={"metadata": {"name": "c"}, "data": {"a": "2"}})
        assert status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", ROLLOUTS, {"metadata": {"name": "x", "namespace": "other"}, "spec": {}}, 400),
        ("POST", ROLLOUTS, {"kind": "Pod", "metadata": {"name": "x"}}, 400),
        ("POST", ROLLOUTS, {"metadata": {"name": "x", "resourceVersion": "1"}, "spec": {}}, 400),
        ("POST", ROLLOUTS, {"spec": {}}, 400),
        ("POST", ROLLOUTS, [1], 400),
        ("POST", ROLLOUTS.replace("probe", "nowhere"), {"metadata": {"name": "x"}, "spec": {}}, 404),
        ("PUT", f"{ROLLOUTS}/a", {"metadata": {"name": "b", "resourceVersion": "1"}, "spec": {}}, 400),
        ("PUT", ROLLOUTS, {}, 405),
        ("POST", f"{ROLLOUTS}/a", {}, 405),
        ("POST", "apis/argoproj.io/v1alpha1/rollouts", {"metadata": {"name": "x"}}, 405),
    ],
)
async def test_a_write_that_does_not_fit_its_address_is_refused(method: str, path: str, body: Any, status: int) -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    async with served(probe=store) as server:
        found, answer = await ask(server, method, path, json=body)
        assert found == status, answer
        assert answer["kind"] == "Status"


async def test_a_body_that_is_no_json_is_a_bad_request() -> None:
    store = new_store("probe")
    store.create("Rollout", rollout("a"))
    merge = {"Content-Type": "application/merge-patch+json"}
    async with served(probe=store) as server:
        status, _ = await ask(server, "PATCH", f"{ROLLOUTS}/a", data="{", headers=merge)
        assert status == 400
        status, _ = await ask(server, "PATCH", f"{ROLLOUTS}/a", data="7", headers=merge)
        assert status == 400
        status, _ = await ask(server, "POST", ROLLOUTS, data="a: b", headers={"Content-Type": "application/yaml"})
        assert status == 415


async def test_a_delete_tells_what_is_gone_and_takes_the_owned_along() -> None:
    store = new_store("probe")
    owner = store.create("Rollout", rollout("a"))
    store.create("ReplicaSet", {"metadata": owned_by(owner, "a-1")})
    async with served(probe=store) as server:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan", "dryRun": ["All"]}
        await ask(server, "DELETE", f"{ROLLOUTS}/a", json=options)
        assert store.get("Rollout", "probe", "a") is owner
        status, body = await ask(server, "DELETE", f"{ROLLOUTS}/a", params={"propagationPolicy": "Foreground"})
        assert (status, body["status"], body["details"]["uid"]) == (200, "Success", owner["metadata"]["uid"])
    assert store.list("ReplicaSet") == []


async def test_a_collection_can_be_deleted_by_selector() -> None:
    store = new_store("probe")
    for name in "abc":
        store.create("Rollout", rollout(name))
    async with served(probe=store) as server:
        status, _ = await ask(server, "DELETE", ROLLOUTS, params={"labelSelector": "app in (a,b)"})
        assert status == 200
    assert [obj["metadata"]["name"] for obj in store.list("Rollout")] == ["c"]


async def test_the_token_may_do_everything() -> None:
    async with served(probe=new_store()) as server:
        for kind in ("selfsubjectaccessreviews", "selfsubjectrulesreviews"):
            status, body = await ask(server, "POST", f"apis/authorization.k8s.io/v1/{kind}", json={"spec": {}})
            assert status == 201
            assert body["status"].get("allowed", True)
        status, body = await ask(server, "POST", "apis/authentication.k8s.io/v1/selfsubjectreviews", json={})
        assert "system:authenticated" in body["status"]["userInfo"]["groups"]


async def test_a_told_status_answers_everything_with_a_status_object() -> None:
    async with served(probe=new_store("probe")) as server:
        server.faults["probe"].status = 429
        async with server.http.get(f"{server.plain}/probe/{ROLLOUTS}") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
            assert (await answer.json())["reason"] == "TooManyRequests"


async def test_a_refusing_cluster_closes_the_connection_and_the_others_go_on() -> None:
    async with served(probe=new_store(), other=new_store()) as server:
        server.faults["probe"].refuse = True
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(server, "GET", "version")
        async with server.http.get(f"{server.plain}/other/version") as answer:
            assert answer.status == 200


async def test_a_server_that_hangs_can_still_be_stopped() -> None:
    async with served(probe=new_store()) as server:
        server.faults["probe"].hang = True
        with pytest.raises(TimeoutError):
            await server.http.get(f"{server.plain}/probe/version", timeout=aiohttp.ClientTimeout(0.1))
