"""Name resolution with a timeout: the C library waits as long as the machine's resolver, which may be minutes."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future


def resolve(host: str, port: int, seconds: float | None) -> tuple[str, ...]:
    """Return the addresses of a host, in the order to try them.

    Args:
        host: a name or an address.
        port: the port to connect to.
        seconds: the timeout; None waits as long as the resolver does.

    Raises:
        TimeoutError: the resolver did not answer in time.
        OSError: the name does not exist.
    """
    answer: Future[tuple[str, ...]] = Future()

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host.strip("[]"), port, 0, socket.SOCK_STREAM)
            answer.set_result(tuple(dict.fromkeys(str(row[4][0]) for row in rows)))
        except UnicodeError as error:
            answer.set_exception(socket.gaierror(socket.EAI_NONAME, f"no valid name of a host: {error}"))
        except OSError as error:
            answer.set_exception(error)

    # A thread of its own: it cannot be interrupted, and ends when the resolver gives up.
    threading.Thread(target=look_up, name="sgm-resolve", daemon=True).start()
    return answer.result(seconds)
