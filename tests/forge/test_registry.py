"""Is the image there? Asked over HTTP: of the sandbox's registry, and of registries that are in a mood."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from origin import origin_in
from plain_server import mounted

from sgm_tui.config.schema import RegistryConfig
from sgm_tui.forge import registry as registry_module
from sgm_tui.forge.registry import Registry
from sgm_tui.sandbox.registry import api as registry_api

IMAGE = "ghcr.io/acme/cart"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Registry]:
    repository = origin_in(tmp_path)
    async with mounted("/v2", registry_api.routes(registry_api.Registry(repository))) as url:
        yield Registry(RegistryConfig(url, ("ghcr.io",)))
    repository.close()


async def test_a_version_git_once_asked_for_is_there_and_an_invented_one_is_not(sandbox: Registry) -> None:
    assert await sandbox.has(IMAGE, "v2.8.1") is True
    assert await sandbox.has(IMAGE, "v99.0.0") is False
    assert await sandbox.has("ghcr.io/acme/nobody", "v1.0.0") is False
    assert await sandbox.has(IMAGE, "v2.8.1") is True


async def test_an_image_of_another_registry_or_none_at_all_is_not_known(sandbox: Registry) -> None:
    assert "the image is at quay.io" in str(await sandbox.has("quay.io/acme/cart", "v1"))
    assert "the image is at docker.io" in str(await sandbox.has("nginx", "1.29"))
    assert "is not an image name" in str(await sandbox.has("ghcr.io/../../token", "v1"))
    assert "not a tag or digest" in str(await sandbox.has(IMAGE, "../../x"))
    assert "not a tag or digest" in str(await sandbox.has(IMAGE, "v1?x=1"))


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Moody:
    """A registry that answers as it is told, and remembers what it was sent."""

    url: str = ""
    status: int = 200
    body: object = field(default_factory=lambda: {"errors": [{"code": "MANIFEST_UNKNOWN"}]})
    challenge: str = ""
    token: object = field(default_factory=lambda: {"token": "abc"})
    authorization: str = ""
    slow: bool = False
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        header = request.headers.get("Authorization", "")
        self.requests.append((request.method, request.path_qs, header))
        if self.slow:
            await asyncio.Event().wait()
        if request.path == "/v2/token":
            return web.json_response(self.token)
        if self.authorization and header != self.authorization:
            return web.json_response({}, status=401, headers={"WWW-Authenticate": self.challenge})
        if self.status in {301, 307}:
            return web.Response(status=self.status, headers={"Location": "http://127.0.0.1:9/"})
        return web.json_response(self.body, status=self.status)

    def registry(self, token_file: Path | None = None) -> Registry:
        return Registry(RegistryConfig(self.url, ("ghcr.io",), token_file))


@pytest.fixture
async def moody() -> AsyncIterator[Moody]:
    mood = Moody()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", mood.answer)
    async with mounted("/v2", application) as url:
        mood.url = url
        yield mood


async def test_the_digest_is_asked_for_where_a_version_carries_one(moody: Moody) -> None:
    digest = "sha256:" + "a" * 64
    assert await moody.registry().has(IMAGE, f"v1@{digest}") is True
    assert moody.requests == [("HEAD", f"/v2/acme/cart/manifests/{digest}", "")]


async def test_what_is_there_is_asked_for_once_and_what_is_missing_every_time(moody: Moody) -> None:
    registry = moody.registry()
    assert await registry.has(IMAGE, "v1") is True
    assert await registry.has(IMAGE, "v1") is True
    assert len(moody.requests) == 1
    moody.status = 404
    assert await registry.has(IMAGE, "v2") is False
    moody.status = 200
    assert await registry.has(IMAGE, "v2") is True


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "requires credentials for"),
        (403, "requires credentials for"),
        (429, "answered 429"),
        (500, "answered 500"),
        (503, "answered 503"),
        (307, "answered 307"),
    ],
)
async def test_what_is_no_answer_is_told_and_never_means_missing(moody: Moody, status: int, says: str) -> None:
    moody.status = status
    moody.challenge = ""
    result = await moody.registry().has(IMAGE, "v1")
    assert isinstance(result, str)
    assert says in result or (status == 401 and "unsupported authentication scheme" in result)


async def test_a_web_server_that_is_no_registry_does_not_make_an_image_missing(moody: Moody) -> None:
    moody.status, moody.body = 404, "not here"
    assert "is not a container registry" in str(await moody.registry().has(IMAGE, "v1"))


async def test_a_token_is_fetched_where_one_is_asked_for(moody: Moody, tmp_path: Path) -> None:
    moody.challenge = f'Bearer realm="{moody.url}/v2/token",service="acme",scope="ignored"'
    moody.authorization = "Bearer abc"
    assert await moody.registry().has(IMAGE, "v1") is True
    assert moody.requests[1] == ("GET", "/v2/token?scope=repository:acme/cart:pull&service=acme", "")
    secret = tmp_path / "token"
    secret.write_text("mia:s3cret\n")
    assert await moody.registry(secret).has(IMAGE, "v1") is True
    assert moody.requests[4][2] == "Basic " + base64.b64encode(b"mia:s3cret").decode()


async def test_a_registry_that_names_no_token_service_gets_the_token_itself(moody: Moody, tmp_path: Path) -> None:
    moody.challenge, moody.authorization = 'Bearer realm="acme"', "Bearer s3cret"
    assert "unsupported authentication scheme" in str(await moody.registry().has(IMAGE, "v1"))
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    assert await moody.registry(secret).has(IMAGE, "v1") is True


async def test_a_secret_goes_to_the_registrys_own_origin_and_nowhere_else(moody: Moody, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret")
    other = Moody()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", other.answer)
    async with mounted("/v2", application) as url:
        moody.challenge = f'Bearer realm="{url}/v2/token"'
        moody.authorization = "Bearer abc"
        assert await moody.registry(secret).has(IMAGE, "v1") is True
    assert [header for _, _, header in other.requests] == [""]
    assert all("Basic" not in header for _, _, header in moody.requests)


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "Digest realm=x",
        'Bearer realm="file:///etc/passwd"',
        'Bearer realm=""',
        'Bearer realm="http://a:b@127.0.0.1/"',
    ],
)
async def test_a_challenge_that_makes_no_sense_is_no_answer(moody: Moody, challenge: str) -> None:
    moody.challenge, moody.authorization = challenge, "Bearer abc"
    assert isinstance(await moody.registry().has(IMAGE, "v1"), str)


@pytest.mark.parametrize("token", [{}, [], {"token": 3}, {"token": "a\r\nX: y"}, {"token": "\u00fc"}])
async def test_a_token_that_is_none_is_no_answer(moody: Moody, token: object) -> None:
    moody.challenge, moody.authorization = f'Bearer realm="{moody.url}/v2/token"', "Bearer abc"
    moody.token = token
    assert "gives no token" in str(await moody.registry().has(IMAGE, "v1"))


async def test_a_registry_that_is_silent_or_gone_is_told_as_such(
    moody: Moody, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reason = await Registry(RegistryConfig("http://127.0.0.1:9", ("ghcr.io",))).has(IMAGE, "v1")
    assert reason == "the registry 127.0.0.1:9 request failed: Connection refused"
    monkeypatch.setattr(registry_module, "_DEADLINE", 0.2)
    moody.slow = True
    assert "did not answer within" in str(await moody.registry().has(IMAGE, "v1"))
    moody.slow = False
    moody.challenge, moody.authorization = f'Bearer realm="{moody.url}/v2/token"', "Bearer abc"
    assert "token_file" in str(await moody.registry(tmp_path / "none").has(IMAGE, "v1"))


async def test_without_a_list_of_hosts_a_registry_answers_for_its_own(moody: Moody) -> None:
    registry = Registry(RegistryConfig(moody.url))
    authority = moody.url.removeprefix("http://")
    assert await registry.has(f"{authority}/acme/cart", "v1") is True
    assert "the image is at ghcr.io" in str(await registry.has(IMAGE, "v1"))


async def test_the_tags_of_an_image_are_listed_or_it_says_why_not(sandbox: Registry, moody: Moody) -> None:
    tags = await sandbox.tags(IMAGE)
    assert isinstance(tags, tuple)
    assert "v2.8.1" in tags
    assert "does not list" in str(await sandbox.tags("ghcr.io/acme/nobody"))
    moody.body = {"tags": ["v1", 3, "../x", "v2"]}
    registry = Registry(RegistryConfig(moody.url, ("ghcr.io",)))
    assert await registry.tags(IMAGE) == ("v1", "v2")
    moody.status = 500
    assert "does not list" in str(await registry.tags(IMAGE))
