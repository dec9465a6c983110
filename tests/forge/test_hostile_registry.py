"""A registry that trickles, floods, compresses, redirects or is none: nobody knows, and nobody waits for ever."""

from __future__ import annotations

import gzip
import socket

import hostile
import pytest

from sgm_tui.config.schema import RegistryConfig
from sgm_tui.forge import registry
from sgm_tui.forge.registry import Registry

PAGE = hostile.whole(b"<html>Sign in</html>", Content_Type="text/html; charset=utf-8")
BOMB = gzip.compress(b" " * (1 << 20))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_DEADLINE", 0.5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (hostile.trickle(b"HTTP/1.1 404 Not Found\r\n\r\n"), "did not answer within"),
        (hostile.whole(b" " * (1 << 20), "404 Not Found"), "sent more than 64 KB"),
        (
            hostile.whole(BOMB, "404 Not Found", Content_Encoding="gzip"),
            "compressed",
        ),
        (hostile.whole(b"[" * 50_000, "404 Not Found"), "is not a container registry"),
        (PAGE, "is not a container registry"),
        (hostile.elsewhere("http://127.0.0.1:1", "307 Temporary Redirect"), "answered 307"),
    ],
)
async def test_whether_an_image_is_there_is_unknown(answer: hostile.Answer, words: str) -> None:
    with hostile.serving(answer) as (url, _):
        host = url.removeprefix("http://")
        reason = await Registry(RegistryConfig(url=url, hosts=(host,))).has(f"{host}/acme/cart", "v1.0.0")
    assert isinstance(reason, str)
    assert words in reason


async def test_an_answer_in_pieces_is_read_whole() -> None:
    body = b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'

    def pieces(connection: socket.socket, request: bytes) -> None:
        head = f"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        if request.startswith(b"HEAD "):
            hostile.whole(b"", "404 Not Found")(connection, request)
            return
        connection.sendall(head.encode() + body[:5])
        for at in range(5, len(body)):
            connection.sendall(body[at : at + 1])

    with hostile.serving(pieces) as (url, _):
        host = url.removeprefix("http://")
        assert await Registry(RegistryConfig(url=url, hosts=(host,))).has(f"{host}/acme/cart", "v1.0.0") is False
