"""The sandbox served: the ready line, its private files, who gets in, and going down and coming back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from kubernetes import client, config
from ruamel.yaml import YAML

from sgm_tui.sandbox.ready import Ready
from sgm_tui.sandbox.server import SandboxOptions, serve

SMALL = {"services": 3, "clusters": 3, "scenario": "calm"}


@asynccontextmanager
async def served(**options: object) -> AsyncIterator[Ready]:
    """A sandbox in this loop, stopped afterwards."""
    ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(SandboxOptions(**{**SMALL, **options}), ready.set_result))
    done, _ = await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    if task in done:
        await task
    try:
        yield await ready
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def text(path: str) -> str:
    return Path(path).read_text()


def mode(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


async def test_the_ready_line_names_files_only_their_owner_may_read(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready"
    async with served(directory=tmp_path / "fleet", ready_file=ready_file) as ready:
        assert json.loads(ready_file.read_text()) == json.loads(ready.line())
        assert set(json.loads(ready.line())) == {
            "config", "kubeconfig", "hub", "prometheus", "github", "repository", "git", "registry", "token_file", "pid",
        }  # fmt: skip
        assert {mode(path) for path in (ready.config, ready.kubeconfig, ready.token_file, ready_file)} == {0o600}
        assert mode(tmp_path / "fleet") == 0o700
        assert len(text(ready.token_file).strip()) == 64
        assert list(ready.prometheus) == ["dev-eu1", "prod-eu1", "staging-eu1"]


async def test_the_team_file_points_into_the_sandbox(tmp_path: Path) -> None:
    async with served(directory=tmp_path) as ready:
        team = YAML(typ="safe").load(text(ready.config))
        assert team["repository"]["url"] == ready.git
        clusters = {one["name"]: one for stage in team["stages"] for one in stage["clusters"]}
        assert {name: one["prometheus"] for name, one in clusters.items()} == dict(ready.prometheus)
        assert team["github"]["api_url"] == ready.github
        assert team["argocd"]["hubs"] == [{"context": ready.hub, "namespace": "argocd"}]
        assert team["kubeconfig"] == ready.kubeconfig
        assert text(ready.token_file).strip() not in text(ready.config)


async def test_a_kubernetes_client_sees_the_hub_and_the_clusters(tmp_path: Path) -> None:
    async with served(directory=tmp_path) as ready:

        def look(context: str, plural: str) -> list[str]:
            api = config.new_client_from_config(ready.kubeconfig, context=context)
            found = client.CustomObjectsApi(api).list_cluster_custom_object("argoproj.io", "v1alpha1", plural)
            api.close()
            return [one["metadata"]["name"] for one in found["items"]]

        assert "prod-eu1-cart" in await asyncio.to_thread(look, "hub", "applications")
        assert "cart" in await asyncio.to_thread(look, "prod-eu1", "rollouts")
        assert await asyncio.to_thread(look, "hub", "applicationsets") == ["app-service", "platform"]


@pytest.mark.parametrize("path", ["/api/v3/repos/acme/gitops", "/prometheus/prod-eu1/api/v1/query?query=up", "/v2/"])
async def test_nothing_is_said_without_the_token_or_to_another_host(tmp_path: Path, path: str) -> None:
    async with served(directory=tmp_path) as ready, aiohttp.ClientSession() as session:
        url = f"http://{ready.registry}{path}"
        token = text(ready.token_file).strip()
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": f"Bearer {token}", "Host": "evil.example"}, 421),
        ):
            async with session.get(url, headers=headers) as response:
                assert response.status == status
        async with session.get(url, headers={"Authorization": f"token {token}"}) as response:
            assert response.status == 200


@pytest.mark.parametrize("path", ["healthz", "livez", "readyz"])
async def test_health_is_told_at_the_root_where_kubectl_asks_for_it_raw(tmp_path: Path, path: str) -> None:
    async with served(directory=tmp_path) as ready, aiohttp.ClientSession() as session:
        async with session.get(f"http://{ready.registry}/{path}") as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with session.get(f"http://{ready.registry}/{path}", headers={"Host": "evil.example"}) as response:
            assert response.status == 421


async def test_a_sandbox_started_again_in_its_directory_is_found_by_its_clients(tmp_path: Path) -> None:
    async with served(directory=tmp_path) as first:
        kubeconfig, token = text(first.kubeconfig), text(first.token_file)
    async with served(directory=tmp_path) as second:
        assert text(second.kubeconfig) == kubeconfig
        assert text(second.token_file) == token
        assert (second.registry, second.git) == (first.registry, first.git)


async def test_a_directory_of_its_own_is_gone_afterwards() -> None:
    async with served() as ready:
        directory = Path(ready.config).parent
        assert mode(directory) == 0o700
    assert not directory.exists()


async def test_a_push_from_outside_is_noticed(tmp_path: Path) -> None:
    async with served(directory=tmp_path / "fleet", speed=50.0) as ready:
        work = tmp_path / "work"
        await git("clone", "-q", ready.git, str(work))
        values = work / "dev/app-service/cart/values.yaml"
        values.write_text(values.read_text() + "\n# noticed\n")
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        await git("-C", str(work), *who, "commit", "-qam", "chore: a comment")
        await git("-C", str(work), "push", "-q")
        head = (await git("-C", str(work), "rev-parse", "HEAD")).strip()

        def revision() -> str:
            api = config.new_client_from_config(ready.kubeconfig, context="hub")
            app = client.CustomObjectsApi(api).get_namespaced_custom_object(
                "argoproj.io", "v1alpha1", "argocd", "applications", "prod-eu1-cart"
            )
            api.close()
            return str(app["status"]["sync"]["revision"])

        for _ in range(3000):
            if (synced := await asyncio.to_thread(revision)) == head:
                break
        assert synced == head


async def test_it_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec("sleep", "60")
    ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    options = SandboxOptions(services=1, clusters=1, scenario="calm", directory=tmp_path, parent_pid=parent.pid)
    task = asyncio.create_task(serve(options, ready.set_result))
    await ready
    parent.kill()
    await parent.wait()
    await asyncio.wait_for(task, 20)


async def git(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("git", *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
