"""One Prometheus over HTTP: queries at a moment, over a range, and its alerts.

The client library asks, in whatever thread it is called in, with deadlines and without retries of its own; it never
follows a proxy or a netrc. Everything it raises becomes one error of ours that says who was asked what.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError
from urllib3.util.retry import Retry

from sgm_tui.config.schema import MetricsConfig
from sgm_tui.errors import UnreachableError
from sgm_tui.fleet.ages import seconds_waited
from sgm_tui.fleet.source import INCOMPLETE
from sgm_tui.live.prometheus_access import authorities, basic_auth_for, headers_for
from sgm_tui.transport.blocking import AnswerRefusedError, BoundedSession
from sgm_tui.transport.limits import Limits
from sgm_tui.untrusted_text import clean

_LIMITS = Limits(silence=5.0, total=10.0, size=32 << 20)
"""A series of one value is 200 bytes, one of the trend 700: room for every service of a cluster many times over."""
_ONCE = Retry(total=0, raise_on_status=False)
_LONGEST_REFUSAL = 1 << 16
_REMARK = 160
"""Characters of one warning."""
_MOST_REMARKS = 20
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_BODY = re.compile(r"\((b['\"].*)\)$", re.DOTALL)


class _Result(msgspec.Struct, frozen=True):
    """The data of a query; each series is read for itself."""

    result: list[msgspec.Raw]


class _Alerts(msgspec.Struct, frozen=True):
    """The data of the alerts."""

    alerts: list[msgspec.Raw] | None


class _Queried(msgspec.Struct, frozen=True):
    """The answer to a query."""

    status: Literal["success"]
    data: _Result


class _Alerted(msgspec.Struct, frozen=True):
    """The answer about alerts."""

    status: Literal["success"]
    data: _Alerts


class _NotPrometheusError(AnswerRefusedError):
    """The answer is no JSON at all: a page, nothing, half of it."""


Rows = Sequence[Mapping[str, Any]]
"""Series as Prometheus writes them: `metric` and `value`, or `values` of a range."""


class _Remarks:
    """The `warnings` and `infos` of answers, which the client library leaves out."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}

    def hear(self, answer: requests.Response, **_: object) -> None:
        """Take in what an answer says besides its data; an answer nobody can read has its own error."""
        if b'"warnings"' not in answer.content and b'"infos"' not in answer.content:
            return
        try:
            document = answer.json()
        except (ValueError, RecursionError):
            return
        if isinstance(document, Mapping):
            self._warnings |= _texts(document.get("warnings"))
            self._infos |= _texts(document.get("infos"))

    @property
    def note(self) -> str:
        """Warnings say that something may be missing (a partial response); infos that a query is not right."""
        if self._warnings:
            return f"{INCOMPLETE}: {_listed(self._warnings)}"
        return f"Prometheus remarks: {_listed(self._infos)}" if self._infos else ""


def _texts(written: object) -> dict[str, None]:
    known = written if isinstance(written, Sequence) and not isinstance(written, str | bytes) else ()
    return dict.fromkeys(clean(one, _REMARK) for one in known[:_MOST_REMARKS] if isinstance(one, str))


def _listed(remarks: Mapping[str, None]) -> str:
    first, *others = remarks
    return first + (f" (and {len(others)} more)" if others else "")


class Asking:
    """One connection to a Prometheus; not to be shared between threads."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session
        self._remarks = _Remarks()
        session.hooks["response"].append(self._remarks.hear)
        self._client = PrometheusConnect(url, session=session, retry=_ONCE, timeout=_LIMITS.silence)

    @property
    def note(self) -> str:
        """What the answers so far said besides their data: that it may be incomplete, or a hint; "" for nothing."""
        return self._remarks.note

    def now(self, name: str, query: str) -> Rows:
        """The vector of a query now; `name` is what is measured, for what is said when it fails.

        Raises:
            UnreachableError: why there is none.
        """
        with told(f"{self._url}: {name}"):
            found: Rows = self._client.custom_query(query)
            return found

    def over(self, name: str, query: str, start: datetime, end: datetime, step: int) -> Rows:
        """The matrix of a query from `start` to `end`, every `step` seconds.

        Raises:
            UnreachableError: why there is none.
        """
        with told(f"{self._url}: {name}"):
            found: Rows = self._client.custom_query_range(query, start, end, step=f"{step}")
            return found

    def alerts(self) -> Rows:
        """Every alert that is pending or fires.

        Raises:
            UnreachableError: why they are not known.
        """
        with told(self._url):
            answer = self._session.get(f"{self._url}/api/v1/alerts", timeout=_LIMITS.silence)
            if answer.status_code != requests.codes.ok:
                raise UnreachableError(f"Prometheus answered {answer.status_code} about its alerts ({self._url})")
            return answer.json()["data"]["alerts"] or ()


@contextlib.contextmanager
def asking(url: str, config: MetricsConfig) -> Iterator[Asking]:
    """Connect to a Prometheus for the length of the block.

    Raises:
        UnreachableError: a credential or certificate file cannot be read.
    """
    with BoundedSession(_LIMITS, _ONCE) as session:
        session.trust_env = False
        session.hooks["response"].append(_must_be_prometheus)
        session.headers.update(headers_for(url, config))
        session.auth = basic_auth_for(url, config)
        session.verify = authorities(config)
        yield Asking(url, session)


def number(text: object) -> float | None:
    """A finite number as Prometheus writes it; None for NaN, infinities and what is none."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Everything the library may raise, and a strange answer make of us, becomes one error of ours.

    What happened comes first and who was asked last: where there is little room an address says nothing.
    """
    begun = time.monotonic()
    try:
        yield
    except PrometheusApiClientException as error:
        raise UnreachableError(f"Prometheus refused: {_cause(str(error))} ({what})") from error
    except requests.Timeout as error:
        raise UnreachableError(f"Prometheus did not answer within {_waited(begun)} ({what})") from error
    except (requests.JSONDecodeError, _NotPrometheusError) as error:
        raise UnreachableError(f"the server is not Prometheus ({what})") from error
    except requests.RequestException as error:
        raise UnreachableError(f"Prometheus {_reason(error, _waited(begun))} ({what})") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        # An answer of another shape than Prometheus': a proxy's, or a version's from the future.
        raise UnreachableError(f"Prometheus gave an answer that cannot be read: {clean(error)} ({what})") from error


def _must_be_prometheus(response: requests.Response, **_options: Any) -> None:
    """Return if a successful answer has the shape of Prometheus'; a redirect and a refusal are judged elsewhere.

    Raises:
        AnswerRefusedError: it has another shape, so that "no series" would be a guess.
    """
    if response.status_code != requests.codes.ok:
        return
    kind = _Alerted if "/api/v1/alerts" in (response.url or "").partition("?")[0] else _Queried
    try:
        msgspec.json.decode(response.content, type=kind)
    except msgspec.ValidationError as error:
        raise AnswerRefusedError(f"gave an answer that cannot be read: {clean(error, 160)}") from error
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _NotPrometheusError(f"gave no JSON: {clean(error, 160)}") from error


def _cause(text: str) -> str:
    """Prometheus' own words, dug out of the library's message; those of a proxy before it are no JSON."""
    match = _BODY.search(text) if len(text) <= _LONGEST_REFUSAL else None
    if match is None:
        return clean(text)
    with contextlib.suppress(ValueError, SyntaxError, AttributeError, RecursionError):
        return clean(json.loads(ast.literal_eval(match[1])).get("error", text))
    with contextlib.suppress(ValueError, SyntaxError, AttributeError, RecursionError):
        return clean(f"{text[: match.start()].rstrip()}: {ast.literal_eval(match[1]).decode(errors='replace')}", 160)
    return clean(text)


def _waited(begun: float) -> str:
    return seconds_waited(time.monotonic() - begun)


def _reason(error: requests.RequestException, waited: str) -> str:
    """Why there is no answer, dug out of the library's wrapping."""
    if isinstance(error, AnswerRefusedError):
        return str(error)
    cause = error.args[0] if error.args else error
    if isinstance(cause, MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    if isinstance(cause, NewConnectionError):
        return f"cannot be reached: {_NUMBER.sub('', clean(cause, 160).rpartition(': ')[2])}"
    if isinstance(cause, Urllib3TimeoutError):
        return f"did not answer within {waited}"
    if isinstance(cause, SSLError):
        return f"is not trusted: {clean(cause, 160)}"
    return f"gave no answer: {clean(cause, 160)}"
