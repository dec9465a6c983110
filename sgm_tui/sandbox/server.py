"""The sandbox as a server on loopback: the world, its protocols, the private files, and when to stop.

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
"""What a real API server, too, tells everybody."""
_TICK_SECONDS = 0.1
_PARENT_SECONDS = 1.0
_MOST_STEPS = 200
"""Steps of one catching up, however far behind."""
_BUSY_SECONDS = 0.02
"""Real seconds of stepping after which waiting requests come first."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What `sgm sandbox` was asked for."""

    services: int | None = None
    """The bundled ones when not given."""
    clusters: int | None = None
    seed: str = "sgm"
    speed: float = 10.0
    """Virtual seconds a real second."""
    scenario: str = "release"
    directory: Path | None = None
    """Keep the files here, and take over from an earlier sandbox that did; a temporary directory when not given."""
    port: int = 0
    token: str = ""
    """Instead of the directory's or a random one."""
    ready_file: Path | None = None
    parent_pid: int = 0
    """Stop when this process is gone."""


def run_sandbox(options: SandboxOptions) -> int:
    """Serve until interrupted or the parent is gone; prints the ready line. Returns the exit code."""

    # A world is a big, lasting heap: collecting it again and again would cost more than all of its steps.
    gc.disable()

    def ready(announcement: Ready) -> None:
        gc.freeze()
        gc.enable()
        sys.stdout.write(announcement.line() + "\n")
        sys.stdout.flush()

    asyncio.run(serve(options, ready))
    return 0


async def serve(options: SandboxOptions, on_ready: Callable[[Ready], None]) -> None:
    """Start, tell `on_ready`, serve until SIGINT, SIGTERM, cancellation or the end of the parent."""
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
            requested = Address(options.port or _free(previous.http), _free(previous.tls))
            async with _listening(_application(world, token), tls, requested) as address:
                remember_address(directory, address)
                announcement = _announce(world, tls, directory, address)
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
async def _listening(application: web.Application, tls: LoopbackTls, address: Address) -> AsyncIterator[Address]:
    """Serve the same application in the clear and over TLS; yields where."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        http = await _bound(runner, address.http, None)
        secure = await _bound(runner, address.tls, tls.context)
        yield Address(http, secure)
    finally:
        await runner.cleanup()


def _free(port: int) -> int:
    """A remembered port if nobody has taken it meanwhile, else any."""
    try:
        socket.create_server((_HOST, port)).close()
    except OSError:
        return 0
    return port


async def _bound(runner: web.AppRunner, port: int, context: ssl.SSLContext | None) -> int:
    """Listen, on this port when one is given; returns the port."""
    listener = socket.create_server((_HOST, port))
    await web.SockSite(runner, listener, ssl_context=context).start()
    return int(listener.getsockname()[1])


def _application(world: World, token: str) -> web.Application:
    application = web.Application(middlewares=[_guard(token)])
    for path in _HEALTH:
        application.router.add_get(path, _well)
    application.add_subapp("/clusters", kube_api.routes(world.api_servers, token, world.faults))
    application.add_subapp("/prometheus", prometheus_api.routes(world.load, world.faults))
    application.add_subapp("/api", github_api.routes(world.github))
    application.add_subapp("/v2", registry_api.routes(Registry(world.repository)))
    return application


async def _well(_: web.Request) -> web.Response:
    """Health at the root: `kubectl get --raw /healthz` leaves out the path of the server in the kubeconfig."""
    return web.Response(text="ok")


def _guard(token: str) -> Any:
    """Only requests that name this machine and carry the token get in; the Kubernetes APIs refuse in their own way."""

    @web.middleware
    async def guard(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if not is_loopback(request.host):
            return web.Response(status=421, text="this is a sandbox on loopback\n")
        public = request.path in _HEALTH or request.path.startswith("/clusters/")
        if not public and not _knows(request, token):
            body = {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}
            return web.json_response(body, status=401, headers={"WWW-Authenticate": 'Bearer realm="sandbox"'})
        response: web.StreamResponse = await handler(request)
        return response

    return guard


def _knows(request: web.Request, token: str) -> bool:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() in {"bearer", "token"} and hmac.compare_digest(credentials.strip().encode(), token.encode())


def _announce(world: World, tls: LoopbackTls, directory: Path, address: Address) -> Ready:
    """Write the files a client needs, and say where everything is."""
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
    """Keep the world on time until it is to end."""
    looked = monotonic()
    born_of = os.getppid()
    while not stop.is_set():
        try:
            await _catch_up(world)
        except Exception:
            # Somebody's odd object in one cluster must not take the API of all of them down.
            logging.getLogger("sgm.sandbox").exception("a step of the sandbox failed")
        if parent and monotonic() - looked > _PARENT_SECONDS:
            looked = monotonic()
            if not _lives(parent, born_of):
                return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _TICK_SECONDS)


async def _catch_up(world: World) -> None:
    """Bring the world to the present in small steps, answering requests in between.

    Who was asleep for long takes longer steps instead of many, so that lateness never grows.
    """
    present = world.clock.virtual(datetime.now(UTC))
    step = max(STEP_SECONDS, (present - world.clock.now) / _MOST_STEPS)
    busy = monotonic()
    while world.clock.now + step <= present:
        world.step(step)
        if monotonic() - busy > _BUSY_SECONDS:
            await asyncio.sleep(0)
            busy = monotonic()


def _lives(parent: int, born_of: int) -> bool:
    """Whether the process that asked for this sandbox is still there; a dead parent's children are adopted."""
    if born_of == parent:
        return os.getppid() == parent
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it lives and is somebody else's
    return True
