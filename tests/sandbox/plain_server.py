"""An aiohttp application really served on loopback, mounted where the sandbox mounts it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def mounted(prefix: str, application: web.Application) -> AsyncIterator[str]:
    """Yields the base URL, without the prefix."""
    outer = web.Application()
    outer.add_subapp(prefix, application)
    runner = web.AppRunner(outer, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        listener = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listener).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()
