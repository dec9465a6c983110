"""The embedded registry: a version exists when git has ever asked for it, and refusals are the OCI standard's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from plain_server import mounted

from sgm_tui.sandbox.git.history import history
from sgm_tui.sandbox.git.repository import Repository
from sgm_tui.sandbox.git.seed import seed
from sgm_tui.sandbox.registry import api as registry_api

STARTED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
FILES = seed(2)
PATH = "prod/prod-eu1/app-service/cart/values.yaml"


def version_in(data: bytes) -> str:
    found = re.search(rb"tag:\s*[\"']?(v[\d.]+)", data)
    assert found is not None
    return found[1].decode()


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, str, Repository]]:
    repository = Repository(tmp_path / "gitops.git")
    repository.seed(history(FILES), STARTED)
    application = registry_api.routes(registry_api.Registry(repository))
    async with mounted("/v2", application) as url, aiohttp.ClientSession() as session:
        yield session, f"{url}/v2", repository
    repository.close()


Registry = tuple[aiohttp.ClientSession, str, Repository]


async def test_versions_in_git_and_a_few_newer_ones_exist(registry: Registry) -> None:
    session, url, _ = registry
    async with session.get(f"{url}/") as root:
        assert (root.status, root.headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")
    async with session.get(f"{url}/acme/cart/tags/list") as answer:
        tags = (await answer.json())["tags"]
    now = {version_in(data) for path, data in FILES.items() if "/cart/values.yaml" in path}
    assert now < set(tags)
    for tag in tags:
        async with session.head(f"{url}/acme/cart/manifests/{tag}") as answer:
            assert answer.status == 200


async def test_a_manifest_is_what_its_digest_says(registry: Registry) -> None:
    session, url, _ = registry
    tag = version_in(FILES[PATH])
    async with session.get(f"{url}/acme/cart/manifests/{tag}") as answer:
        data, digest = await answer.read(), answer.headers["Docker-Content-Digest"]
        assert answer.content_type == "application/vnd.oci.image.manifest.v1+json"
    assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    async with session.get(f"{url}/acme/cart/manifests/{digest}") as answer:
        assert await answer.read() == data
    config = json.loads(data)["config"]
    async with session.get(f"{url}/acme/cart/blobs/{config['digest']}") as answer:
        blob = await answer.read()
    assert len(blob) == config["size"]
    assert json.loads(blob)["config"]["Labels"]["org.opencontainers.image.version"] == tag


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("acme/cart/manifests/v99.0.0", "MANIFEST_UNKNOWN"),
        ("acme/nowhere/manifests/v1.0.0", "NAME_UNKNOWN"),
        ("other/cart/tags/list", "NAME_UNKNOWN"),
        ("acme/cart/blobs/sha256:00", "BLOB_UNKNOWN"),
        ("acme/cart", "NAME_UNKNOWN"),
    ],
)
async def test_what_is_not_there_is_refused_in_the_standards_form(registry: Registry, path: str, code: str) -> None:
    session, url, _ = registry
    async with session.get(f"{url}/{path}") as answer:
        assert (answer.status, (await answer.json())["errors"][0]["code"]) == (404, code)


async def test_a_version_exists_as_soon_as_a_branch_asks_for_it(registry: Registry) -> None:
    session, url, repository = registry
    address = f"{url}/acme/cart/manifests/v7.7.7"
    async with session.head(address) as answer:
        assert answer.status == 404
    data = FILES[PATH].replace(version_in(FILES[PATH]).encode(), b"v7.7.7")
    repository.commit("sgm/cart", {PATH: data}, "bump", at=STARTED)
    async with session.head(address) as answer:
        assert answer.status == 200


async def test_tags_come_in_pages_where_asked_for(registry: Registry) -> None:
    session, url, _ = registry
    async with session.get(f"{url}/acme/cart/tags/list") as answer:
        everything = (await answer.json())["tags"]
    found: list[str] = []
    address = "/v2/acme/cart/tags/list?n=2"
    while address:
        async with session.get(url.removesuffix("/v2") + address) as answer:
            found += (await answer.json())["tags"]
            link = answer.headers.get("Link", "")
        address = link.partition(">")[0].removeprefix("<")
    assert found == everything


async def test_a_version_written_inside_of_a_flow_mapping_exists_too(registry: Registry) -> None:
    session, url, repository = registry
    flow = b'image: {repository: ghcr.io/acme/cart, tag: "v7.7.7"}   # a note\n# tag: v6.6.6\n'
    repository.commit("main", {PATH: flow}, "change", at=STARTED)
    for tag, status in (("v7.7.7", 200), ("v6.6.6", 404)):
        async with session.get(f"{url}/acme/cart/manifests/{tag}") as answer:
            assert answer.status == status
