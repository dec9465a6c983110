"""The client of one Prometheus: instant queries, range queries and alerts.

The client library blocks its thread, with deadlines and without retries of its own; it uses neither a proxy nor a
netrc. Everything it raises is translated into an UnreachableError that names the server and the query.
"""

from __future__ import annotations

import ast
import contextlib
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
from sgm_tui.json_reader import read_json
from sgm_tui.live.prometheus_access import authorities, basic_auth_for, headers_for
from sgm_tui.transport.blocking import AnswerRefusedError, BoundedSession
from sgm_tui.transport.limits import Limits
from sgm_tui.untrusted_text import clean

_LIMITS = Limits(silence=5.0, total=10.0, size=32 << 20)
"""A series of one value is 200 bytes, one of the trend 700: enough for every service of a cluster many times over."""
_NO_RETRY = Retry(total=0, raise_on_status=False)
_LONGEST_REFUSAL = 1 << 16
_REMARK = 160
"""Characters of one warning, at most."""
_MOST_REMARKS = 20
_ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_BODY = re.compile(r"\((b['\"].*)\)$", re.DOTALL)

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading a series of another shape than Prometheus' may raise."""


class _Result(msgspec.Struct, frozen=True):
    """The data of a query; each series is decoded on its own."""

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
    """The answer is not JSON: a page, nothing, or half a document."""


Rows = Sequence[Mapping[str, Any]]
"""Series as Prometheus writes them: `metric` and `value`, or `values` of a range."""


class _Remarks:
    """The `warnings` and `infos` of answers, which the client library drops."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}

    def collect(self, answer: requests.Response, **_: object) -> None:
        """Collect the remarks of an answer; one that is not JSON is reported as an error elsewhere."""
        if b'"warnings"' not in answer.content and b'"infos"' not in answer.content:
            return
        try:
            document = answer.json()
        except (ValueError, RecursionError):
            return
        if isinstance(document, Mapping):
            self._warnings |= _texts_in(document.get("warnings"))
            self._infos |= _texts_in(document.get("infos"))

    @property
    def note(self) -> str:
        """The warnings (a partial response may be incomplete), else the infos (a query may be wrong), else ""."""
        if self._warnings:
            return f"{INCOMPLETE}: {_summary(self._warnings)}"
        return f"Prometheus remarks: {_summary(self._infos)}" if self._infos else ""


def _texts_in(value: object) -> dict[str, None]:
    """Return the texts of a list, without duplicates and in order; none for anything but a list."""
    items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    return dict.fromkeys(clean(item, _REMARK) for item in items[:_MOST_REMARKS] if isinstance(item, str))


def _summary(remarks: Mapping[str, None]) -> str:
    first, *further = remarks
    return first + (f" (and {len(further)} more)" if further else "")


class PrometheusClient:
    """A connection to one Prometheus; not to be shared between threads."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session
        self._remarks = _Remarks()
        session.hooks["response"].append(self._remarks.collect)
        self._client = PrometheusConnect(url, session=session, retry=_NO_RETRY, timeout=_LIMITS.silence)

    @property
    def note(self) -> str:
        """The remarks of the answers so far: that data may be incomplete, or a hint about a query; "" for none."""
        return self._remarks.note

    def query(self, name: str, query: str) -> Rows:
        """Return the vector of an instant query; `name` says what is measured, for errors.

        Raises:
            UnreachableError: the query failed.
        """
        with translate_errors(f"{self._url}: {name}"):
            rows: Rows = self._client.custom_query(query)
            return rows

    def query_range(self, name: str, query: str, start: datetime, end: datetime, step: int) -> Rows:
        """Return the matrix of a range query from `start` to `end`, every `step` seconds.

        Raises:
            UnreachableError: the query failed.
        """
        with translate_errors(f"{self._url}: {name}"):
            rows: Rows = self._client.custom_query_range(query, start, end, step=f"{step}")
            return rows

    def alerts(self) -> Rows:
        """Return every alert that is pending or firing.

        Raises:
            UnreachableError: the request failed.
        """
        with translate_errors(self._url):
            answer = self._session.get(f"{self._url}/api/v1/alerts", timeout=_LIMITS.silence)
            if answer.status_code != requests.codes.ok:
                raise UnreachableError(f"Prometheus answered {answer.status_code} about its alerts ({self._url})")
            return answer.json()["data"]["alerts"] or ()


@contextlib.contextmanager
def connect(url: str, config: MetricsConfig) -> Iterator[PrometheusClient]:
    """Connect to a Prometheus for the length of the block.

    Raises:
        UnreachableError: a credential or certificate file cannot be read.
    """
    with BoundedSession(_LIMITS, _NO_RETRY) as session:
        session.trust_env = False
        session.hooks["response"].append(_must_be_prometheus)
        session.headers.update(headers_for(url, config))
        session.auth = basic_auth_for(url, config)
        session.verify = authorities(config)
        yield PrometheusClient(url, session)


def finite_number(text: object) -> float | None:
    """Return a number as Prometheus writes it; None for NaN, infinities and anything else."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@contextlib.contextmanager
def translate_errors(subject: str) -> Iterator[None]:
    """Translate whatever the library or an unexpected answer raises in the block.

    The message begins with what happened and ends with `subject`, server and query: where space is short, that part
    can be cut off.

    Raises:
        UnreachableError: for each of those.
    """
    start = time.monotonic()
    try:
        yield
    except PrometheusApiClientException as error:
        raise UnreachableError(f"Prometheus refused: {_cause(str(error))} ({subject})") from error
    except requests.Timeout as error:
        raise UnreachableError(f"Prometheus did not answer within {_time_since(start)} ({subject})") from error
    except (requests.JSONDecodeError, _NotPrometheusError) as error:
        raise UnreachableError(f"the server is not Prometheus ({subject})") from error
    except requests.RequestException as error:
        raise UnreachableError(f"Prometheus {_reason(error, _time_since(start))} ({subject})") from error
    except (*MALFORMED, RecursionError) as error:
        # An answer of another shape than Prometheus': a proxy's, or a future version's.
        raise UnreachableError(f"Prometheus gave an answer that cannot be read: {clean(error)} ({subject})") from error


def _must_be_prometheus(response: requests.Response, **_options: Any) -> None:
    """Check that a successful answer has the shape of Prometheus'; redirects and refusals are handled elsewhere.

    Raises:
        AnswerRefusedError: it has another shape, so that it must not be taken for "no series".
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
    """Return the message of Prometheus itself, or of a proxy in front of it, without that of the library."""
    match = _BODY.search(text) if len(text) <= _LONGEST_REFUSAL else None
    if match is None:
        return clean(text)
    with contextlib.suppress(ValueError, SyntaxError, AttributeError, RecursionError):
        return clean(read_json(ast.literal_eval(match[1])).get("error", text))
    with contextlib.suppress(ValueError, SyntaxError, AttributeError, RecursionError):
        return clean(f"{text[: match.start()].rstrip()}: {ast.literal_eval(match[1]).decode(errors='replace')}", 160)
    return clean(text)


def _time_since(start: float) -> str:
    return seconds_waited(time.monotonic() - start)


def _reason(error: requests.RequestException, waited: str) -> str:
    """Return why there is no answer, without the wrapping of the libraries."""
    if isinstance(error, AnswerRefusedError):
        return str(error)
    cause = error.args[0] if error.args else error
    if isinstance(cause, MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    if isinstance(cause, NewConnectionError):
        return f"cannot be reached: {_ERROR_NUMBER.sub('', clean(cause, 160).rpartition(': ')[2])}"
    if isinstance(cause, Urllib3TimeoutError):
        return f"did not answer within {waited}"
    if isinstance(cause, SSLError):
        return f"is not trusted: {clean(cause, 160)}"
    return f"gave no answer: {clean(cause, 160)}"
