"""Label and field selectors of lists and watches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sgm_tui.sandbox.kubernetes.revisions import KubeObject
from sgm_tui.sandbox.kubernetes.status import bad_request

Test = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z0-9_][A-Za-z0-9_./-]*)|(?P<mark>==|!=|[=!,()<>]))")

_FIELDS: dict[str, frozenset[str]] = {
    "Event": frozenset({
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "source", "type",
    }),
    "Pod": frozenset({"spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"}),
    "Namespace": frozenset({"status.phase"}),
    "Secret": frozenset({"type"}),
    "ReplicaSet": frozenset({"status.replicas"}),
}  # fmt: skip
"""Fields of a kind that can be selected beside name and namespace; custom resources have only those two."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects a request selects."""

    namespace: str | None = None
    labels: tuple[Test, ...] = ()
    fields: tuple[tuple[str, bool, str], ...] = ()

    @property
    def narrows(self) -> bool:
        """Return whether it selects by more than the namespace."""
        return bool(self.labels or self.fields)

    def matches(self, obj: KubeObject) -> bool:
        """Return whether it selects an object."""
        metadata = obj["metadata"]
        if self.namespace is not None and metadata.get("namespace") != self.namespace:
            return False
        if self.labels:
            labels = metadata.get("labels") or {}
            if not all(test(labels) for test in self.labels):
                return False
        return all((_field(obj, path) == value) is wanted for path, wanted, value in self.fields)


def selection(kind: str, namespace: str | None, query: Mapping[str, str]) -> Selection:
    """Return the selection of a query's `labelSelector` and `fieldSelector`.

    Raises:
        ApiError: 400, they cannot be read or name a field that cannot be selected by.
    """
    return Selection(
        namespace, label_tests(query.get("labelSelector", "")), field_tests(kind, query.get("fieldSelector", ""))
    )


def field_tests(kind: str, text: str) -> tuple[tuple[str, bool, str], ...]:
    """Return the (path, equal?, value) terms of a field selector."""
    tests = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        path, operator, value = match.groups()
        if path not in ("metadata.name", "metadata.namespace") and path not in _FIELDS.get(kind, ()):
            raise bad_request(f"field label not supported: {path}")
        tests.append((path, operator != "!=", value))
    return tuple(tests)


def _field(obj: KubeObject, path: str) -> str:
    if path == "source":
        path = "source.component"
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)


def label_tests(text: str) -> tuple[Test, ...]:
    """Return the terms of a label selector, each as a test of an object's labels."""
    tokens = _tokens(text)
    tests: list[Test] = []
    while tokens:
        tests.append(_requirement(tokens))
        if tokens:
            _expect(tokens, ",", "',' or 'end of string'")
            if not tokens:
                raise bad_request("found '', expected: identifier after ','")
    return tuple(tests)


def _tokens(text: str) -> list[str]:
    tokens = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: found '{text[position:]}', expected: identifier")
        tokens.append(match["word"] or match["mark"])
        position = match.end()
    return tokens


def _requirement(tokens: list[str]) -> Test:
    if tokens[0] == "!":
        tokens.pop(0)
        absent = _word(tokens, "identifier")
        return lambda labels: absent not in labels
    key = _word(tokens, "!, identifier, or 'end of string'")
    if not tokens or tokens[0] == ",":
        return lambda labels: key in labels
    operator = tokens.pop(0)
    if operator in ("=", "==", "!="):
        value = "" if not tokens or tokens[0] == "," else _word(tokens, "identifier")
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if operator in ("in", "notin"):
        values = _values(tokens)
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    raise bad_request(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _values(tokens: list[str]) -> frozenset[str | None]:
    _expect(tokens, "(", "'('")
    values: set[str | None] = set()
    while tokens and tokens[0] != ")":
        if tokens[0] == ",":
            tokens.pop(0)
            continue
        values.add(_word(tokens, "',', or identifier"))
    _expect(tokens, ")", "',', or ')'")
    return frozenset(values)


def _word(tokens: list[str], expected: str) -> str:
    token = tokens.pop(0) if tokens else ""
    if not token or not (token[0].isalnum() or token[0] == "_"):
        raise bad_request(f"found '{token}', expected: {expected}")
    return token


def _expect(tokens: list[str], mark: str, expected: str) -> None:
    token = tokens.pop(0) if tokens else ""
    if token != mark:
        raise bad_request(f"found '{token}', expected: {expected}")
