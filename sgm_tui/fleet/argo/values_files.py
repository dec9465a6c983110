"""Find the values files of an Application in a repository, as Argo CD's repo server resolves them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sgm_tui.fleet.argo.objects import Application, Source

Sources = Callable[[Source], bool]
"""Return whether a source means the files that are read: their repository and, where it matters, their revision."""


def value_paths(application: Application, ours: Sources) -> Sequence[tuple[Source, str]]:
    """Return the values files of an Application in this repository, as (source, path or glob from the root).

    A leading `/` is relative to the repository of the source, `$ref/` to that of the source with this `ref`, anything
    else to the path of the source; URLs are skipped. Variables of the build environment are replaced as in Argo CD's
    repo server (`newEnv`); a file whose name contains another variable is skipped.
    """
    refs = {source.ref: source for source in application.sources if source.ref}
    paths: list[tuple[Source, str]] = []
    for source in application.sources:
        for written in source.value_files:
            home, path = source, written
            name, _, below = written[1:].partition("/")
            if written.startswith("$") and name in refs:
                home, path = refs[name], f"/{below}"
            path = _replace_variables(path, application, source)
            if "$" in path or "://" in path or not ours(home) or (home is source and source.chart):
                continue
            paths.append((source, _join("" if path.startswith("/") else source.path, path)))
    return paths


def _replace_variables(path: str, application: Application, source: Source) -> str:
    environment = {
        "ARGOCD_APP_NAME": application.name,
        "ARGOCD_APP_NAMESPACE": application.destination_namespace,
        "ARGOCD_APP_PROJECT_NAME": application.project,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision,
    }

    def value(variable: re.Match[str]) -> str:
        return environment.get(variable[1] or variable[2], variable[0])

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, path)


def _join(base: str, path: str) -> str:
    parts: list[str] = []
    for part in f"{base}/{path}".split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return "/".join(parts)
