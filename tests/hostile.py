"""Servers that answer as no server should: a byte at a time, without end, compressed a thousandfold, elsewhere."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator

Answer = Callable[[socket.socket, bytes], None]
"""Answers one request on a connection that is closed afterwards."""


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; yields the base URL and, as they come, the first line of every request."""
    lines: list[str] = []
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=_answered, args=(connection, lines, answer), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", lines
        finally:
            ended.set()
            thread.join()


def _answered(connection: socket.socket, lines: list[str], answer: Answer) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(20)
        head = b""
        while b"\r\n\r\n" not in head and (part := connection.recv(65536)):
            head += part
        if head:
            lines.append(head.partition(b"\r\n")[0].decode())
            answer(connection, head)


def whole(body: bytes, status: str = "200 OK", **headers: str) -> Answer:
    """An ordinary answer."""

    def answer(connection: socket.socket, head: bytes) -> None:
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection.sendall(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + (b"" if head.startswith(b"HEAD ") else body))

    return answer


def elsewhere(url: str, status: str = "302 Found") -> Answer:
    """A redirect to a URL and the path that was asked for."""

    def answer(connection: socket.socket, head: bytes) -> None:
        path = head.split(b" ")[1].decode()
        whole(b"", status, Location=f"{url}{path}")(connection, head)

    return answer


def trickle(prefix: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n") -> Answer:
    """An answer that never ends: after `prefix` a byte at a time, each long before anybody calls it silence."""

    def answer(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(prefix)
        pause = threading.Event()
        while not pause.wait(0.02):
            connection.sendall(b" ")

    return answer


def endless(connection: socket.socket, _head: bytes) -> None:
    """An answer without end, as fast as it is read."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        connection.sendall(b"[], " * 16384)


def bomb(size: int = 64 << 20) -> Answer:
    """A compressed answer of `size` bytes of text."""
    return whole(gzip.compress(b" " * size, 1), Content_Encoding="gzip")


def nested(depth: int = 200_000) -> Answer:
    """An answer of brackets."""
    return whole(b"[" * depth + b"]" * depth)
