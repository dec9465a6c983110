"""The client of an OCI registry: whether an image exists in a version, and which tags it has.

It sends one request of the distribution API (`HEAD /v2/<name>/manifests/<reference>`), with the token exchange that
registries require. 404 means that the image does not exist; any other failure is returned as the reason why that is
unknown. Credentials go only to the registry's own origin, no redirect is followed, and no proxy or netrc is used.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from sgm_tui.config.schema import RegistryConfig
from sgm_tui.errors import UnreachableError, describe_os_error
from sgm_tui.json_reader import read_json
from sgm_tui.private_files import read_secret
from sgm_tui.threads import Lane, run_in
from sgm_tui.transport.limits import size_text
from sgm_tui.transport.streaming import read_whole
from sgm_tui.untrusted_text import clean

Result = TypeVar("Result")

_DEADLINE = 10.0
"""Seconds for one image, token and all."""
_LARGEST_ANSWER = 1 << 16
_MOST_REMEMBERED = 2000
_MOST_TAGS = 200
_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')
_HUB = "docker.io"
_HUB_HOSTS = frozenset({"registry-1.docker.io", "index.docker.io"})


class _UnknownError(Exception):
    """The answer cannot be determined; the text says why."""


class Registry:
    """One registry, for the images of its hosts."""

    def __init__(self, config: RegistryConfig) -> None:
        self._base = URL(config.url.rstrip("/").removesuffix("/v2"))
        self._config = config
        host = self._base.host or ""
        self._hosts = frozenset(config.hosts or (host, self._base.authority, *((_HUB,) if host in _HUB_HOSTS else ())))
        self._existing: set[tuple[str, str]] = set()
        """Images and versions that have been seen: what exists is looked up once, what is missing every time."""

    async def has(self, image: str, version: str) -> bool | str:
        """Return whether an image (`ghcr.io/acme/cart`) has a version (a tag or digest), or why that is unknown."""
        if (image, version) in self._existing:
            return True
        result = await self._or_reason(lambda: self._exists(self._name_of(image), _reference(version)))
        if result is True and len(self._existing) < _MOST_REMEMBERED:
            self._existing.add((image, version))
        return result

    async def tags(self, image: str) -> tuple[str, ...] | str:
        """Return the first page of the tags of an image, in the registry's order, or why they are unknown."""
        return await self._or_reason(lambda: self._list_tags(self._name_of(image)))

    async def _or_reason(self, request: Callable[[], Awaitable[Result]]) -> Result | str:
        """Return the result of a request, within the deadline, or why there is none."""
        try:
            async with asyncio.timeout(_DEADLINE):
                return await request()
        except _UnknownError as error:
            return str(error)
        except TimeoutError:
            return f"{self._title} did not answer within {_DEADLINE:.0f} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{self._title} request failed: {_cause(error)}"

    async def _list_tags(self, name: str) -> tuple[str, ...]:
        url = (self._base / "v2" / name / "tags" / "list").with_query(n=str(_MOST_TAGS))
        async with _session({}) as session:
            status, headers = await self._head(session, url, {})
            authorization = {}
            if status == 401:
                authorization = await self._authorization(session, headers.get("WWW-Authenticate", ""), name)
            async with session.get(url, headers=authorization, allow_redirects=False) as answer:
                body = _parse_object(await self._read_body(answer))
                tags = body.get("tags")
                if answer.status != 200 or not isinstance(tags, list):
                    raise _UnknownError(f"{self._title} does not list the tags of {name} ({answer.status})")
                return tuple(clean(tag) for tag in tags if isinstance(tag, str) and _REFERENCE.fullmatch(tag))

    @property
    def _title(self) -> str:
        """The subject of a message about this registry."""
        return f"the registry {self._base.authority or self._config.url}"

    def _name_of(self, image: str) -> str:
        """Return the name of an image without its host.

        Raises:
            _UnknownError: it is not an image name, or has a host of another registry.
        """
        first, slash, remainder = image.partition("/")
        has_host = bool(slash) and (first == "localhost" or any(mark in first for mark in ".:"))
        host, name = (first, remainder) if has_host else (_HUB, image if slash else f"library/{image}")
        if not _NAME.fullmatch(name):
            raise _UnknownError(f"{clean(image)} is not an image name")
        if host not in self._hosts:
            raise _UnknownError(f"the image is at {host}, and sgm.yaml names the registry {self._base.authority}")
        return name

    async def _exists(self, name: str, reference: str) -> bool:
        url = self._base / "v2" / name / "manifests" / reference
        async with _session({"Accept": _ACCEPT}) as session:
            status, headers = await self._head(session, url, {})
            if status == 401:
                authorization = await self._authorization(session, headers.get("WWW-Authenticate", ""), name)
                status, headers = await self._head(session, url, authorization)
            else:
                authorization = {}
            if status == 404:
                return not await self._is_missing(session, url, authorization)
            if status in {401, 403}:
                raise _UnknownError(f"{self._title} requires credentials for {name} (registry.token_file)")
            if status != 200:
                raise _UnknownError(f"{self._title} answered {status}")
            if _is_page(headers):
                raise _UnknownError(f"{self._title} is not a container registry: check registry.url")
            return True

    async def _read_body(self, answer: aiohttp.ClientResponse) -> bytes:
        """Read a whole uncompressed answer: a compressed one may decompress to any size."""
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _UnknownError(f"{self._title} sent a compressed answer to a request for an uncompressed one")
        body = await read_whole(answer, _LARGEST_ANSWER)
        if body is None:
            raise _UnknownError(f"{self._title} sent more than {size_text(_LARGEST_ANSWER)}")
        return body

    @staticmethod
    async def _head(
        session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        async with session.head(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers

    async def _is_missing(self, session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]) -> bool:
        """Return whether a 404 is a registry's, which names what is missing: a plain web server answers 404 as well.

        Raises:
            _UnknownError: it is not.
        """
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            body = _parse_object(await self._read_body(answer))
            if answer.status == 404 and isinstance(body.get("errors"), list):
                return True
            if answer.status == 200:
                return False
            raise _UnknownError(f"{self._title} is not a container registry: check registry.url")

    async def _authorization(self, session: aiohttp.ClientSession, challenge: str, name: str) -> dict[str, str]:
        """Return the header that a challenge requires, with a token from its token service if it names one."""
        scheme, _, text = challenge.partition(" ")
        if scheme.lower() == "basic":
            return await self._credentials()
        parameters = dict(_PARAMETER.findall(text))
        realm = URL(parameters.get("realm", ""))
        if scheme.lower() == "bearer" and not realm.scheme and (secret := await run_in(Lane.CREDENTIALS, self._secret)):
            # Plain bearer tokens (RFC 6750): no token service is named, so the secret is the token itself.
            return {"Authorization": f"Bearer {secret}"}
        if scheme.lower() != "bearer" or realm.scheme not in {"http", "https"} or realm.user is not None:
            raise _UnknownError(f"{self._title} uses an unsupported authentication scheme")
        if realm.scheme == "http" and self._base.scheme == "https":
            raise _UnknownError(f"{self._title} requests a token over plain HTTP: refused")
        query = {"scope": f"repository:{name}:pull"}
        if "service" in parameters:
            query["service"] = parameters["service"]
        credentials = await self._credentials() if realm.origin() == self._base.origin() else {}
        async with session.get(realm.update_query(query), headers=credentials, allow_redirects=False) as answer:
            body = _parse_object(await self._read_body(answer))
            token = body.get("token") or body.get("access_token")
            if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise _UnknownError(f"{self._title} gives no token for {name} ({answer.status})")
            return {"Authorization": f"Bearer {token}"}

    async def _credentials(self) -> dict[str, str]:
        """Return the header with user and password for a token service; a lone token counts as password."""
        secret = await run_in(Lane.CREDENTIALS, self._secret)
        pair = secret if ":" in secret else f"token:{secret}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if secret else {}

    def _secret(self) -> str:
        """Return the content of `registry.token_file`; "" where none is configured."""
        file = self._config.token_file
        if file is None:
            return ""
        try:
            return read_secret("registry.token_file", file)
        except UnreachableError as error:
            raise _UnknownError(error.message) from error


def _session(headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """Return a session that requests uncompressed answers, within the deadline."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_DEADLINE),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", **headers},
    )


def _is_page(headers: Mapping[str, str]) -> bool:
    """Return whether an answer is a web page, such as a sign-in form, which says nothing about an image."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}


def _cause(error: Exception) -> str:
    """Return why a request failed."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return clean(describe_os_error(error.os_error))
    return clean(error) or type(error).__name__


def _reference(version: str) -> str:
    """Return the reference that a version is looked up by: its digest, if it has one, else the tag."""
    reference = version.rpartition("@")[2]
    if not _REFERENCE.fullmatch(reference):
        raise _UnknownError(f"{clean(version)} is not a tag or digest")
    return reference


def _parse_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object; return an empty one for anything else."""
    try:
        document = read_json(data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
