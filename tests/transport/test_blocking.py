"""Whatever a server sends, a request ends within its time, its size and its origin, with an error that says which."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import hostile
import pytest
import requests
import urllib3

from sgm_tui.transport.blocking import AnswerRefusedError, BoundedSession, DeadlineError
from sgm_tui.transport.limits import Limits, is_same_origin, size_text

LIMITS = Limits(silence=0.3, total=0.5, size=1 << 20)
NEVER = urllib3.Retry(total=0, raise_on_status=False)


@pytest.fixture
def session() -> Iterator[BoundedSession]:
    with BoundedSession(LIMITS, NEVER) as made:
        made.trust_env = False
        yield made


def failure(session: BoundedSession, answer: hostile.Answer, method: str = "GET") -> requests.RequestException:
    with hostile.serving(answer) as (url, _), pytest.raises(requests.RequestException) as caught:
        session.request(method, url)
    return caught.value


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow:",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/1.1 500 Broken\r\n\r\n",
    ],
)
def test_a_byte_at_a_time_ends_at_the_deadline_of_the_whole_request(session: BoundedSession, prefix: bytes) -> None:
    started = time.monotonic()
    error = failure(session, hostile.trickle(prefix))
    assert isinstance(error, DeadlineError)
    assert str(error) == "did not finish its answer within 0.5 s"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_resolver_that_hangs_ends_at_the_deadline_too(
    session: BoundedSession, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def hang(*_: Any) -> list[Any]:
        free.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(requests.Timeout):
            session.request("GET", f"{scheme}://ghe.acme.test/")
    finally:
        free.set()


@pytest.mark.parametrize("name", ["ghe.acme.invalid", "a" * 64 + ".invalid"])
def test_a_name_nobody_knows_is_a_connection_error(session: BoundedSession, name: str) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.InvalidURL)):
        session.request("GET", f"http://{name}/")


def test_every_address_of_a_name_is_tried(session: BoundedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def both(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if host != "ghe.acme.test":
            return real(host, port, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with hostile.serving(hostile.whole(b"ok")) as (url, _):
        assert session.request("GET", url.replace("127.0.0.1", "ghe.acme.test")).text == "ok"


def test_retries_and_redirects_share_one_deadline() -> None:
    again = urllib3.Retry(total=1000, status_forcelist=[500], allowed_methods={"GET"})
    with BoundedSession(LIMITS, again) as session:
        started = time.monotonic()
        failure(session, hostile.trickle())
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("answer", [hostile.endless, hostile.bomb(), hostile.whole(b" " * (2 << 20))])
def test_what_is_too_large_is_not_read_to_its_end(session: BoundedSession, answer: hostile.Answer) -> None:
    tracemalloc.start()
    try:
        error = failure(session, answer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(error, AnswerRefusedError)
    assert str(error) == "sent more than 1 MB"
    assert peak < 32 << 20


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_no_redirect_leads_to_another_server(session: BoundedSession, method: str, status: str) -> None:
    with hostile.serving(hostile.whole(b"{}")) as (other, there):
        error = failure(session, hostile.elsewhere(other, status), method)
    assert isinstance(error, AnswerRefusedError)
    assert "redirects to another server (127.0.0.1): not followed" in str(error)
    assert there == []


@pytest.mark.parametrize("method", ["PATCH", "POST", "PUT", "DELETE"])
def test_a_write_is_not_sent_again_to_another_path_either(session: BoundedSession, method: str) -> None:
    answer = hostile.whole(b"", "307 Temporary Redirect", Location="/elsewhere")
    with hostile.serving(answer) as (url, lines), pytest.raises(AnswerRefusedError, match=f"redirects a {method}"):
        session.request(method, url)
    assert len(lines) == 1


def test_a_read_follows_its_own_server_and_keeps_what_was_asked(session: BoundedSession) -> None:
    answers = [hostile.whole(b"", "301 Moved", Location="/renamed?state=open"), hostile.whole(b"[]")]
    with hostile.serving(lambda connection, head: answers.pop(0)(connection, head)) as (url, lines):
        assert session.get(f"{url}/old?state=open").json() == []
    assert lines == ["GET /old?state=open HTTP/1.1", "GET /renamed?state=open HTTP/1.1"]


def test_redirects_in_a_circle_end(session: BoundedSession) -> None:
    assert isinstance(failure(session, hostile.whole(b"", "302 Found", Location="/again")), requests.TooManyRedirects)


def test_an_adapter_mounted_by_a_library_changes_nothing(session: BoundedSession) -> None:
    session.mount("http://", requests.adapters.HTTPAdapter())
    assert isinstance(failure(session, hostile.trickle()), DeadlineError)


def test_an_answer_cut_short_is_an_error(session: BoundedSession) -> None:
    error = failure(session, hostile.whole(b"[1, 2", Content_Length="900"))
    assert isinstance(error, requests.exceptions.ChunkedEncodingError)


def test_an_ordinary_answer_is_read_whole_and_its_connection_used_again(session: BoundedSession) -> None:
    with hostile.serving(hostile.whole(b'{"a": 1}')) as (url, _):
        answer = session.get(url)
        assert (answer.status_code, answer.json()) == (200, {"a": 1})
        assert session.get(url).content == b'{"a": 1}'


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("https://git.example/a", "https://git.example:443/b", True),
        ("https://git.example/a", "http://git.example/a", False),
        ("https://git.example/a", "https://git.example:8443/a", False),
        ("https://git.example/a", "https://git.example.evil/a", False),
        ("https://git.example/a", "https://git.example:x/a", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(first: str, second: str, same: bool) -> None:
    assert is_same_origin(first, second) is same


def test_sizes_as_a_sentence_names_them() -> None:
    assert [size_text(one) for one in (100, 1 << 16, 16 << 20)] == ["100 bytes", "64 KB", "16 MB"]
