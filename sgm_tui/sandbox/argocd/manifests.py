"""Render the desired objects of an Application at a commit, cached by the files they depend on.

A commit affects an Application only if its chart or one of its values files changed. The fingerprint of those files
tells without rendering, so a commit is cheap even with two thousand Applications.
"""

from __future__ import annotations

import bisect
import fnmatch
import hashlib
import itertools
import posixpath
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sgm_tui.sandbox.argocd.project import sources_of
from sgm_tui.sandbox.helm.render import RenderError, render
from sgm_tui.sandbox.kubernetes.kinds import BY_KIND
from sgm_tui.sandbox.kubernetes.objects import KubeObject
from sgm_tui.yaml_reader.nodes import YamlError, load_all

TRACKING = "argocd.argoproj.io/tracking-id"
_REMEMBERED = 512
_CHART = "Chart.yaml"


class Repository(Protocol):
    """The reads of the bare repository; commits never change, so answers can be cached."""

    def head(self, branch: str = "main") -> str:
        """Return the commit a branch points to."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        ...

    def blobs(self, commit: str) -> Mapping[str, str]:
        """Return path → blob id of every file of a commit, in path order; {} if there is no such commit."""
        ...


class ManifestError(Exception):
    """Sources that do not render; the text is that of Argo CD's repo server."""


class Manifests:
    """Renders the Applications of one hub."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._rendered: OrderedDict[object, list[KubeObject]] = OrderedDict()
        self._folders: dict[tuple[str, str], str] = {}
        self._paths: tuple[str, list[str]] = ("", [])

    def resolve(self, spec: Mapping[str, Any], head: str) -> str:
        """Return the target commit of an Application: the one it names, else `head`."""
        revision = next(
            (one.get("targetRevision") or "HEAD" for one in sources_of(spec) if not one.get("chart")), "HEAD"
        )
        return revision if len(revision) == 40 else head

    def fingerprint(self, spec: Mapping[str, Any], commit: str) -> object:
        """Return a value that is equal for two commits if the Application renders to the same objects at both."""
        blobs = self._repository.blobs(commit)
        parts: list[object] = [spec["destination"].get("namespace", "")]
        for source in sources_of(spec):
            helm = source.get("helm") or {}
            parts += [repr(source), self._folder(commit, source["path"])] if source.get("path") else [repr(source)]
            parts += [blobs.get(path, "") for path in _value_files(source, helm)]
        return tuple(parts)

    def source_type(self, spec: Mapping[str, Any], commit: str) -> str:
        """Return Helm if the folder contains a chart, else Directory."""
        source = sources_of(spec)[0]
        path = posixpath.join(source.get("path", ""), _CHART)
        return "Helm" if source.get("chart") or path in self._repository.blobs(commit) else "Directory"

    def of(self, application: KubeObject, commit: str) -> list[KubeObject]:
        """Return the objects of an Application with its tracking annotation.

        Raises:
            ManifestError: values do not render, a file does not parse, or a folder is missing.
        """
        name, spec = application["metadata"]["name"], application["spec"]
        if not self._repository.blobs(commit):
            raise ManifestError(_no_such_commit(commit))
        key = (name, self.fingerprint(spec, commit))
        manifests = self._rendered.get(key)
        if manifests is None:
            sources = sources_of(spec)
            manifests = [
                tracked(obj, name, spec["destination"].get("namespace", ""))
                for number, source in enumerate(sources, 1)
                for obj in self._objects(spec, source, commit, f"source {number} of {len(sources)}")
            ]
            self._rendered[key] = manifests
            if len(self._rendered) > _REMEMBERED:
                self._rendered.popitem(last=False)
        else:
            self._rendered.move_to_end(key)
        return manifests

    def forget(self) -> None:
        """Clear the cache, for a hard refresh."""
        self._rendered.clear()

    def _objects(self, spec: Mapping[str, Any], source: Mapping[str, Any], commit: str, which: str) -> list[KubeObject]:
        if source.get("chart") or not source.get("path"):
            return []  # a chart of another repository, or only values for another source
        blobs = self._repository.blobs(commit)
        path = source["path"].strip("/")
        if posixpath.join(path, _CHART) in blobs:
            # A chart without templates only wraps a chart of another repository, which cannot be rendered here.
            own = self._inside(commit, f"{path}/templates/")
            return self._helm(spec, source, commit, which) if own else []
        if not self._inside(commit, f"{path}/"):
            raise ManifestError(_describe_failure(which, f"{path}: app path does not exist"))
        return self._directory(source, path, commit, which)

    def _helm(self, spec: Mapping[str, Any], source: Mapping[str, Any], commit: str, which: str) -> list[KubeObject]:
        helm = source.get("helm") or {}
        namespace = spec["destination"].get("namespace", "")
        files = _value_files(source, helm)
        release = helm.get("releaseName", "")
        try:
            value_files = helm.get("valueFiles") or ()
            return render(
                lambda path: self._repository.read(commit, path), source["path"], release, namespace, value_files
            )
        except RenderError as error:
            values = " ".join(f"--values <path to cached source>/{path}" for path in files)
            command = (
                f"`helm template . --name-template {release} --namespace {namespace} --kube-version 1.33 {values} "
                "<api versions removed> --include-crds`"
            )
            reason = f"failed to execute helm template command: failed running helm: {command} failed exit status 1: "
            text = f"{reason}{error}\n\nUse --debug flag to render out invalid YAML"
            raise ManifestError(_describe_failure(which, text)) from error

    def _directory(self, source: Mapping[str, Any], folder: str, commit: str, which: str) -> list[KubeObject]:
        options = source.get("directory") or {}
        objects: list[KubeObject] = []
        for path in self._inside(commit, f"{folder}/"):
            inside = path.removeprefix(f"{folder}/")
            if not path.endswith((".yaml", ".yml", ".json")):
                continue
            if ("/" in inside and not options.get("recurse")) or not _included(inside, options):
                continue
            try:
                documents = load_all(self._repository.read(commit, path) or b"")
            except YamlError as error:
                text = f'Failed to unmarshal "{posixpath.basename(path)}": {error}'
                raise ManifestError(_describe_failure(which, text)) from error
            objects += [one for one in documents if isinstance(one, dict) and one.get("kind") and one.get("metadata")]
        return objects

    def _inside(self, commit: str, prefix: str) -> list[str]:
        """Return the files below a folder; in the sorted list they are adjacent."""
        if self._paths[0] != commit:
            self._paths = (commit, sorted(self._repository.blobs(commit)))
        paths = self._paths[1]
        start = bisect.bisect_left(paths, prefix)
        return list(itertools.takewhile(lambda path: path.startswith(prefix), itertools.islice(paths, start, None)))

    def _folder(self, commit: str, path: str) -> str:
        key = (commit, path)
        if key not in self._folders:
            blobs = self._repository.blobs(commit)
            inside = "\n".join(f"{name}:{blobs[name]}" for name in self._inside(commit, path.strip("/") + "/"))
            self._folders[key] = hashlib.sha256(inside.encode()).hexdigest()
        return self._folders[key]


def _describe_failure(which: str, reason: str) -> str:
    cause = f"rpc error: code = Unknown desc = {reason}"
    return f"Failed to load target state: failed to generate manifest for {which}: {cause}"


def _value_files(source: Mapping[str, Any], helm: Mapping[str, Any]) -> list[str]:
    """Return the values files as paths from the root; a leading `/` is the root, anything else the chart."""
    files: Sequence[str] = helm.get("valueFiles") or ()
    base = source.get("path", "")
    return [one.lstrip("/") if one.startswith("/") else posixpath.normpath(posixpath.join(base, one)) for one in files]


def _included(path: str, options: Mapping[str, Any]) -> bool:
    include, exclude = options.get("include", ""), options.get("exclude", "")
    return (not include or _any_glob(include, path)) and not (exclude and _any_glob(exclude, path))


def _any_glob(pattern: str, path: str) -> bool:
    choices = pattern[1:-1].split(",") if pattern.startswith("{") and pattern.endswith("}") else [pattern]
    return any(fnmatch.fnmatchcase(path, choice.strip()) for choice in choices)


def tracked(obj: KubeObject, application: str, namespace: str) -> KubeObject:
    """Return an object as Argo CD applies it: with its namespace and the tracking annotation."""
    kind = obj["kind"]
    group, slash, _ = str(obj.get("apiVersion", "v1")).partition("/")
    metadata = dict(obj["metadata"])
    resource = BY_KIND.get(kind)
    if resource is None or resource.namespaced:
        metadata.setdefault("namespace", namespace)
    where = metadata.get("namespace", "")
    tracking = f"{application}:{group if slash else ''}/{kind}:{where}/{metadata['name']}"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), TRACKING: tracking}
    return {**obj, "metadata": metadata}


def _no_such_commit(revision: str) -> str:
    fetch = f"`git fetch origin {revision} --tags --force --prune` failed exit status 128"
    refused = (
        f"fatal: git upload-pack: not our ref {revision}\nfatal: remote error: upload-pack: not our ref {revision}"
    )
    return (
        "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown "
        "desc = failed to initialize repository resources: rpc error: code = Internal "
        f"desc = Failed to checkout revision {revision}: {fetch}: {refused}"
    )
