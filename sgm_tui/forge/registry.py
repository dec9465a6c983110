"""OCI registries: is there an image of that version?

One question of the distribution API (`HEAD /v2/<name>/manifests/<reference>`), with the token dance registries ask
for. 404 means that there is none; everything else that is no answer is told as why nobody knows. What is a secret
goes to the registry's own origin and nowhere else, no redirect is followed, and no proxy or netrc is read.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from sgm_tui.config.schema import RegistryConfig
from sgm_tui.errors import system_words
from sgm_tui.threads import Lane, run_in
from sgm_tui.transport.limits import size_text
from sgm_tui.transport.streaming import read_whole
from sgm_tui.untrusted_text import clean

_DEADLINE = 10.0
"""Seconds for one image, token and all."""
_LARGEST = 1 << 16
_MOST_KNOWN = 2000
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


class _UntoldError(Exception):
    """There is no answer; the text says why."""


class Registry:
    """One registry, asked about the images it answers for."""

    def __init__(self, config: RegistryConfig) -> None:
        self._base = URL(config.url.rstrip("/").removesuffix("/v2"))
        self._config = config
        host = self._base.host or ""
        self._hosts = frozenset(config.hosts or (host, self._base.authority, *((_HUB,) if host in _HUB_HOSTS else ())))
        self._known: set[tuple[str, str]] = set()

    async def has(self, image: str, version: str) -> bool | str:
        """Whether an image (`ghcr.io/acme/cart`) is there in a version (a tag or a digest), or why nobody knows.

        What is there stays there: it is asked about once. What is missing is asked about again every time.
        """
        if (image, version) in self._known:
            return True
        try:
            name, reference = self._name_of(image), _reference(version)
            async with asyncio.timeout(_DEADLINE):
                found = await self._asked(name, reference)
        except _UntoldError as error:
            return str(error)
        except TimeoutError:
            return f"{self._told} did not answer within {_DEADLINE:.0f} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{self._told} request failed: {_cause(error)}"
        if found and len(self._known) < _MOST_KNOWN:
            self._known.add((image, version))
        return found

    async def tags(self, image: str) -> tuple[str, ...] | str:
        """The tags of an image (the first page of them, as the registry orders them), or why nobody knows."""
        try:
            name = self._name_of(image)
            async with asyncio.timeout(_DEADLINE):
                return await self._listed(name)
        except _UntoldError as error:
            return str(error)
        except TimeoutError:
            return f"{self._told} did not answer within {_DEADLINE:.0f} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{self._told} request failed: {_cause(error)}"

    async def _listed(self, name: str) -> tuple[str, ...]:
        url = (self._base / "v2" / name / "tags" / "list").with_query(n=str(_MOST_TAGS))
        async with _session({}) as session:
            status, headers = await self._head(session, url, {})
            given = {}
            if status == 401:
                given = await self._authorization(session, headers.get("WWW-Authenticate", ""), name)
            async with session.get(url, headers=given, allow_redirects=False) as answer:
                body = _document(await self._body(answer))
                tags = body.get("tags")
                if answer.status != 200 or not isinstance(tags, list):
                    raise _UntoldError(f"{self._told} does not list the tags of {name} ({answer.status})")
                return tuple(clean(one) for one in tags if isinstance(one, str) and _REFERENCE.fullmatch(one))

    @property
    def _told(self) -> str:
        return f"the registry {self._base.authority or self._config.url}"

    def _name_of(self, image: str) -> str:
        first, slash, rest = image.partition("/")
        named = bool(slash) and (first == "localhost" or any(mark in first for mark in ".:"))
        host, name = (first, rest) if named else (_HUB, image if slash else f"library/{image}")
        if not _NAME.fullmatch(name):
            raise _UntoldError(f"{clean(image)} is not an image name")
        if host not in self._hosts:
            raise _UntoldError(f"the image is at {host}, and sgm.yaml names the registry {self._base.authority}")
        return name

    async def _asked(self, name: str, reference: str) -> bool:
        url = self._base / "v2" / name / "manifests" / reference
        async with _session({"Accept": _ACCEPT}) as session:
            status, headers = await self._head(session, url, {})
            if status == 401:
                authorization = await self._authorization(session, headers.get("WWW-Authenticate", ""), name)
                status, headers = await self._head(session, url, authorization)
            else:
                authorization = {}
            if status == 404:
                return not await self._is_said_missing(session, url, authorization)
            if status in {401, 403}:
                raise _UntoldError(f"{self._told} requires credentials for {name} (registry.token_file)")
            if status != 200:
                raise _UntoldError(f"{self._told} answered {status}")
            if _is_page(headers):
                raise _UntoldError(f"{self._told} is not a container registry: check registry.url")
            return True

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        """A whole answer, sent as it is: what is compressed may be any size."""
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _UntoldError(f"{self._told} sent a compressed answer to a request for an uncompressed one")
        body = await read_whole(answer, _LARGEST)
        if body is None:
            raise _UntoldError(f"{self._told} sent more than {size_text(_LARGEST)}")
        return body

    @staticmethod
    async def _head(
        session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str]]:
        async with session.head(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers

    async def _is_said_missing(self, session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]) -> bool:
        """A registry says which thing it does not know; a web server that is no registry says 404 to everything."""
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            body = _document(await self._body(answer))
            if answer.status == 404 and isinstance(body.get("errors"), list):
                return True
            if answer.status == 200:
                return False
            raise _UntoldError(f"{self._told} is not a container registry: check registry.url")

    async def _authorization(self, session: aiohttp.ClientSession, challenge: str, name: str) -> dict[str, str]:
        """The header a challenge asks for."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return await self._credentials()
        parameters = dict(_PARAMETER.findall(rest))
        realm = URL(parameters.get("realm", ""))
        if scheme.lower() == "bearer" and not realm.scheme and (secret := await run_in(Lane.CREDENTIALS, self._secret)):
            # Plain bearer tokens (RFC 6750): no service to fetch one from is named, so ours is the token itself.
            return {"Authorization": f"Bearer {secret}"}
        if scheme.lower() != "bearer" or realm.scheme not in {"http", "https"} or realm.user is not None:
            raise _UntoldError(f"{self._told} uses an unsupported authentication scheme")
        if realm.scheme == "http" and self._base.scheme == "https":
            raise _UntoldError(f"{self._told} requests a token over plain HTTP: refused")
        query = {"scope": f"repository:{name}:pull"}
        if "service" in parameters:
            query["service"] = parameters["service"]
        credentials = await self._credentials() if realm.origin() == self._base.origin() else {}
        async with session.get(realm.update_query(query), headers=credentials, allow_redirects=False) as answer:
            body = _document(await self._body(answer))
            token = body.get("token") or body.get("access_token")
            if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise _UntoldError(f"{self._told} gives no token for {name} ({answer.status})")
            return {"Authorization": f"Bearer {token}"}

    async def _credentials(self) -> dict[str, str]:
        """Name and password, as a token service asks for them; a lone token is a password."""
        secret = await run_in(Lane.CREDENTIALS, self._secret)
        pair = secret if ":" in secret else f"token:{secret}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if secret else {}

    def _secret(self) -> str:
        file = self._config.token_file
        if file is None:
            return ""
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _UntoldError(f"registry.token_file {file} cannot be read: {clean(error)}") from error


def _session(headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """A session that asks for plain bytes, within the deadline."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_DEADLINE),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", **headers},
    )


def _is_page(headers: Mapping[str, str]) -> bool:
    """Whether a 200 is that of a web page, as of a sign-in form: it says nothing about an image."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}


def _cause(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return clean(system_words(error.os_error))
    return clean(error) or type(error).__name__


def _reference(version: str) -> str:
    """What a version is asked by: the digest, where it carries one."""
    reference = version.rpartition("@")[2]
    if not _REFERENCE.fullmatch(reference):
        raise _UntoldError(f"{clean(version)} is not a tag or digest")
    return reference


def _document(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
