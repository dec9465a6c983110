"""The sandbox's certificate is good for this machine only, and is kept where the sandbox is kept."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from sgm_tui.sandbox.kubernetes.tls import LoopbackTls, loopback_tls, persistent_tls


def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


async def handshake(tls: LoopbackTls, name: str, authority: bytes) -> bytes:
    """Connect as a client that knows the server under a name and trusts an authority; what the server sent."""
    trusting = ssl.create_default_context(cadata=authority.decode())
    server = await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=tls.context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        return received


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
async def test_clients_that_trust_the_authority_connect(name: str) -> None:
    tls = loopback_tls()
    assert await handshake(tls, name, tls.authority) == b"hello"


async def test_another_name_or_another_authority_is_not_trusted() -> None:
    tls = loopback_tls()
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(tls, "example.com", tls.authority)
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(tls, "localhost", loopback_tls().authority)


async def test_a_sandbox_started_again_in_its_directory_has_the_same_certificate(tmp_path: Path) -> None:
    first, second = persistent_tls(tmp_path), persistent_tls(tmp_path)
    assert first.authority == second.authority
    await handshake(second, "localhost", first.authority)


def test_nobody_else_may_read_the_private_half(tmp_path: Path) -> None:
    persistent_tls(tmp_path)
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
