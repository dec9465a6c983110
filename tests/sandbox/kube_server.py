"""A real server on loopback around object stores, for tests that speak to it with real clients."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.api import routes
from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.tls import LoopbackTls, loopback_tls

TOKEN = "an-open-secret"
STARTED = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def new_store(*namespaces: str, seed: str = "test", **options: Any) -> ObjectStore:
    store = ObjectStore(Clock(STARTED), seed=seed, **options)
    for namespace in namespaces:
        store.create("Namespace", {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
    return store


def rollout(name: str, namespace: str = "probe", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"replicas": 2, **spec},
    }


def owned_by(owner: Mapping[str, Any], name: str, **metadata: Any) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {"name": name, "namespace": owner["metadata"]["namespace"], "ownerReferences": [reference], **metadata}


@dataclass(frozen=True)
class Served:
    """A running server and a session that carries its token."""

    plain: str
    """Base URL without TLS; clusters are below it."""
    secure: str
    tls: LoopbackTls
    http: aiohttp.ClientSession
    faults: Mapping[str, KubeFaults]

    def write_kubeconfig(self, folder: Path, cluster: str) -> Path:
        path = folder / "kubeconfig"
        authority = base64.b64encode(self.tls.authority).decode()
        server = {"server": f"{self.secure}/{cluster}", "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": cluster,
            "clusters": [{"name": cluster, "cluster": server}],
            "users": [{"name": "sandbox", "user": {"token": TOKEN}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "sandbox", "namespace": "probe"}}],
        }
        path.write_text(json.dumps(config))
        return path


@asynccontextmanager
async def served(**clusters: ObjectStore) -> AsyncIterator[Served]:
    """Serve these stores, with and without TLS, until the block ends."""
    faults = {name: KubeFaults() for name in clusters}
    app = web.Application()
    app.add_subapp("/clusters", routes(clusters, TOKEN, faults))
    runner = web.AppRunner(app, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    tls = loopback_tls()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.context).start()
    plain, secure = (address[1] for address in runner.addresses)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with aiohttp.ClientSession(headers=headers) as http:
            base = f"127.0.0.1:{plain}/clusters"
            yield Served(f"http://{base}", f"https://127.0.0.1:{secure}/clusters", tls, http, faults)
    finally:
        await _all_gone(runner)
        await runner.cleanup()


async def _all_gone(runner: web.AppRunner) -> None:
    """Let the server see that its clients have closed, so that no half-closed TLS connection outlives the loop."""
    for _ in range(200):
        if runner.server is None or not runner.server.connections:
            return
        await asyncio.sleep(0.005)
