"""Serve the sandbox on loopback: the world, its protocols, its private files and its shutdown.

Plain HTTP for Prometheus, GitHub and the registry; TLS for the Kubernetes APIs, because clients send a kubeconfig's
token over nothing else. Every request needs the bearer token and must name this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
import logging
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from aiohttp import web

from sgm_tui.sandbox.github import api as github_api
from sgm_tui.sandbox.kubernetes import api as kube_api
from sgm_tui.sandbox.kubernetes.access import is_loopback
from sgm_tui.sandbox.kubernetes.tls import LoopbackTls, persistent_tls
from sgm_tui.sandbox.prometheus import api as prometheus_api
from sgm_tui.sandbox.ready import (
    HUB,
    Address,
    Ready,
    address_in,
    kubeconfig,
    private_directory,
    remember_address,
    token_in,
    write_private,
)
from sgm_tui.sandbox.registry import api as registry_api
from sgm_tui.sandbox.registry.api import Registry
from sgm_tui.sandbox.team_file import team_file
from sgm_tui.sandbox.world.scenarios import SCENARIOS
from sgm_tui.sandbox.world.world import STEP_SECONDS, World

_HOST = "127.0.0.1"
_HEALTH = ("/healthz", "/livez", "/readyz")
"""Paths that need no token, as with a real API server."""
_TICK_SECONDS = 0.1
_PARENT_SECONDS = 1.0
_MOST_STEPS = 200
"""The most steps of one catch-up, however late the world is."""
_BUSY_SECONDS = 0.02
"""Real seconds of steps after which pending requests are served."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The options of `sgm sandbox`."""

    services: int | None = None
    """None is the bundled number."""
    clusters: int | None = None
    seed: str = "sgm"
    speed: float = 10.0
    """Virtual seconds per real second."""
    scenario: str = "release"
    directory: Path | None = None
    """Where to keep the files, also those of an earlier sandbox; None is a temporary directory."""
    port: int = 0
    token: str = ""
    """The bearer token; "" is the one of the directory, or a random one."""
    ready_file: Path | None = None
    parent_pid: int = 0
    """Stop when this process ends; 0 is no process."""


def run_sandbox(options: SandboxOptions) -> int:
    """Serve until interrupted or the parent ends, print the ready line, and return the exit code."""

    # A world is a big, lasting heap: collecting it again and again would cost more than its steps.
    gc.disable()

    def ready(announcement: Ready) -> None:
        gc.freeze()
        gc.enable()
        sys.stdout.write(announcement.line() + "\n")
        sys.stdout.flush()

    asyncio.run(serve(options, ready))
    return 0


async def serve(options: SandboxOptions, on_ready: Callable[[Ready], None]) -> None:
    """Start, call `on_ready`, and serve until SIGINT, SIGTERM, cancellation or the end of the parent."""
    stop = _stop_on_signals()
    with _directory(options.directory) as directory:
        token = token_in(directory, options.token)
        world = World(
            services=options.services,
            clusters=options.clusters,
            seed=options.seed,
            speed=options.speed,
            scenario=SCENARIOS[options.scenario](),
            directory=directory,
        )
        with contextlib.closing(world):
            world.start()
            tls = persistent_tls(directory)
            previous = address_in(directory)
            requested = Address(options.port or _port_if_free(previous.http), _port_if_free(previous.tls))
            async with _serve(_application(world, token), tls, requested) as address:
                remember_address(directory, address)
                announcement = _write_client_files(world, tls, directory, address)
                if options.ready_file is not None:
                    write_private(options.ready_file, announcement.line() + "\n")
                on_ready(announcement)
                await _until_stopped(world, stop, options.parent_pid)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


@contextlib.contextmanager
def _directory(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield private_directory(directory)
        return
    with tempfile.TemporaryDirectory(prefix="sgm-sandbox-") as temporary:
        yield private_directory(Path(temporary))


@contextlib.asynccontextmanager
async def _serve(application: web.Application, tls: LoopbackTls, address: Address) -> AsyncIterator[Address]:
    """Serve an application over HTTP and TLS; yield its address."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        http = await _listen(runner, address.http, None)
        secure = await _listen(runner, address.tls, tls.context)
        yield Address(http, secure)
    finally:
        await runner.cleanup()


def _port_if_free(port: int) -> int:
    """Return a remembered port if it is free, else 0."""
    try:
        socket.create_server((_HOST, port)).close()
    except OSError:
        return 0
    return port


async def _listen(runner: web.AppRunner, port: int, context: ssl.SSLContext | None) -> int:
    """Listen on a port, 0 is any, and return the port."""
    listener = socket.create_server((_HOST, port))
    await web.SockSite(runner, listener, ssl_context=context).start()
    return int(listener.getsockname()[1])


def _application(world: World, token: str) -> web.Application:
    application = web.Application(middlewares=[_guard(token)])
    for path in _HEALTH:
        application.router.add_get(path, _answer_health_check)
    application.add_subapp("/clusters", kube_api.routes(world.api_servers, token, world.faults))
    application.add_subapp("/prometheus", prometheus_api.routes(world.load, world.faults))
    application.add_subapp("/api", github_api.routes(world.github))
    application.add_subapp("/v2", registry_api.routes(Registry(world.repository)))
    return application


async def _answer_health_check(_: web.Request) -> web.Response:
    """Answer health checks at the root: `kubectl get --raw /healthz` ignores the path in the kubeconfig's server."""
    return web.Response(text="ok")


def _guard(token: str) -> Any:
    """Refuse requests for another host or without the token; the Kubernetes APIs refuse in their own format."""

    @web.middleware
    async def guard(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if not is_loopback(request.host):
            return web.Response(status=421, text="this is a sandbox on loopback\n")
        public = request.path in _HEALTH or request.path.startswith("/clusters/")
        if not public and not _has_token(request, token):
            body = {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}
            return web.json_response(body, status=401, headers={"WWW-Authenticate": 'Bearer realm="sandbox"'})
        response: web.StreamResponse = await handler(request)
        return response

    return guard


def _has_token(request: web.Request, token: str) -> bool:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() in {"bearer", "token"} and hmac.compare_digest(credentials.strip().encode(), token.encode())


def _write_client_files(world: World, tls: LoopbackTls, directory: Path, address: Address) -> Ready:
    """Write the files a client needs, and return the ready line."""
    plain, token = f"http://{_HOST}:{address.http}", directory / "token"
    prometheus = {name: f"{plain}/prometheus/{name}" for name in world.stores}
    git = world.repository.path.as_uri()
    contexts = write_private(
        directory / "kubeconfig",
        kubeconfig(list(world.api_servers), f"https://{_HOST}:{address.tls}", token.read_text(), tls.authority),
    )
    team = team_file(
        world.repository.read(world.repository.head(), "sgm.yaml") or b"",
        git=git,
        prometheus=prometheus,
        github=f"{plain}/api/v3",
        registry=plain,
        kubeconfig=contexts,
        token=token,
        state=private_directory(directory / "state"),
    )
    return Ready(
        config=str(write_private(directory / "sgm.yaml", team)),
        kubeconfig=str(contexts),
        hub=HUB,
        prometheus=prometheus,
        github=f"{plain}/api/v3",
        repository="acme/gitops",
        git=git,
        registry=f"{_HOST}:{address.http}",
        token_file=str(token),
        pid=os.getpid(),
    )


async def _until_stopped(world: World, stop: asyncio.Event, parent: int) -> None:
    """Keep the world on time until the sandbox stops."""
    looked = monotonic()
    born_of = os.getppid()
    while not stop.is_set():
        try:
            await _catch_up(world)
        except Exception:
            # An unexpected object in one cluster must not stop the API of all of them.
            logging.getLogger("sgm.sandbox").exception("a step of the sandbox failed")
        if parent and monotonic() - looked > _PARENT_SECONDS:
            looked = monotonic()
            if not _is_alive(parent, born_of):
                return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _TICK_SECONDS)


async def _catch_up(world: World) -> None:
    """Step the world to the present, serving requests in between.

    After a long suspension the steps are longer and not more, so that the delay does not grow.
    """
    present = world.clock.virtual(datetime.now(UTC))
    step = max(STEP_SECONDS, (present - world.clock.now) / _MOST_STEPS)
    busy = monotonic()
    while world.clock.now + step <= present:
        world.step(step)
        if monotonic() - busy > _BUSY_SECONDS:
            await asyncio.sleep(0)
            busy = monotonic()


def _is_alive(parent: int, born_of: int) -> bool:
    """Return whether the parent process is alive; children of a dead parent are adopted."""
    if born_of == parent:
        return os.getppid() == parent
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it lives, and belongs to another user
    return True
