"""Why GitHub gave no answer, in words a person reads at night and not the libraries' wrapping of them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import requests

from sgm_tui.forge.refusals import explain_no_answer


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api/v3/repos/acme/gitops/pulls?state=open"


@pytest.fixture
def closed() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/api/v3"


def why(url: str, retries: int = 0) -> str:
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
        session.trust_env = False
        with pytest.raises(requests.RequestException) as failed:
            session.get(url, timeout=0.2)
    return explain_no_answer(failed.value, 0.2)


@pytest.mark.parametrize("retries", [0, 1])
def test_silence(silent: str, retries: int) -> None:
    assert why(silent, retries) == "did not answer within 0.2 s"


def test_nobody_there(closed: str) -> None:
    assert why(closed, 1) == "cannot be reached: connection refused"


def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert why("http://github.invalid/api/v3") == "cannot be reached: name or service not known"


def test_an_answer_that_breaks_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        reason = why(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()
    assert reason in {"closed the connection without an answer", "cannot be reached: connection reset by peer"}


def test_a_certificate_nobody_vouches_for() -> None:
    wrapped = ssl.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    assert explain_no_answer(requests.exceptions.SSLError(wrapped), 9).startswith("is not trusted: ")
