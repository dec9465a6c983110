"""The Kubernetes API of every embedded cluster over HTTP, one prefix a cluster.

Thin on purpose: paths, access, faults and forms are decided in their own modules, what is stored in ObjectStore.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sgm_tui.sandbox.kubernetes import access as kube_access
from sgm_tui.sandbox.kubernetes import discovery as kube_discovery
from sgm_tui.sandbox.kubernetes import writes as kube_writes
from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.kubernetes.lists import flag, list_objects
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.paths import Target, target_of
from sgm_tui.sandbox.kubernetes.representation import Representation, encode, representation_of
from sgm_tui.sandbox.kubernetes.revisions import KubeObject, Version
from sgm_tui.sandbox.kubernetes.status import ApiError, bad_request
from sgm_tui.sandbox.kubernetes.watch import serve_watch

_UNCACHED = {"Cache-Control": "no-cache, private"}

_LARGEST_BODY = 3 * 1024 * 1024
"""The real server's limit of a request's body, in bytes."""


def routes(
    clusters: Mapping[str, ObjectStore], token: str, faults: Mapping[str, KubeFaults] | None = None
) -> web.Application:
    """Return the application to mount with `add_subapp("/clusters", …)`.

    `clusters` and `faults` may grow while it serves; a cluster without faults has none.
    """
    app = web.Application(client_max_size=_LARGEST_BODY)
    switches: dict[str, KubeFaults] = {}

    def switch(cluster: str) -> KubeFaults:
        cluster_faults = faults.get(cluster) if faults is not None else None
        return cluster_faults or switches.setdefault(cluster, KubeFaults())

    async def handle(request: web.Request) -> web.StreamResponse:
        cluster = request.match_info["cluster"]
        store = clusters.get(cluster)
        if store is None or not kube_access.is_loopback(request.host):
            return _page_not_found()
        path = request.match_info["path"]
        server = _Server(store, switch(cluster), token, request.path.removesuffix(path).rstrip("/"))
        return await server.answer(request, path)

    async def release(_app: web.Application) -> None:
        """Release everything that hangs or watches, so that the server can stop."""
        for cluster in clusters:
            switch(cluster).hang = False
            switch(cluster).drop_watches()

    app.router.add_route("*", "/{cluster}/{path:.*}", handle)
    app.on_shutdown.append(release)
    return app


@dataclass(frozen=True, slots=True)
class _Server:
    """One cluster's API server, for the duration of a request."""

    store: ObjectStore
    faults: KubeFaults
    token: str
    prefix: str

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request, refusals included."""
        if self.faults.refuse:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        await self.faults.passage()
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        try:
            if self.faults.status:
                raise _overridden(self.faults.status)
            return await self._served(request, path)
        except ApiError as error:
            headers = {"Retry-After": "1"} if error.code in (429, 503) else {}
            return _json(encode(error.body()), error.code, headers)

    async def _served(self, request: web.Request, path: str) -> web.StreamResponse:
        user = kube_access.user_of(request.headers.get("Authorization", ""), self.token)
        target = target_of(path)
        watch = bool(flag(request.query, "watch"))
        kube_access.check(user, request.method, path, target, watch=watch)
        if target is None:
            return await self._document(request, path)
        form = representation_of(
            target.resource,
            request.headers.get("Accept", ""),
            request.query.get("includeObject", ""),
            self.store.clock.wall,
        )
        if request.method in ("GET", "HEAD"):
            if watch:
                return await serve_watch(request, self.store, target, form, self.faults)
            return self._read(request, target, form)
        return await self._written(request, target, form)

    def _read(self, request: web.Request, target: Target, form: Representation) -> web.Response:
        if not target.name:
            return _json(list_objects(self.store, target, request.query, form))
        obj = kube_writes.existing(self.store, target)
        if target.subresource == "scale":
            return _json(encode(kube_writes.scale_of(obj)))
        version = self.store.version(target.resource.kind, target.namespace or "", target.name)
        return _json(form.encode(version) if version else encode(obj))

    async def _written(self, request: web.Request, target: Target, form: Representation) -> web.Response:
        body = await request.read()
        query = request.query
        match request.method, bool(target.name):
            case "POST", False if target.namespace or not target.resource.namespaced:
                return self._object(form, kube_writes.create(self.store, target, _object_in(request, body), query), 201)
            case "PUT", True:
                return self._object(form, kube_writes.replace(self.store, target, _object_in(request, body), query))
            case "PATCH", True:
                return self._object(
                    form, kube_writes.patch(self.store, target, request.content_type, body, query)
                )  # fmt: skip
            case "DELETE", True if not target.subresource:
                options = _object_in(request, body) if body else {}
                return _json(encode(kube_writes.delete(self.store, target, options, query)))
            case "DELETE", False:
                return self._delete_collection(request, target, form)
        raise ApiError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
        )  # fmt: skip

    def _delete_collection(self, request: web.Request, target: Target, form: Representation) -> web.Response:
        listed = list_objects(self.store, target, request.query, form)
        selection = kube_writes.selected(self.store, target, request.query)
        for obj in selection:
            metadata = obj["metadata"]
            self.store.delete(target.resource.kind, metadata.get("namespace", ""), metadata["name"])
        return _json(listed)

    @staticmethod
    def _object(form: Representation, obj: KubeObject, status: int = 200) -> web.Response:
        return _json(form.encode(Version(obj, "", 0)) if obj["kind"] != "Scale" else encode(obj), status)

    async def _document(self, request: web.Request, path: str) -> web.Response:
        """Return everything that is not a resource: health, version, discovery, reviews."""
        parts = path.strip("/").split("/")
        if request.method == "POST":
            return await self._review(request, parts)
        if request.method not in ("GET", "HEAD"):
            return _page_not_found()
        match parts:
            case ["healthz" | "livez" | "readyz", *_]:
                return web.Response(text="ok")
            case ["api" | "apis" as root] if _wants_aggregated(request.headers.get("Accept", "")):
                body = encode(kube_discovery.aggregated(core=root == "api"))
                return web.Response(body=body, headers={"Content-Type": kube_discovery.AGGREGATED})
        document = self._discovered(request, parts)
        return _page_not_found() if document is None else _json(encode(document))

    def _discovered(self, request: web.Request, parts: list[str]) -> Mapping[str, Any] | None:
        match parts:
            case ["version"]:
                return kube_discovery.VERSION
            case ["api"]:
                return kube_discovery.api_versions(request.host)
            case ["apis"]:
                return kube_discovery.api_groups()
            case ["apis", group]:
                return kube_discovery.api_group(group)
            case ["api", version]:
                return kube_discovery.api_resources("", version)
            case ["apis", group, version]:
                return kube_discovery.api_resources(group, version)
            case ["openapi", "v3"]:
                return kube_discovery.openapi_index(self.prefix)
            case ["openapi", "v3", *rest]:
                return kube_discovery.openapi_document("/".join(rest))
        return None

    async def _review(self, request: web.Request, parts: list[str]) -> web.Response:
        match parts:
            case ["apis", group, version, plural]:
                for kind in kube_discovery.REVIEWS.get((group, version), ()):
                    if plural == f"{kind.lower()}s":
                        # kubectl asks in protobuf; the answer is the same whatever the question says.
                        is_json = request.content_type == "application/json"
                        body = _object_in(request, await request.read()) if is_json else {}
                        return _json(encode(kube_access.review(kind, body, self.store.clock.stamp())), 201)
        return _page_not_found()


def _object_in(request: web.Request, body: bytes) -> KubeObject:
    if request.content_type not in ("application/json", "application/octet-stream", "application/*"):
        raise ApiError(
            415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json",
        )  # fmt: skip
    decoded = kube_writes.decoded(body)
    if not isinstance(decoded, dict):
        raise bad_request("the object provided is unrecognized: it must be a JSON object")
    return decoded


def _wants_aggregated(accept: str) -> bool:
    """Return whether a client accepts aggregated discovery; its beta version is not served."""
    entries = ({part.strip() for part in entry.split(";")} for entry in accept.split(","))
    return any({"as=APIGroupDiscoveryList", "v=v2"} <= entry for entry in entries)


def _overridden(status: int) -> ApiError:
    reasons = {401: "Unauthorized", 403: "Forbidden", 429: "TooManyRequests", 503: "ServiceUnavailable"}
    reason = reasons.get(status, "InternalError")
    return ApiError(status, reason, f"the sandbox was told to answer {status}", {"retryAfterSeconds": 1})


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=body, status=status, headers={**_UNCACHED, "Content-Type": "application/json", **(headers or {})}
    )


def _page_not_found() -> web.Response:
    return web.Response(status=404, text="404 page not found\n", headers=_UNCACHED)
