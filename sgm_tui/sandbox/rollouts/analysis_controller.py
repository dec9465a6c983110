"""The simulated analysis controller: takes the measurements of an AnalysisRun when they are due, and assesses them.

The rules are those of the real controller: which counts matter, when a metric is failed, inconclusive, in error or
done, what a dry run ignores, and every message word for word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sgm_tui.durations import go_seconds
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.sandbox.kubernetes.workshop import Workshop
from sgm_tui.sandbox.rollouts.conditions import COMPLETED_PHASES
from sgm_tui.sandbox.rollouts.expression import ExpressionError, holds

Measure = Callable[[str], list[float]]
"""Evaluates a PromQL query; raises ValueError with Prometheus' message if it cannot."""

_KEPT = 10
"""How many measurements of a metric are kept."""
_RETRY = 10.0
"""Virtual seconds after which a failed measurement is repeated."""
_ARGUMENT = re.compile(r"\{\{\s*args\.([\w.-]+)\s*\}\}")
_WORST_LAST = ("Successful", "Running", "Pending", "Inconclusive", "Error", "Failed")
_COUNTS = {"Successful": "successful", "Failed": "failed", "Inconclusive": "inconclusive", "Error": "error"}
_ENDS_RUN = frozenset({"Failed", "Error", "Inconclusive"})

Metric = dict[str, Any]
Result = dict[str, Any]


class AnalysisController:
    """Runs the analyses of one cluster."""

    def __init__(self, shop: Workshop, measure: Measure) -> None:
        self._shop = shop
        self._measure = measure

    def reconcile(self, namespace: str, name: str) -> None:
        """Take the measurements that are due, assess them, and schedule the next reconciliation."""
        run = self._shop.store.get("AnalysisRun", namespace, name)
        if run is None or (run.get("status") or {}).get("phase") in COMPLETED_PHASES:
            return
        sitting = _Sitting(self._shop, run)
        try:
            metrics = [_resolved(metric, _arguments(run)) for metric in run["spec"].get("metrics") or ()]
            dry = _dry_run(run, metrics)
            _must_be_valid(metrics)
        except ValueError as error:
            self._write(run, {**sitting.status, "phase": "Error", "message": str(error)})
            self._tell(run, "Error")
            return
        for metric in metrics:
            if sitting.is_due(metric):
                sitting.take(metric, self._measured(metric), dry=metric["name"] in dry)
        phase, message = sitting.judge(metrics, dry)
        before = sitting.status.get("phase")
        if phase != before:
            sitting.status |= {"phase": phase, "message": message}
            if phase in COMPLETED_PHASES:
                sitting.status["completedAt"] = self._shop.marks.stamp()
        sitting.trim()
        self._write(run, sitting.status)
        if phase != before and phase in COMPLETED_PHASES:
            self._tell(run, phase)
        elif (wait := sitting.wait(metrics)) is not None:
            self._shop.queue.add(("analysis", namespace, name), max(wait, 0.01))

    def _measured(self, metric: Metric) -> Result:
        """Take one measurement, which ends at once: the fleet answers without delay."""
        prometheus = (metric.get("provider") or {}).get("prometheus")
        if prometheus is None:
            kinds = ", ".join(metric.get("provider") or ()) or "none"
            return {"phase": "Error", "message": f"only prometheus is measured here, not {kinds}"}
        try:
            values = self._measure(prometheus["query"])
        except ValueError as error:
            return {"phase": "Error", "message": str(error)}
        try:
            phase = _verdict(metric, values)
        except _ConditionError as error:
            return {"phase": "Error", "message": str(error)}
        return {"phase": phase, "value": f"[{','.join(map(_number, values))}]"}

    def _write(self, run: KubeObject, status: Result) -> None:
        tidy = {key: status[key] for key in sorted(status) if status[key] or key in {"dryRunSummary", "runSummary"}}
        self._shop.store.write("AnalysisRun", {**run, "status": tidy})

    def _tell(self, run: KubeObject, phase: str) -> None:
        bad = phase in {"Error", "Failed"}
        self._shop.events.record(run, f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}", warning=bad)


class _ConditionError(Exception):
    """A condition that could not be evaluated, in the controller's words."""


class _Sitting:
    """One reconciliation of a run: its status while it is written."""

    def __init__(self, shop: Workshop, run: KubeObject) -> None:
        self._shop = shop
        self._run = run
        self.status: Result = dict(run.get("status") or {})
        self._results: dict[str, Result] = {
            result["name"]: {**result, "measurements": list(result.get("measurements") or ())}
            for result in self.status.get("metricResults") or ()
        }

    @property
    def _terminating(self) -> bool:
        if self._run["spec"].get("terminate"):
            return True
        return any(not one.get("dryRun") and one.get("phase") in _ENDS_RUN for one in self._results.values())

    def is_due(self, metric: Metric) -> bool:
        """Return whether a metric is to be measured now."""
        wait = self._metric_wait(metric)
        return not self._terminating and wait is not None and wait <= 0.0

    def wait(self, metrics: list[Metric]) -> float | None:
        """Return the virtual seconds until the next measurement; None if there is none."""
        waits = [wait for metric in metrics if (wait := self._metric_wait(metric)) is not None]
        return min(waits, default=None)

    def take(self, metric: Metric, measured: Result, *, dry: bool) -> None:
        """Add a measurement to a metric's result."""
        name = metric["name"]
        result = self._results.get(name)
        if result is None:
            result = {"name": name, "phase": "Running", "measurements": []}
            query = ((metric.get("provider") or {}).get("prometheus") or {}).get("query")
            if query:
                result["metadata"] = {"ResolvedPrometheusQuery": query}
            if dry:
                result["dryRun"] = True
            self._results[name] = result
        stamp = self._shop.marks.note(self._run["metadata"]["uid"], f"measured {name}")
        result["measurements"].append({"finishedAt": stamp, **measured, "startedAt": stamp})
        phase = measured["phase"]
        counter = _COUNTS[phase]
        result[counter] = result.get(counter, 0) + 1
        result["consecutiveError"] = result.get("consecutiveError", 0) + 1 if phase == "Error" else 0
        result["consecutiveSuccess"] = result.get("consecutiveSuccess", 0) + 1 if phase == "Successful" else 0
        if phase != "Error":
            result["count"] = result.get("count", 0) + 1

    def judge(self, metrics: list[Metric], dry: frozenset[str]) -> tuple[str, str]:
        """Return the phase of the run and its message, and write the summaries."""
        terminating = self._terminating
        self.status.setdefault("startedAt", self._shop.marks.note(self._run["metadata"]["uid"], "run started"))
        worst, message = "", "Run Terminated" if self._run["spec"].get("terminate") else ""
        summaries: dict[bool, dict[str, int]] = {False: {"count": 0}, True: {"count": 0}}
        all_done = True
        for metric in metrics:
            is_dry = metric["name"] in dry
            summaries[is_dry]["count"] += 1
            result = self._results.get(metric["name"])
            phase = self._judged(metric, result, terminating=terminating) if result else ""
            if result is None or phase not in COMPLETED_PHASES:
                all_done = False
                continue
            cause, why = _limit_passed(metric, result)
            name = _COUNTS[cause or "Successful"]
            summaries[is_dry][name] = summaries[is_dry].get(name, 0) + 1
            if is_dry:
                worst = worst or "Successful"
                if why:
                    result["message"] = f"Metric assessed {phase} due to {why}"
            elif not worst or _WORST_LAST.index(phase) > _WORST_LAST.index(worst):
                worst = phase
                if why:
                    message = f'Metric "{metric["name"]}" assessed {phase} due to {why}'
                    if result.get("message"):
                        message += f': "Error Message: {result["message"]}"'
        self._summarise(summaries)
        if terminating:
            return worst or "Successful", message
        return (worst, message) if all_done and worst else ("Running", "")

    def trim(self) -> None:
        """Keep the newest measurements, and sort the results by when they first appeared."""
        keep = {
            entry["metricName"]: entry.get("limit", _KEPT)
            for entry in self._run["spec"].get("measurementRetention") or ()
        }
        for result in self._results.values():
            limit = next((limit for name, limit in keep.items() if re.search(name, result["name"])), _KEPT)
            result["measurements"] = result["measurements"][-limit:]
        if self._results:
            self.status["metricResults"] = [
                {key: entry[key] for key in sorted(entry) if entry[key] or key == "phase"}
                for entry in self._results.values()
            ]

    def _judged(self, metric: Metric, result: Result, *, terminating: bool) -> str:
        """Return the phase of one metric; write it to its result, and record an event when it ends."""
        phase = _metric_phase(metric, result, terminating=terminating)
        if phase == result["phase"]:
            return phase
        if phase in COMPLETED_PHASES:
            message = f"Metric '{metric['name']}' Completed. Result: {phase}"
            self._shop.events.record(self._run, f"Metric{phase}", message, warning=phase in {"Error", "Failed"})
        result["message"] = result["measurements"][-1].get("message", "") if result["measurements"] else ""
        result["phase"] = phase
        return phase

    def _metric_wait(self, metric: Metric) -> float | None:
        result = self._results.get(metric["name"])
        uid = self._run["metadata"]["uid"]
        marks = self._shop.marks
        if result is None or not result["measurements"]:
            delay = go_seconds(metric["initialDelay"]) if metric.get("initialDelay") else 0.0
            started = self.status.get("startedAt")
            return delay if started is None else marks.moment(uid, "run started", started) + delay - marks.now
        if result["phase"] in COMPLETED_PHASES:
            return None
        count = _count(metric)
        last = result["measurements"][-1]
        if count is not None and result.get("count", 0) >= count:
            return None
        if last["phase"] != "Error" and not metric.get("interval"):
            return None
        interval = _RETRY if last["phase"] == "Error" else go_seconds(metric["interval"])
        return marks.moment(uid, f"measured {metric['name']}", last["finishedAt"]) + interval - marks.now

    def _summarise(self, summaries: Mapping[bool, dict[str, int]]) -> None:
        for is_dry, field in ((False, "runSummary"), (True, "dryRunSummary")):
            self.status[field] = {key: value for key, value in sorted(summaries[is_dry].items()) if value}


def _metric_phase(metric: Metric, result: Result, *, terminating: bool) -> str:
    if result["phase"] in COMPLETED_PHASES:
        return str(result["phase"])
    passed, _ = _limit_passed(metric, result)
    if passed:
        return passed
    required_successes = _integer(metric.get("consecutiveSuccessLimit"), 0)
    if required_successes > 0 and result.get("consecutiveSuccess", 0) >= required_successes:
        return "Successful"
    count = _count(metric)
    if count is not None and result.get("count", 0) >= count:
        if required_successes == 0:
            return "Successful"
        return "Inconclusive" if _integer(metric.get("failureLimit"), 0) >= 0 else "Failed"
    return "Successful" if terminating else "Running"


def _limit_passed(metric: Metric, result: Result) -> tuple[str, str]:
    """Return the phase of a metric that exceeded one of its limits, and why; the last one that applies."""
    failed, limit = result.get("failed", 0), _integer(metric.get("failureLimit"), 0)
    verdict = ("", "")
    if 0 <= limit < failed:
        verdict = "Failed", f"failed ({failed}) > failureLimit ({limit})"
    unclear, limit = result.get("inconclusive", 0), _integer(metric.get("inconclusiveLimit"), 0)
    if unclear > limit:
        verdict = "Inconclusive", f"inconclusive ({unclear}) > inconclusiveLimit ({limit})"
    errors, limit = result.get("consecutiveError", 0), _integer(metric.get("consecutiveErrorLimit"), 4)
    if errors > limit:
        verdict = "Error", f"consecutiveErrors ({errors}) > consecutiveErrorLimit ({limit})"
    return verdict


def _verdict(metric: Metric, values: list[float]) -> str:
    """Return what the conditions say of a result."""
    success = failure = None
    for name in ("successCondition", "failureCondition"):
        condition = metric.get(name)
        if not condition:
            continue
        try:
            is_true = holds(condition, values)
        except ExpressionError as error:
            why = str(error) if values else "metric result is nil or empty: no data returned from the metric provider"
            raise _ConditionError(f'could not evaluate {name} "{condition}": {why}') from error
        if name == "successCondition":
            success = is_true
        else:
            failure = is_true
    if failure or (failure is None and success is False):
        return "Failed"
    return "Successful" if success or success is None else "Inconclusive"


def _count(metric: Metric) -> int | None:
    """Return how many measurements are taken; None if without end."""
    if metric.get("count"):
        return _integer(metric["count"], 1)
    return None if metric.get("interval") else 1


def _integer(value: object, default: int) -> int:
    return default if value is None or value == "" else int(str(value))


def _arguments(run: KubeObject) -> dict[str, str]:
    # A value from a Secret has no use here: no query needs one, and none is read.
    return {one["name"]: str(one.get("value", "")) for one in run["spec"].get("args") or ()}


def _resolved(value: Any, arguments: Mapping[str, str]) -> Any:
    """Return a metric with its arguments resolved.

    Raises:
        ValueError: an argument is not known.
    """

    def filled(match: re.Match[str]) -> str:
        if match[1] not in arguments:
            raise ValueError(f"Unable to resolve metric arguments: failed to resolve {{{{args.{match[1]}}}}}")
        return arguments[match[1]]

    if isinstance(value, str):
        return _ARGUMENT.sub(filled, value)
    if isinstance(value, Mapping):
        return {key: _resolved(item, arguments) for key, item in value.items()}
    return [_resolved(item, arguments) for item in value] if isinstance(value, list) else value


def _dry_run(run: KubeObject, metrics: list[Metric]) -> frozenset[str]:
    """Return the metrics that are in dry-run mode.

    Raises:
        ValueError: the run has no metrics, or a rule matches none.
    """
    if not metrics:
        raise ValueError("Analysis spec invalid: no metrics specified")
    names: set[str] = set()
    for number, rule in enumerate(run["spec"].get("dryRun") or ()):
        matched = {metric["name"] for metric in metrics if re.search(rule["metricName"], metric["name"])}
        if not matched:
            raise ValueError(f"Analysis spec invalid: dryRun[{number}]: Rule didn't match any metric name(s)")
        names |= matched
    return frozenset(names)


def _must_be_valid(metrics: list[Metric]) -> None:
    """Refuse metrics whose durations cannot be read, as the controller's ValidateMetric does before it measures.

    Raises:
        ValueError: one is not valid.
    """
    for number, metric in enumerate(metrics):
        where = f"Analysis spec invalid: metrics[{number}]"
        if _integer(metric.get("count"), 0) > 1 and not metric.get("interval"):
            raise ValueError(f"{where}: interval must be specified when count > 1")
        for field, name in (("interval", "interval"), ("initialDelay", "startDelay")):
            try:
                go_seconds(str(metric.get(field) or "0"))
            except ValueError as error:
                raise ValueError(f"{where}: invalid {name} string: {error}") from error


def _number(value: float) -> str:
    """Format a sample as Prometheus' Go client does."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)
