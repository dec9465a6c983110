"""The real clients, kubectl and the Python library, work against an embedded cluster."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kube_server import new_store, owned_by, rollout, served
from kubernetes import client, config, watch

from sgm_tui.sandbox.kubernetes.objects import ObjectStore

ARGO = {"group": "argoproj.io", "version": "v1alpha1", "namespace": "probe", "plural": "rollouts"}

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def cluster() -> ObjectStore:
    """A Rollout with a ReplicaSet, a pod and an event, complete enough for typed clients."""
    store = new_store("probe", "default")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2)
    owner = store.create("Rollout", {**rollout("cart"), "status": {"phase": "Healthy", **counts}})
    labels = {"app": "cart"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "cart:v1"}]}}
    replica_set = store.create(
        "ReplicaSet",
        {
            "metadata": owned_by(owner, "cart-1", labels=labels),
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
            "status": {"replicas": 2, "readyReplicas": 2},
        },
    )
    ready = {
        "name": "app",
        "image": "cart:v1",
        "imageID": "",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
    }
    store.create(
        "Pod",
        {
            "metadata": owned_by(replica_set, "cart-1-x", labels=labels),
            "spec": template["spec"],
            "status": {"phase": "Running", "containerStatuses": [ready]},
        },
    )
    about = {"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1", "name": "cart", "namespace": "probe"}
    store.create(
        "Event",
        {
            "metadata": {"name": "cart.1", "namespace": "probe"},
            "involvedObject": {**about, "uid": owner["metadata"]["uid"]},
            "type": "Normal",
            "reason": "RolloutCompleted",
            "message": "Rollout completed update to revision 1",
            "source": {"component": "rollouts-controller"},
            "firstTimestamp": store.clock.stamp(),
            "lastTimestamp": store.clock.stamp(),
            "count": 1,
        },
    )
    return store


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig and home of its own."""

    environment: dict[str, str]

    async def __call__(self, *arguments: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            ["kubectl", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@asynccontextmanager
async def kubectl_on(store: ObjectStore, folder: Path) -> AsyncIterator[Kubectl]:
    async with served(probe=store) as server:
        kubeconfig = server.write_kubeconfig(folder, "probe")
        yield Kubectl({"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(kubeconfig)})


def stored(store: ObjectStore, name: str = "cart") -> Any:
    return store.get("Rollout", "probe", name)


@needs_kubectl
async def test_kubectl_gets_and_describes(tmp_path: Path) -> None:
    async with kubectl_on(cluster(), tmp_path) as kubectl:
        shown = (await kubectl("get", "ro")).split()
        assert shown[:6] == ["NAME", "DESIRED", "CURRENT", "UP-TO-DATE", "AVAILABLE", "AGE"]
        assert shown[6:11] == ["cart", "2", "2", "2", "2"]
        assert "cart:v1" in await kubectl("get", "replicasets", "-o", "wide")
        assert "1/1" in await kubectl("get", "pods", "-A", "-l", "app=cart")
        assert json.loads(await kubectl("get", "rollout/cart", "-o", "json"))["status"]["phase"] == "Healthy"
        assert "RolloutCompleted" in await kubectl("describe", "rollout", "cart")
        assert "cart-1" in await kubectl("describe", "pod", "cart-1-x")
        assert "RolloutCompleted" in await kubectl("get", "events")


@needs_kubectl
async def test_kubectl_discovers_what_is_served(tmp_path: Path) -> None:
    async with kubectl_on(cluster(), tmp_path) as kubectl:
        shown = await kubectl("api-resources", "--api-group", "argoproj.io", "-o", "name")
        assert "applications.argoproj.io" in shown.split()
        assert "v1.37" in await kubectl("version")
        assert "yes" in await kubectl("auth", "can-i", "patch", "rollouts", "--subresource=status")


@needs_kubectl
async def test_kubectl_patches_annotates_labels_scales_and_deletes(tmp_path: Path) -> None:
    store = cluster()
    async with kubectl_on(store, tmp_path) as kubectl:
        await kubectl("patch", "ro", "cart", "--type=merge", "-p", '{"spec":{"paused":true}}')
        assert stored(store)["spec"]["paused"] is True
        await kubectl(
            "patch", "ro", "cart", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":4}]'
        )  # fmt: skip
        assert stored(store)["spec"]["replicas"] == 4
        await kubectl(
            "patch", "ro", "cart", "--subresource=status", "--type=merge", "-p", '{"status":{"abort":true}}'
        )  # fmt: skip
        assert stored(store)["status"]["abort"] is True
        await kubectl("annotate", "ro", "cart", "team=shop")
        await kubectl("label", "replicaset", "cart-1", "tier=web")
        await kubectl("scale", "ro", "cart", "--replicas=6")
        assert stored(store)["metadata"]["annotations"] == {"team": "shop"}
        assert stored(store)["spec"]["replicas"] == 6
        await kubectl("wait", "--for=jsonpath={.status.abort}=true", "rollout/cart", "--timeout=5s")
        await kubectl("delete", "rollout", "cart", "--timeout=5s")
    assert stored(store) is None
    assert store.list("Pod") == []


@needs_kubectl
async def test_kubectl_applies_and_compares_a_manifest(tmp_path: Path) -> None:
    store = cluster()
    manifest = tmp_path / "rollout.json"
    wanted = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", **rollout("fresh")}
    async with kubectl_on(store, tmp_path) as kubectl:
        manifest.write_text(json.dumps(wanted))
        assert "created" in await kubectl("apply", "-f", str(manifest))
        manifest.write_text(json.dumps({**wanted, "spec": {"replicas": 5}}))
        assert "configured" in await kubectl("apply", "-f", str(manifest))
        assert "unchanged" in await kubectl("apply", "-f", str(manifest))
    assert stored(store, "fresh")["spec"]["replicas"] == 5


@needs_kubectl
async def test_kubectl_watches(tmp_path: Path) -> None:
    store = cluster()
    async with kubectl_on(store, tmp_path) as kubectl:
        process = await asyncio.create_subprocess_exec(
            "kubectl", "get", "ro", "-w", "--no-headers",
            env=kubectl.environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                assert (await process.stdout.readline()).split()[:2] == [b"cart", b"2"]
                store.write("Rollout", {**stored(store), "spec": {"replicas": 8}})
                assert (await process.stdout.readline()).split()[:2] == [b"cart", b"8"]
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def python_client_on(store: ObjectStore, folder: Path) -> AsyncIterator[client.ApiClient]:
    async with served(probe=store) as server:
        kubeconfig = server.write_kubeconfig(folder, "probe")
        api = await asyncio.to_thread(config.new_client_from_config, str(kubeconfig), persist_config=False)
        # An exception a test keeps would keep its connection open past the end of the server.
        api.set_default_header("Connection", "close")
        with api:
            yield api


async def test_the_python_client_lists_and_patches_custom_objects(tmp_path: Path) -> None:
    store = cluster()
    async with python_client_on(store, tmp_path) as api:
        custom = client.CustomObjectsApi(api)
        listed = await asyncio.to_thread(custom.list_namespaced_custom_object, **ARGO)
        assert [item["metadata"]["name"] for item in listed["items"]] == ["cart"]
        await asyncio.to_thread(
            custom.patch_namespaced_custom_object_status, **ARGO, name="cart", body={"status": {"abort": True}}
        )  # fmt: skip
        assert stored(store)["status"]["abort"] is True
        with pytest.raises(client.ApiException) as refused:
            await asyncio.to_thread(
                custom.patch_namespaced_custom_object,
                **ARGO,
                name="cart",
                body=[{"op": "test", "path": "/metadata/uid", "value": "another"}],
                _content_type="application/json-patch+json",
            )
        assert refused.value.status == 422
        assert (await asyncio.to_thread(client.VersionApi(api).get_code)).git_version == "v1.37.2"


async def test_the_python_client_reads_typed_objects(tmp_path: Path) -> None:
    async with python_client_on(cluster(), tmp_path) as api:
        pods = await asyncio.to_thread(client.CoreV1Api(api).list_namespaced_pod, "probe")
        assert [pod.metadata.name for pod in pods.items] == ["cart-1-x"]
        sets = await asyncio.to_thread(client.AppsV1Api(api).list_replica_set_for_all_namespaces)
        assert sets.items[0].status.ready_replicas == 2
        events = await asyncio.to_thread(client.CoreV1Api(api).list_namespaced_event, "probe")
        assert events.items[0].reason == "RolloutCompleted"


async def test_the_python_client_watches_and_hears_of_an_expired_revision(tmp_path: Path) -> None:
    store = cluster()
    old = str(store.revision)
    async with python_client_on(store, tmp_path) as api:
        custom = client.CustomObjectsApi(api)

        def first_events(count: int, **options: Any) -> list[str]:
            stream = watch.Watch().stream(custom.list_namespaced_custom_object, **ARGO, timeout_seconds=5, **options)
            events = itertools.islice(stream, count)
            return [f"{event['type']} {event['object']['spec']['replicas']}" for event in events]

        watching = asyncio.create_task(asyncio.to_thread(first_events, 2, resource_version=old))
        store.write("Rollout", {**stored(store), "spec": {"replicas": 3}})
        store.write("Rollout", {**stored(store), "spec": {"replicas": 4}})
        assert await watching == ["MODIFIED 3", "MODIFIED 4"]
        store.compact()
        with pytest.raises(client.ApiException) as refused:
            await asyncio.to_thread(first_events, 1, resource_version=old)
        assert refused.value.status == 410
