"""Prometheus' HTTP API for every embedded cluster, under one prefix each.

Parameters, refusals and envelopes are as recorded from Prometheus 2.42.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from aiohttp import web
from promql_parser import VectorSelector, parse_duration

from sgm_tui.sandbox.kubernetes.faults import KubeFaults
from sgm_tui.sandbox.prometheus.alerts import EVALUATION, Alert, Group, Rule
from sgm_tui.sandbox.prometheus.series import SCRAPE
from sgm_tui.sandbox.prometheus.server import ClusterLoad, Load
from sgm_tui.sandbox.promql import engine as promql
from sgm_tui.sandbox.promql.expressions import matchers_of
from sgm_tui.sandbox.promql.syntax import parse
from sgm_tui.sandbox.promql.values import LOOKBACK, NAME, Matcher, PromqlError, Series

_STATUS = {"bad_data": 400, "execution": 422, "timeout": 503}
_BUILD = {
    "version": "2.42.0",
    "revision": "sandbox",
    "branch": "HEAD",
    "buildUser": "sgm",
    "buildDate": "20230201-00:00:00",
    "goVersion": "go1.19.8",
}
_METADATA: Mapping[str, tuple[str, str]] = {
    "http_requests_total": ("counter", "Requests answered, by status code."),
    "http_request_duration_seconds": ("histogram", "Time to answer a request."),
    "up": ("gauge", "Whether the last scrape worked."),
    "rollout_info": ("gauge", "Information about rollout."),
}
_ANY = [Matcher(NAME, "!=", "")]
_encode = msgspec.json.Encoder().encode


class _Reply:
    """One request to the Prometheus of one cluster."""

    def __init__(self, cluster: ClusterLoad, load: Load, parameters: Mapping[str, Sequence[str]]) -> None:
        self.cluster = cluster
        self._clock = load.clock
        self._parameters = parameters

    def parameter(self, name: str) -> str:
        """Return the first value of a parameter; "" if it is missing."""
        values = self._parameters.get(name)
        return values[0] if values else ""

    def many(self, name: str) -> Sequence[str]:
        """Return every value of a parameter."""
        return self._parameters.get(name, ())

    def now(self) -> float:
        """Return the current Unix time of this Prometheus."""
        return self.cluster.series.wall(self._clock.now)

    def time(self, name: str, default: float) -> float:
        """Return a point in time, given as Unix seconds or RFC 3339."""
        text = self.parameter(name)
        if not text:
            return default
        moment = _moment(text)
        if moment is None:
            raise _invalid(name, f"Invalid time value for '{name}': cannot parse \"{text}\" to a valid timestamp")
        return moment

    def bound(self, name: str) -> float:
        """Return a required point in time."""
        text = self.parameter(name)
        moment = _moment(text)
        if moment is None:
            raise _invalid(name, f'cannot parse "{text}" to a valid timestamp')
        return moment

    def duration(self, name: str) -> float:
        """Return a duration in seconds, given as a number or such as 5m."""
        text = self.parameter(name)
        seconds = _duration(text)
        if seconds is None:
            raise _invalid(name, f'cannot parse "{text}" to a valid duration')
        return seconds

    def stamp(self, moment: float) -> str:
        """Format a virtual time as RFC 3339 with nanoseconds."""
        wall = datetime.fromtimestamp(self.cluster.series.wall(moment), UTC)
        return wall.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def _invalid(name: str, message: str) -> PromqlError:
    return PromqlError("bad_data", f'invalid parameter "{name}": {message}')


def _moment(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        try:
            parsed_time = datetime.fromisoformat(text)
        except ValueError:
            return None
        return parsed_time.timestamp() if parsed_time.tzinfo is not None else None
    return seconds if math.isfinite(seconds) else None


def _duration(text: str) -> float | None:
    try:
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return float(parse_duration(text).total_seconds())
    except ValueError:
        return None


def _query(reply: _Reply) -> Any:
    at = reply.time("time", reply.now())
    _deadline(reply)
    return _evaluate(lambda: promql.evaluate_instant(reply.cluster.series, reply.parameter("query"), at)).data()


def _query_range(reply: _Reply) -> Any:
    start, end = reply.bound("start"), reply.bound("end")
    if end < start:
        raise _invalid("end", "end timestamp must not be before start time")
    step = reply.duration("step")
    if step <= 0:
        raise _invalid("step", "zero or negative query resolution step widths are not accepted. Try a positive integer")
    if (end - start) / step > promql.MOST_POINTS:
        raise PromqlError(
            "bad_data",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
            "(?step=XX)",
        )
    _deadline(reply)
    return _evaluate(
        lambda: promql.evaluate_range(reply.cluster.series, reply.parameter("query"), start, end, step)
    ).data()


def _deadline(reply: _Reply) -> None:
    if reply.parameter("timeout"):
        reply.duration("timeout")


def _evaluate(ask: Callable[[], promql.Answer]) -> promql.Answer:
    """Evaluate a query; its own refusals name the parameter."""
    try:
        return ask()
    except PromqlError as error:
        if error.kind == "bad_data":
            raise _invalid("query", error.message) from None
        raise


def _matching_series(reply: _Reply, selectors: Iterable[str]) -> list[Series]:
    """Return the series that exist between start and end and match any selector."""
    end = reply.time("end", reply.now())
    start = reply.time("start", end - LOOKBACK)
    source = reply.cluster.series
    low, high = source.virtual(start), source.virtual(end)
    series: dict[Any, Series] = {}
    for text in selectors:
        for candidate in source.select(_selector(text)):
            if candidate.labels not in series and candidate.edges(max(low, high - 2 * SCRAPE), high) is not None:
                series[candidate.labels] = candidate
    return list(series.values())


def _selector(text: str) -> list[Matcher]:
    try:
        expression = parse(text)
    except PromqlError as error:
        raise _invalid("match[]", error.message) from None
    if not isinstance(expression, VectorSelector):
        raise _invalid("match[]", "1:1: parse error: unexpected expression, expected a series selector")
    return matchers_of(expression)


def _series(reply: _Reply) -> Any:
    if not reply.many("match[]"):
        raise PromqlError("bad_data", "no match[] parameter provided")
    return [dict(series.labels) for series in _matching_series(reply, reply.many("match[]"))]


def _series_or_all(reply: _Reply) -> list[Series]:
    if reply.many("match[]"):
        return _matching_series(reply, reply.many("match[]"))
    return reply.cluster.series.select(_ANY)


def _labels(reply: _Reply) -> Any:
    return sorted({name for series in _series_or_all(reply) for name, _ in series.labels})


def _label_values(reply: _Reply, label: str) -> Any:
    if not re.fullmatch(r"[A-Za-z_]\w*", label):
        raise PromqlError("bad_data", f'invalid label name: "{label}"')
    return sorted({value for series in _series_or_all(reply) for name, value in series.labels if name == label})


def _alerts(reply: _Reply) -> Any:
    return {"alerts": [_alert(reply, alert) for alert in reply.cluster.alerts.active]}


def _alert(reply: _Reply, alert: Alert) -> dict[str, Any]:
    return alert.written(reply.stamp)


def _rules(reply: _Reply) -> Any:
    kind = reply.parameter("type")
    if kind not in {"", "alert", "record"}:
        raise _invalid("type", f'not supported value "{kind}"')
    return {"groups": [_group(reply, group, kind) for group in reply.cluster.alerts.groups]}


def _group(reply: _Reply, group: Group, kind: str) -> dict[str, Any]:
    rules = [rule for rule in group.rules if not kind or rule.records == (kind == "record")]
    return {
        "name": group.name,
        "file": group.file,
        "rules": [_rule(reply, rule) for rule in rules],
        "interval": EVALUATION,
        "limit": 0,
        "evaluationTime": 0.001,
        "lastEvaluation": reply.stamp(max((rule.evaluated for rule in rules), default=0.0)),
    }


def _rule(reply: _Reply, rule: Rule) -> dict[str, Any]:
    common: dict[str, Any] = {"name": rule.name, "query": rule.expression, "health": "err" if rule.error else "ok"}
    if rule.error:
        common["lastError"] = rule.error
    common |= {"evaluationTime": 0.0005, "lastEvaluation": reply.stamp(rule.evaluated)}
    if rule.records:
        return {**common, "type": "recording"}
    return {
        "state": rule.state,
        **common,
        "duration": rule.hold,
        "keepFiringFor": 0,
        "labels": {name: value for name, value in rule.labels.items() if name != "namespace"},
        "annotations": dict(rule.annotations),
        "alerts": [_alert(reply, alert) for alert in rule.active.values()],
        "type": "alerting",
    }


def _targets(reply: _Reply) -> Any:
    state = reply.parameter("state")
    if state == "dropped":
        return {"activeTargets": [], "droppedTargets": []}
    series = reply.cluster.series.select([Matcher(NAME, "=", "up")])
    return {"activeTargets": [_target(reply, job) for job in series], "droppedTargets": []}


def _target(reply: _Reply, series: Series) -> dict[str, Any]:
    labels = {name: value for name, value in series.labels if name != NAME}
    url = f"http://{labels['instance']}/metrics"
    now = reply.cluster.series.virtual(reply.now())
    healthy = series.at(now) == 1.0
    return {
        "discoveredLabels": {"__address__": labels["instance"], "__metrics_path__": "/metrics", "__scheme__": "http"},
        "labels": labels,
        "scrapePool": f"serviceMonitor/{labels['namespace']}/{labels['service']}/0",
        "scrapeUrl": url,
        "globalUrl": url,
        "lastError": "" if healthy else "server returned HTTP status 503 Service Unavailable",
        "lastScrape": reply.stamp(series.sampled_at(now)),
        "lastScrapeDuration": 0.002,
        "health": "up" if healthy else "down",
        "scrapeInterval": f"{SCRAPE:.0f}s",
        "scrapeTimeout": "10s",
    }


def _metadata(reply: _Reply) -> Any:
    metric = reply.parameter("metric")
    rows = {name: row for name, row in _METADATA.items() if not metric or name == metric}
    return {name: [{"type": kind, "help": text, "unit": ""}] for name, (kind, text) in rows.items()}


def _runtime(reply: _Reply) -> Any:
    started = reply.stamp(0.0)
    return {
        "startTime": started, "CWD": "/prometheus", "reloadConfigSuccess": True, "lastConfigTime": started,
        "corruptionCount": 0, "goroutineCount": 1, "GOMAXPROCS": 1, "GOGC": "", "GODEBUG": "",
        "storageRetention": "15d",
    }  # fmt: skip


_PAGES: Mapping[str, Callable[[_Reply], Any]] = {
    "query": _query,
    "query_range": _query_range,
    "series": _series,
    "labels": _labels,
    "alerts": _alerts,
    "rules": _rules,
    "targets": _targets,
    "metadata": _metadata,
    "alertmanagers": lambda _: {"activeAlertmanagers": [], "droppedAlertmanagers": []},
    "status/buildinfo": lambda _: _BUILD,
    "status/runtimeinfo": _runtime,
    "status/config": lambda _: {"yaml": "global:\n  scrape_interval: 15s\n"},
    "status/flags": lambda _: {"query.lookback-delta": "5m", "query.timeout": "2m"},
}
_TAKES_POST = frozenset({"query", "query_range", "series", "labels"})


def _find_page(path: str) -> Callable[[_Reply], Any] | None:
    match path.split("/"):
        case ["label", label, "values"]:
            return lambda reply: _label_values(reply, label)
    return _PAGES.get(path)


async def _parameters(request: web.Request) -> dict[str, list[str]]:
    parameters: dict[str, list[str]] = {}
    pairs = list(request.query.items())
    if request.method == "POST":
        pairs = [(name, str(value)) for name, value in (await request.post()).items()] + pairs
    for name, value in pairs:
        parameters.setdefault(name, []).append(value)
    return parameters


def _not_found() -> web.Response:
    return web.Response(status=404, text="404 page not found\n")


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=_encode(document), status=status, content_type="application/json")


async def _api(load: Load, request: web.Request, cluster: ClusterLoad) -> web.Response:
    path = request.match_info["path"]
    page = _find_page(path)
    if page is None or (request.method == "POST" and path not in _TAKES_POST):
        return _not_found()
    try:
        data = page(_Reply(cluster, load, await _parameters(request)))
    except PromqlError as error:
        refusal = {"status": "error", "errorType": error.kind, "error": error.message}
        return _json(refusal, _STATUS[error.kind])
    return _json({"status": "success", "data": data})


async def _serve_plain_text(request: web.Request, _cluster: ClusterLoad) -> web.Response:
    path = request.match_info["path"]
    state = {"-/ready": "Ready", "-/healthy": "Healthy"}.get(path)
    if state is not None:
        return web.Response(text=f"Prometheus Server is {state}.\n")
    return _not_found() if path else web.Response(text="Prometheus")


Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(load: Load, faults: Mapping[str, KubeFaults] | None = None) -> web.Application:
    """Return the application to mount with `add_subapp("/prometheus", …)`.

    If the API server of a cluster hangs, its Prometheus hangs too.
    """

    def make_endpoint(handler: Callable[[web.Request, ClusterLoad], Awaitable[web.Response]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            name = request.match_info["cluster"]
            cluster = load.clusters.get(name)
            if cluster is None:
                return _not_found()
            if faults is not None and name in faults:
                await faults[name].passage()
            return await handler(request, cluster)

        return handle

    application = web.Application()
    application.router.add_route("GET", "/{cluster}/api/v1/{path:.+}", make_endpoint(partial(_api, load)))
    application.router.add_route("POST", "/{cluster}/api/v1/{path:.+}", make_endpoint(partial(_api, load)))
    application.router.add_get("/{cluster}/{path:.*}", make_endpoint(_serve_plain_text))
    return application
