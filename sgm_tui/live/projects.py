"""AppProjects as the hubs have them, read on demand and never watched.

Git has the desired project; the hub has the one that Argo CD applies now.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sgm_tui.errors import SgmError
from sgm_tui.live.connection import AbsentError, ClusterConnection, ForbiddenError, decode
from sgm_tui.live.wire import Wire
from sgm_tui.untrusted_text import clean

_API = "/apis/argoproj.io/v1alpha1"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")


class _Spec(Wire, frozen=True):
    """The rules about what may be deployed from where, to where and when; roles and their tokens are not read."""

    source_repos: list[str] | None = None
    destinations: list[dict[str, Any]] | None = None
    sync_windows: list[dict[str, Any]] | None = None


class _Project(Wire, frozen=True):
    spec: _Spec = _Spec()


class _Kind(Wire, frozen=True):
    name: str = ""


class _Kinds(Wire, frozen=True):
    resources: tuple[_Kind, ...] = ()


class ProjectReader:
    """Fetches AppProjects, one request each."""

    def __init__(self, hubs: Iterable[tuple[ClusterConnection, str]]) -> None:
        """Take the connection to each hub and a namespace of its Argo CD; a hub may be there once per namespace."""
        self._hubs: defaultdict[str, list[tuple[ClusterConnection, str]]] = defaultdict(list)
        for connection, namespace in hubs:
            self._hubs[connection.context].append((connection, namespace))

    async def read(self, hub: str, name: str) -> Mapping[str, Any] | str | None:
        """Return the manifest of a project with its rules.

        None means that the hub has no project of that name; a text says why that is unknown.
        """
        if hub not in self._hubs:
            return f"{hub} is not one of argocd.hubs"
        if not _NAME.fullmatch(name):
            return f"{clean(name) or '(none)'} is no name an AppProject can have"
        answer: Mapping[str, Any] | str | None = None
        for connection, namespace in self._hubs[hub]:
            try:
                manifest = await _fetch_manifest(connection, namespace, name)
            except ForbiddenError:
                answer = answer or f"{connection.context} does not let you `get appprojects` in {namespace}"
            except SgmError as error:
                answer = answer or error.message
            else:
                if manifest is not None:
                    return manifest
        return answer


async def _fetch_manifest(connection: ClusterConnection, namespace: str, name: str) -> Mapping[str, Any] | None:
    path, deadline = f"{_API}/namespaces/{namespace}/appprojects/{name}", connection.pace.connect
    try:
        data = await connection.get(path, deadline=deadline)
    except AbsentError:
        # The same 404 means that there is no such project, and that there is no Argo CD at all.
        kinds: _Kinds = decode(await connection.get(_API, deadline=deadline), _Kinds, connection)
        if any(kind.name == "appprojects" for kind in kinds.resources):
            return None
        raise
    project: _Project = decode(data, _Project, connection)
    spec: dict[str, Any] = msgspec.to_builtins(project.spec)
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": name}, "spec": spec}
