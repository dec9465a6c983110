"""AnalysisRuns of a simulated cluster: created from their templates, measured, judged, and ended.

Counting, limits and messages are the controller's: failed > failureLimit, inconclusive > inconclusiveLimit,
consecutiveError > consecutiveErrorLimit; a run is as bad as its worst metric, and the first verdict ends it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgm_tui.fleet.rollout import seconds
from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.analysis_conditions import ConditionError, holds
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.objects import KubeObject, ObjectStore
from sgm_tui.sandbox.replica_sets import HASH, REVISION, hash_of, owner, revision_of

Measure = Callable[[str], list[float]]

DONE = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
_KEPT = 10
_ERROR_PAUSE = 10.0
_NO_DATA = "metric result is nil or empty: no data returned from the metric provider"
_SEVERITY = ("Successful", "Inconclusive", "Error", "Failed")
_ARGUMENT = re.compile(r"\{\{\s*args\.([\w-]+)\s*\}\}")


class AnalysisController:
    """Runs every AnalysisRun of one cluster."""

    def __init__(self, store: ObjectStore, clock: Clock, agenda: Agenda, measure: Measure) -> None:
        self._store = store
        self._clock = clock
        self._agenda = agenda
        self._measure = measure

    def create(
        self, rollout: KubeObject, replica_set: KubeObject, analysis: Mapping[str, Any], kind: str, suffix: str
    ) -> KubeObject:
        """Start an AnalysisRun for a revision; a number is added where the name is taken."""
        metadata = rollout["metadata"]
        revision, pod_hash = revision_of(replica_set), hash_of(replica_set)
        base = f"{metadata['name']}-{pod_hash}-{revision}{suffix}"
        name, number = base, 0
        while self._store.get("AnalysisRun", metadata["namespace"], name) is not None:
            number += 1
            name = f"{base}.{number}"
        labels = {**rollout["spec"]["selector"]["matchLabels"], "rollout-type": kind, HASH: pod_hash}
        if kind == "Step":
            labels["step-index"] = suffix.removeprefix("-")
        arguments = self._arguments(rollout, replica_set, analysis)
        run = {
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {REVISION: str(revision)},
                "ownerReferences": [owner(rollout)],
            },
            "spec": {"args": arguments, **self._metrics(metadata["namespace"], analysis)},
            "status": {"phase": "", "runSummary": {}},
        }
        created = self._store.create("AnalysisRun", run)
        self._agenda.after(0.05, lambda: self._begin(metadata["namespace"], name))
        return created

    def terminate(self, run: KubeObject) -> None:
        """End a run early; it counts as successful unless it already is worse."""
        if (run.get("status") or {}).get("phase") not in DONE and not run["spec"].get("terminate"):
            self._store.write("AnalysisRun", {**run, "spec": {**run["spec"], "terminate": True}})
            namespace, name = run["metadata"]["namespace"], run["metadata"]["name"]
            self._agenda.after(0.05, lambda: self._finish(namespace, name, "Successful", "Run Terminated"))

    def _arguments(
        self, rollout: KubeObject, replica_set: KubeObject, analysis: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for one in analysis.get("args") or ():
            source = (one.get("valueFrom") or {}).get("podTemplateHashValue")
            value = one.get("value", "")
            if source == "Latest":
                value = hash_of(replica_set)
            elif source == "Stable":
                value = (rollout.get("status") or {}).get("stableRS", "")
            found.append({"name": one["name"], "value": value})
        return found

    def _metrics(self, namespace: str, analysis: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics of every template the analysis names, and which of them are only dry runs."""
        metrics: list[Any] = []
        dry = [one["metricName"] for one in analysis.get("dryRun") or ()]
        for reference in analysis.get("templates") or ():
            kind, place = "AnalysisTemplate", namespace
            if reference.get("clusterScope"):
                kind, place = "ClusterAnalysisTemplate", ""
            template = self._store.get(kind, place, reference["templateName"])
            if template is not None:
                metrics += template["spec"].get("metrics") or []
                dry += [one["metricName"] for one in template["spec"].get("dryRun") or ()]
        return {"metrics": metrics, "dryRun": [{"metricName": name} for name in dry]} if dry else {"metrics": metrics}

    def _begin(self, namespace: str, name: str) -> None:
        run = self._store.get("AnalysisRun", namespace, name)
        if run is None or (run.get("status") or {}).get("phase") in DONE:
            return
        metrics = run["spec"]["metrics"]
        status = {"phase": "Running", "startedAt": self._clock.stamp(), "runSummary": {"count": len(metrics)}}
        self._store.write("AnalysisRun", {**run, "status": status})
        for metric in metrics:
            delay = seconds(str(metric.get("initialDelay", ""))) or 0.0
            self._agenda.after(delay, functools.partial(self._measured, namespace, name, metric))
        if not metrics:
            self._finish(namespace, name, "Successful", "")

    def _measured(self, namespace: str, name: str, metric: Mapping[str, Any]) -> None:
        """One measurement of one metric, and when the next one comes."""
        run = self._store.get("AnalysisRun", namespace, name)
        if run is None or run["status"].get("phase") != "Running":
            return
        known = run["status"].get("metricResults") or ()
        before: dict[str, Any] = next((one for one in known if one["name"] == metric["name"]), {})
        dry = metric["name"] in {one["metricName"] for one in run["spec"].get("dryRun") or ()}
        result = self._judged(metric, dict(before), self._measurement(run, metric), dry=dry)
        others = [one for one in known if one["name"] != metric["name"]]
        order = [one["name"] for one in run["spec"]["metrics"]]
        results = sorted([*others, result], key=lambda one: order.index(one["name"]))
        self._store.write("AnalysisRun", {**run, "status": {**run["status"], "metricResults": results}})
        if result["phase"] not in DONE:
            failed = result["measurements"][-1]["phase"] == "Error"
            pause = seconds(str(metric.get("interval", ""))) or _ERROR_PAUSE
            self._agenda.after(_ERROR_PAUSE if failed else pause, lambda: self._measured(namespace, name, metric))
        self._conclude(namespace, name)

    def _measurement(self, run: KubeObject, metric: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {one["name"]: str(one.get("value", "")) for one in run["spec"].get("args") or ()}
        query = _ARGUMENT.sub(
            lambda match: arguments.get(match[1], match[0]),
            str(((metric.get("provider") or {}).get("prometheus") or {}).get("query", "")),
        )
        stamp = self._clock.stamp()
        entry: dict[str, Any] = {
            "startedAt": stamp,
            "finishedAt": stamp,
            "metadata": {"ResolvedPrometheusQuery": query},
        }
        values = self._measure(query)
        try:
            phase = _phase_of(metric, values)
            text = "[" + ",".join(f"{value:g}" for value in values) + "]"
            return entry | {"phase": phase, "value": text}
        except ConditionError as error:
            name = "successCondition" if metric.get("successCondition") else "failureCondition"
            told = f'could not evaluate {name} "{metric.get(name)}": {_NO_DATA}'
            return entry | {"phase": "Error", "message": str(error) if values else told}

    @staticmethod
    def _judged(
        metric: Mapping[str, Any], result: dict[str, Any], measurement: dict[str, Any], *, dry: bool
    ) -> dict[str, Any]:
        """A metric's result with one more measurement, and its verdict."""
        word = measurement["phase"].lower()
        result = {"name": metric["name"], "phase": "Running", **result}
        result[word] = result.get(word, 0) + 1
        if word != "error":
            result["count"] = result.get("count", 0) + 1
            result.pop("consecutiveError", None)
        else:
            result["consecutiveError"] = result.get("consecutiveError", 0) + 1
        result["measurements"] = [*(result.get("measurements") or ()), measurement][-_KEPT:]
        if dry:
            result["dryRun"] = True
        phase, message = _verdict(metric, result)
        result["phase"] = phase
        if message:
            result["message"] = message
        return result

    def _conclude(self, namespace: str, name: str) -> None:
        """End the run as soon as a metric failed, or when all are done."""
        run = self._store.get("AnalysisRun", namespace, name)
        if run is None:
            return
        results = [one for one in run["status"].get("metricResults") or () if not one.get("dryRun")]
        bad = next((one for one in results if one["phase"] in {"Failed", "Error", "Inconclusive"}), None)
        if bad is not None:
            word = bad["phase"]
            self._finish(namespace, name, word, f'Metric "{bad["name"]}" assessed {word} due to {bad["message"]}')
            return
        all_results: Sequence[Any] = run["status"].get("metricResults") or ()
        endless = [one["name"] for one in run["spec"]["metrics"] if one.get("interval") and not one.get("count")]
        done = {one["name"] for one in all_results if one["phase"] in DONE}
        if done == {one["name"] for one in run["spec"]["metrics"]} and not endless:
            self._finish(namespace, name, "Successful", "")

    def _finish(self, namespace: str, name: str, phase: str, message: str) -> None:
        run = self._store.get("AnalysisRun", namespace, name)
        if run is None or run["status"].get("phase") in DONE:
            return
        ended = [
            one if one["phase"] in DONE else {**one, "phase": "Successful"}
            for one in run["status"].get("metricResults") or ()
        ]
        counts = {word.lower(): sum(one["phase"] == word for one in ended) for word in _SEVERITY}
        summary = {"count": len(run["spec"]["metrics"])} | {word: number for word, number in counts.items() if number}
        status = {**run["status"], "phase": phase, "completedAt": self._clock.stamp(), "runSummary": summary}
        if ended:
            status["metricResults"] = ended
        if message:
            status["message"] = message
        self._store.write("AnalysisRun", {**run, "status": status})


def _phase_of(metric: Mapping[str, Any], values: Sequence[float]) -> str:
    """What one measurement says: failure is asked first, neither is inconclusive."""
    success, failure = metric.get("successCondition"), metric.get("failureCondition")
    failed = bool(failure) and holds(str(failure), values)
    succeeded = bool(success) and holds(str(success), values)
    if failed or (success and not failure and not succeeded):
        return "Failed"
    return "Inconclusive" if success and failure and not succeeded else "Successful"


def _verdict(metric: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[str, str]:
    for word, field, limit, default in (
        ("Failed", "failed", "failureLimit", 0),
        ("Inconclusive", "inconclusive", "inconclusiveLimit", 0),
        ("Error", "consecutiveError", "consecutiveErrorLimit", 4),
    ):
        allowed, found = int(metric.get(limit, default)), int(result.get(field, 0))
        if 0 <= allowed < found:
            reason = f"{'consecutiveErrors' if word == 'Error' else field} ({found}) > {limit} ({allowed})"
            spoken = result["measurements"][-1].get("message")
            return word, f'{reason}: "Error Message: {spoken}"' if spoken else reason
    count = int(metric.get("count", 0)) or (0 if metric.get("interval") else 1)
    return ("Successful", "") if count and int(result.get("count", 0)) >= count else ("Running", "")
