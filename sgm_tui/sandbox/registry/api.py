"""The manifest API of an OCI registry for the images of the embedded fleet, to check whether a version exists.

An image exists for every version git has ever had, and for a few that are built but not deployed yet.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from sgm_tui.sandbox.git.repository import Repository

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_ADDED = re.compile(r"^(?:\+\+\+ b/(?P<path>.+)|\+[^#\n]*\btag:\s*[\"']?(?P<tag>[\w.-]+))", re.MULTILINE)
"""A file of a patch, or a version it adds: on a line of its own, or inside of `{…}`."""
_SERVICE = re.compile(r"/app-service/([^/]+)/")
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_BUILT = 4
"""The number of releases built after the newest one in git."""


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Registry:
    """The images of the services in a repository, all of one owner."""

    def __init__(self, repository: Repository, owner: str = "acme") -> None:
        self._repository = repository
        self._owner = owner
        self._cache: tuple[Mapping[str, str], dict[str, list[str]]] = ({}, {})

    def tags(self, name: str) -> list[str] | None:
        """Return every tag of an image, oldest version first; None if there is no such image."""
        owner, _, service = name.partition("/")
        tags = self._versions().get(service)
        return tags if owner == self._owner else None

    def manifest(self, name: str, reference: str) -> bytes | None:
        """Return the manifest of a tag or digest; None if there is none."""
        for tag in self.tags(name) or ():
            manifest = _manifest(name, tag)
            if reference in {tag, digest(manifest)}:
                return manifest
        return None

    def config(self, name: str, reference: str) -> bytes | None:
        """Return the configuration an image's manifest refers to; None if there is none."""
        configs = (_config(name, tag) for tag in self.tags(name) or ())
        return next((one for one in configs if digest(one) == reference), None)

    def _versions(self) -> dict[str, list[str]]:
        heads = self._repository.heads()
        if heads != self._cache[0]:
            self._cache = (dict(heads), self._read())
        return self._cache[1]

    def _read(self) -> dict[str, list[str]]:
        patches = self._repository.ask(
            "log", "--branches", "-m", "--first-parent", "-p", "--unified=0", "--no-color", "--format=", "--",
            "*/app-service/*values.yaml",
        )  # fmt: skip
        versions: dict[str, set[str]] = {}
        service = ""
        for match in _ADDED.finditer(patches):
            if match["path"]:
                named = _SERVICE.search(match["path"])
                service = named[1] if named else ""
            elif service:
                versions.setdefault(service, set()).add(match["tag"])
        return {service: _with_built(tags) for service, tags in versions.items()}


def _with_built(tags: set[str]) -> list[str]:
    newest = max((_order(tag) for tag in tags), default=(0, 0, 0))
    built = {f"v{newest[0]}.{newest[1] + ahead}.0" for ahead in range(1, _BUILT + 1)}
    return sorted(tags | built, key=lambda tag: (_order(tag), tag))


def _order(tag: str) -> tuple[int, int, int]:
    match = _VERSION.fullmatch(tag)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def digest(data: bytes) -> str:
    """Return the digest of a content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _config(name: str, tag: str) -> bytes:
    layer = digest(f"{name}:{tag}:layer".encode())
    labels = {
        "org.opencontainers.image.source": f"https://github.com/{name}",
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.revision": hashlib.sha1(f"{name}:{tag}".encode(), usedforsecurity=False).hexdigest(),
    }
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": labels, "Entrypoint": ["/service"]},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _manifest(name: str, tag: str) -> bytes:
    config = _config(name, tag)
    document = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": digest(config), "size": len(config)},
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": digest(f"{name}:{tag}:layer".encode()),
                "size": 20_971_520,
            }
        ],
        "annotations": {"org.opencontainers.image.version": tag},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _refusal(status: int, code: str, message: str, **detail: str) -> web.Response:
    errors = [{"code": code, "message": message, "detail": detail}]
    return web.json_response({"errors": errors}, status=status)


def _content(request: web.Request, data: bytes, media_type: str) -> web.Response:
    named = digest(data)
    headers = {"Docker-Content-Digest": named, "ETag": f'"{named}"', "Content-Type": media_type}
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(data))
        return web.Response(headers=headers)
    return web.Response(body=data, headers=headers)


def routes(registry: Registry) -> web.Application:
    """Return the API of a registry, to mount with `add_subapp("/v2", …)`."""

    async def root(_request: web.Request) -> web.Response:
        return web.json_response({})

    async def manifest(request: web.Request) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        if registry.tags(name) is None:
            return _refusal(404, "NAME_UNKNOWN", "repository name not known to registry", name=name)
        manifest_data = registry.manifest(name, reference)
        if manifest_data is None:
            return _refusal(404, "MANIFEST_UNKNOWN", "manifest unknown", Tag=reference)
        return _content(request, manifest_data, _MANIFEST)

    async def blob(request: web.Request) -> web.Response:
        config = registry.config(request.match_info["name"], request.match_info["reference"])
        if config is None:
            return _refusal(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return _content(request, config, _CONFIG)

    async def tags(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        tags = registry.tags(name)
        if tags is None:
            return _refusal(404, "NAME_UNKNOWN", "repository name not known to registry", name=name)
        return _page(request, name, tags)

    application = web.Application(middlewares=[_versioned])
    application.router.add_get("/", root)
    application.router.add_get("/{name:.+}/tags/list", tags)
    application.router.add_get("/{name:.+}/manifests/{reference}", manifest)
    application.router.add_get("/{name:.+}/blobs/{reference}", blob)
    return application


def _page(request: web.Request, name: str, tags: list[str]) -> web.Response:
    """Return a page of tags, sorted by name."""
    ordered = sorted(tags)
    last = request.query.get("last", "")
    rest = [tag for tag in ordered if tag > last]
    limit = request.query.get("n", "")
    if not limit.isdigit() or len(rest) <= int(limit):
        return web.json_response({"name": name, "tags": rest})
    shown = rest[: int(limit)]
    link = f'</v2/{name}/tags/list?last={shown[-1] if shown else last}&n={limit}>; rel="next"'
    return web.json_response({"name": name, "tags": shown}, headers={"Link": link})


@web.middleware
async def _versioned(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        answer = await handler(request)
    except web.HTTPException:
        answer = _refusal(404, "NAME_UNKNOWN", "page not found")
    answer.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
    return answer
