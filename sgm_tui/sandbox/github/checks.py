"""Run the checks of a pull request: changed files must parse, render, and name an existing version."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sgm_tui.sandbox.helm.render import RenderError, render
from sgm_tui.yaml_reader.nodes import YamlError, load, load_all

CHECKS = ("lint", "render", "policy")
"""The checks required on the main branch, in the order they report."""
_VALUES = re.compile(r"^(?P<stage>[^/]+)/(?:[^/]+/)?app-service/(?P<service>[^/]+)/values\.ya?ml$")
_VERSION = re.compile(r"^v?\d+\.\d+\.\d+([-+.][\w.-]+)?$|^sha256:[0-9a-f]{64}$")
_CHART = "charts/microservice"

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    conclusion: str
    """Return `success` or `failure`."""
    title: str
    summary: str


def findings(read: Read, paths: Iterable[str]) -> dict[str, Finding]:
    """Return the outcome of every check on a change of these files, read at the change's head."""
    changed = sorted(paths)
    return {
        "lint": _finding(_check_syntax(read, changed), "Every YAML file parses"),
        "render": _finding(_check_rendering(read, changed), "The chart renders with these values"),
        "policy": _finding(_check_policy(read, changed), "Versions are pinned"),
    }


def _finding(wrong: list[str], fine: str) -> Finding:
    if not wrong:
        return Finding("success", fine, fine)
    return Finding("failure", f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}", "\n".join(wrong))


def _check_syntax(read: Read, paths: Iterable[str]) -> list[str]:
    wrong: list[str] = []
    for path in paths:
        data = read(path)
        # Templates of a chart are not YAML yet.
        if data is None or not path.endswith((".yaml", ".yml")) or "/templates/" in path:
            continue
        try:
            load_all(data)
        except YamlError as error:
            wrong.append(f"{path}: line {error.line}: {error.message}")
    return wrong


def _check_rendering(read: Read, paths: Iterable[str]) -> list[str]:
    wrong: list[str] = []
    for path in paths:
        match = _VALUES.match(path)
        if match is None or read(path) is None:
            continue
        service = match["service"]
        try:
            render(read, _CHART, service, f"app-{service}", [f"/{path}"])
        except RenderError as error:
            wrong.append(f"{path}: {str(error).splitlines()[-1]}")
    return wrong


def _check_policy(read: Read, paths: Iterable[str]) -> list[str]:
    wrong: list[str] = []
    for path in paths:
        data = read(path)
        if data is None or _VALUES.match(path) is None:
            continue
        tag = _tag_in(data)
        if not _VERSION.match(tag):
            wrong.append(f'{path}: image.tag "{tag}" is not a version')
    return wrong


def _tag_in(data: bytes) -> str:
    """Return `image.tag`, in block or flow style; "" if the file has none that is a string."""
    try:
        values = load(data)
    except YamlError:
        return ""  # why it does not parse is what the check "lint" says
    image = values.get("image") if isinstance(values, dict) else None
    tag = image.get("tag") if isinstance(image, dict) else None
    return tag if isinstance(tag, str) else ""
