"""The alerting rules of one cluster, read from its PrometheusRules and evaluated as Prometheus does.

Rules of idle services are evaluated less often. What already holds when a world begins has held for as long as its
expression does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from promql_parser import parse_duration

from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.prometheus.series import Family, Gauge
from sgm_tui.sandbox.promql.engine import compile_vector
from sgm_tui.sandbox.promql.values import (
    NAME,
    Labels,
    PromqlError,
    Source,
    VectorNode,
    labels_of,
    number_text,
    without_name,
)

EVALUATION = 15.0
"""Virtual seconds between two evaluations."""
_QUIET_ROUNDS = 16
_BACK = (60.0, 300.0, 900.0, 3600.0, 6 * 3600.0)
"""Seconds into the past for which an alert that holds at the beginning is traced."""
_KEPT = 64
_TEMPLATE = re.compile(r"\{\{\s*\$(labels\.(\w+)|value)\s*(?:\|\s*(\w+)\s*)?\}\}")


@dataclass(slots=True)
class Alert:
    """An active alert: one element of its rule's vector."""

    labels: Labels
    annotations: Mapping[str, str]
    since: float
    """Virtual time of the first evaluation in which it was active."""
    value: float
    fired: float | None = None
    """When its `for` duration was over; None while it is pending."""
    ended: float | None = None

    @property
    def state(self) -> str:
        """Return pending or firing."""
        return "pending" if self.fired is None else "firing"

    def written(self, stamp: Callable[[float], str]) -> dict[str, Any]:
        """Return the alert as the HTTP API represents it."""
        return {
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "state": self.state,
            "activeAt": stamp(self.since),
            "value": scientific(self.value),
        }


@dataclass(slots=True)
class Rule:
    """An alerting or recording rule of a group."""

    namespace: str
    name: str
    expression: str
    records: bool
    hold: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    evaluate: VectorNode | None = None
    error: str = ""
    evaluated: float = 0.0
    active: dict[Labels, Alert] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Return the most severe state of its alerts."""
        states = {one.state for one in self.active.values()}
        return "firing" if "firing" in states else "pending" if states else "inactive"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of rules that are evaluated together."""

    name: str
    file: str
    rules: list[Rule]


class Alerts:
    """The rule manager of one cluster's Prometheus."""

    def __init__(self, source: Source, store: ObjectStore, lively: Callable[[str], bool]) -> None:
        """Watch the rules in `store`; `lively` says whether something unusual happens in a namespace."""
        self._source = source
        self._store = store
        self._is_lively = lively
        self._groups: dict[tuple[str, str], list[Group]] = {}
        self._round = 0
        self._due = -math.inf
        self._began = False
        self._past: list[Alert] = []
        store.listeners.append(self._note)
        for obj in store.list("PrometheusRule"):
            self._note("ADDED", "PrometheusRule", obj)

    @property
    def groups(self) -> list[Group]:
        """Return every group of rules, in the order of their files."""
        return [group for _, groups in sorted(self._groups.items()) for group in groups]

    @property
    def active(self) -> list[Alert]:
        """Return every pending or firing alert."""
        return [alert for rule in self._rules() for alert in rule.active.values()]

    def families(self) -> dict[str, Family]:
        """Return the synthetic series `ALERTS` and `ALERTS_FOR_STATE`."""
        return {"ALERTS": self._alert_series, "ALERTS_FOR_STATE": self._start_time_series}

    def step(self, now: float) -> None:
        """Evaluate what is due."""
        if now < self._due:
            return
        self._due = (math.floor(now / EVALUATION) + 1) * EVALUATION
        self._round += 1
        for number, rule in enumerate(self._rules()):
            turn = not self._began or (self._round + number) % _QUIET_ROUNDS == 0
            if turn or rule.active or self._is_lively(rule.namespace):
                self._evaluate(rule, now)
        self._began = True

    def _rules(self) -> Iterator[Rule]:
        for groups in self._groups.values():
            for group in groups:
                yield from (rule for rule in group.rules if not rule.records)

    def _note(self, event: str, kind: str, obj: KubeObject) -> None:
        if kind != "PrometheusRule":
            return
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        before = {rule.name: rule for group in self._groups.pop(key, []) for rule in group.rules if not rule.records}
        if event == "DELETED":
            self._past += [alert for rule in before.values() for alert in rule.active.values()]
            return
        groups = [self._group(one, *key) for one in (obj.get("spec") or {}).get("groups") or ()]
        for rule in (rule for group in groups for rule in group.rules):
            if rule.name in before and not rule.records:
                rule.active = before[rule.name].active
        self._groups[key] = groups

    def _group(self, group: Mapping[str, Any], namespace: str, name: str) -> Group:
        file = f"/etc/prometheus/rules/prometheus-rulefiles-0/{namespace}-{name}.yaml"
        return Group(str(group.get("name", "")), file, [self._rule(one, namespace) for one in group.get("rules") or ()])

    def _rule(self, document: Mapping[str, Any], namespace: str) -> Rule:
        expression = str(document.get("expr", "")).strip()
        rule = Rule(
            namespace,
            str(document.get("alert") or document.get("record")),
            expression,
            records="record" in document,
            hold=_duration(document.get("for")),
            labels={**(document.get("labels") or {}), "namespace": namespace},
            annotations=document.get("annotations") or {},
        )
        if not rule.records:
            # What the chart records is computed directly; other recordings are only listed.
            try:
                rule.evaluate = compile_vector(self._source, expression)
            except PromqlError as error:
                rule.error = error.message
        return rule

    def _evaluate(self, rule: Rule, now: float) -> None:
        rule.evaluated = now
        vector = self._query(rule, now)
        active = {self._alert_labels(rule, labels): value for labels, value in vector}
        for labels in rule.active.keys() - active.keys():
            over = rule.active.pop(labels)
            over.ended = now
            self._past = [*self._past, over][-_KEPT:]
        for labels, value in active.items():
            alert = rule.active.get(labels)
            if alert is None:
                since = now if self._began else self._find_start(rule, labels, now)
                alert = rule.active[labels] = Alert(labels, self._annotations(rule, labels, value), since, value)
            alert.value = value
            if alert.fired is None and now - alert.since >= rule.hold:
                alert.fired = alert.since + rule.hold
                alert.annotations = self._annotations(rule, labels, value)

    def _query(self, rule: Rule, at: float) -> Iterable[tuple[Labels, float]]:
        if rule.evaluate is None:
            return ()
        try:
            return rule.evaluate(at)
        except PromqlError as error:
            rule.error = error.message
            return ()

    def _find_start(self, rule: Rule, labels: Labels, now: float) -> float:
        since = now
        for seconds in _BACK:
            there = {self._alert_labels(rule, one) for one, _ in self._query(rule, now - seconds)}
            if labels not in there:
                break
            since = now - seconds
        return since

    @staticmethod
    def _alert_labels(rule: Rule, labels: Labels) -> Labels:
        return labels_of({**dict(without_name(labels)), **rule.labels, "alertname": rule.name})

    @staticmethod
    def _annotations(rule: Rule, labels: Labels, value: float) -> dict[str, str]:
        values = dict(labels)

        def fill_in(match: re.Match[str]) -> str:
            if match[2]:
                return values.get(match[2], "")
            return f"{value * 100:.4g}%" if match[3] == "humanizePercentage" else number_text(value)

        return {name: _TEMPLATE.sub(fill_in, str(text)) for name, text in rule.annotations.items()}

    def _alert_series(self, namespace: str | None) -> Iterator[Gauge]:
        for alert in (*self.active, *self._past):
            labels = dict(alert.labels)
            if namespace not in {None, labels.get("namespace")}:
                continue
            ended = math.inf if alert.ended is None else alert.ended
            fired = ended if alert.fired is None else alert.fired
            for state, start, end in (("pending", alert.since, fired), ("firing", fired, ended)):
                if start < end:
                    named = labels_of({**labels, NAME: "ALERTS", "alertstate": state})
                    yield Gauge(named, _constant_while(start, end, 1.0))

    def _start_time_series(self, namespace: str | None) -> Iterator[Gauge]:
        for alert in (*self.active, *self._past):
            labels = dict(alert.labels)
            if namespace in {None, labels.get("namespace")}:
                ended = math.inf if alert.ended is None else alert.ended
                named = labels_of({**labels, NAME: "ALERTS_FOR_STATE"})
                yield Gauge(named, _constant_while(alert.since, ended, self._source.wall(alert.since)))


def _duration(text: object) -> float:
    """Return the seconds of a Prometheus duration; 0 for what is not one."""
    try:
        return float(parse_duration(str(text)).total_seconds()) if text else 0.0
    except ValueError:
        return 0.0


def _constant_while(start: float, end: float, value: float) -> Callable[[float], float | None]:
    return lambda at: value if start - EVALUATION < at < end else None


def scientific(value: float) -> str:
    """Format a number as the HTTP API writes an alert's value: 4e-01."""
    if not math.isfinite(value):
        return number_text(value)
    mantissa, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}"
