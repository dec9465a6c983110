"""The generators of an ApplicationSet: clusters, git, list, matrix and merge, each yielding sets of parameters."""

from __future__ import annotations

import fnmatch
import itertools
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sgm_tui.sandbox.argocd.template import fast, go, normalize
from sgm_tui.yaml_reader.nodes import YamlError, load

Parameters = dict[str, Any]
Manifest = dict[str, Any]


class GeneratorError(Exception):
    """A generator that cannot yield parameters, in the controller's words."""


@dataclass(frozen=True, slots=True)
class ArgoCluster:
    """A cluster Secret as the hub knows it, without the credentials."""

    name: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Tree(Protocol):
    """The GitOps repository at one commit."""

    def paths(self) -> Sequence[str]:
        """Every file, relative to the root, in order."""
        ...

    def read(self, path: str) -> bytes | None:
        """A file's content, None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which template language a set speaks: the parameters have another shape in each."""

    go_template: bool
    missing_is_error: bool

    def text(self, text: str, parameters: Parameters) -> str:
        """Render one string."""
        if self.go_template:
            return go(text, parameters, missing_is_error=self.missing_is_error)
        return fast(text, parameters)

    def rendered(self, value: Any, parameters: Parameters) -> Any:
        """Render every string of a value, keys of maps too."""
        if isinstance(value, str):
            return self.text(value, parameters)
        if isinstance(value, Mapping):
            return {self.text(key, parameters): self.rendered(item, parameters) for key, item in value.items()}
        if isinstance(value, list):
            return [self.rendered(item, parameters) for item in value]
        return value


@dataclass(frozen=True, slots=True)
class Generation:
    """What every generator of one expansion may look at."""

    dialect: Dialect
    clusters: Sequence[ArgoCluster]
    tree: Tree
    directories: Sequence[str]

    def parameters(self, generator: Manifest) -> list[Parameters]:
        """All parameter sets of one generator, filtered by its selector."""
        for kind, generate in _GENERATORS.items():
            if kind in generator:
                sets = generate(self, generator[kind] or {})
                selector = generator.get("selector")
                return sets if selector is None else [one for one in sets if _selected(selector, flat(one))]
        raise GeneratorError(f"unsupported generator: {', '.join(generator) or 'none'}")


def generation(dialect: Dialect, clusters: Sequence[ArgoCluster], tree: Tree) -> Generation:
    """Prepare an expansion: the directories are found once for all generators."""
    directories: dict[str, None] = {}
    for path in tree.paths():
        parent = posixpath.dirname(path)
        while parent and parent not in directories:
            directories[parent] = None
            parent = posixpath.dirname(parent)
    return Generation(dialect, clusters, tree, sorted(directories))


def flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as dotted keys, which is what selectors and fasttemplate see."""
    out: dict[str, str] = {}
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            out |= flat(value, f"{name}.")
        elif isinstance(value, list):
            out |= flat({str(number): item for number, item in enumerate(value)}, f"{name}.")
        else:
            out[name] = value if isinstance(value, str) else _scalar(value)
    return out


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _selected(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """A Kubernetes label selector on these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or ())


def _expression(expression: Manifest, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    operator: str = expression["operator"]
    if operator == "In":
        return value in expression["values"]
    if operator == "NotIn":
        return value not in expression["values"]
    if operator in {"Exists", "DoesNotExist"}:
        return (value is not None) == (operator == "Exists")
    raise GeneratorError(f'"{operator}" is not a valid label selector operator')


def _values(context: Generation, spec: Manifest, parameters: Parameters) -> Parameters:
    """Add the generator's own `values`, rendered with what it has found."""
    values = context.dialect.rendered(spec.get("values") or {}, parameters)
    if not values:
        return parameters
    if context.dialect.go_template:
        return {**parameters, "values": values}
    return {**parameters, **{f"values.{key}": value for key, value in values.items()}}


def _clusters(context: Generation, spec: Manifest) -> list[Parameters]:
    selector = spec.get("selector") or {}
    chosen = [one for one in context.clusters if _selected(selector, one.labels)]
    if not selector and all(one.name != "in-cluster" for one in chosen):
        # Only an empty selector takes the hub itself along; it has no Secret, so no metadata.
        chosen.append(ArgoCluster("in-cluster", "https://kubernetes.default.svc"))
    return [_values(context, spec, _of_cluster(context, one)) for one in chosen]


def _of_cluster(context: Generation, cluster: ArgoCluster) -> Parameters:
    metadata: Parameters = {}
    if cluster.labels:
        metadata["labels"] = dict(cluster.labels)
    if cluster.annotations:
        metadata["annotations"] = dict(cluster.annotations)
    facts: Parameters = {
        "name": cluster.name,
        "nameNormalized": normalize(cluster.name),
        "server": cluster.server,
        "project": "",
    }
    whole = {**facts, "metadata": metadata} if metadata else facts
    return whole if context.dialect.go_template else dict(flat(whole))


def _git(context: Generation, spec: Manifest) -> list[Parameters]:
    if spec.get("directories"):
        parameters = [_of_path(context, spec, path, {}) for path in _chosen(spec["directories"], context.directories)]
    else:
        parameters = [one for path in _chosen_files(context, spec) for one in _of_file(context, spec, path)]
    return [_values(context, spec, one) for one in parameters]


def _chosen(requests: Sequence[Manifest], paths: Sequence[str]) -> list[str]:
    """Directories that match one request; an exclusion always wins. `*` does not cross a slash."""

    def matches(path: str, *, exclude: bool) -> bool:
        return any(_glob(one["path"], path) for one in requests if bool(one.get("exclude")) == exclude)

    return [path for path in paths if matches(path, exclude=False) and not matches(path, exclude=True)]


def _glob(pattern: str, path: str) -> bool:
    mine, its = pattern.split("/"), path.split("/")
    return len(mine) == len(its) and all(map(fnmatch.fnmatchcase, its, mine))


def _deep_glob(pattern: str, path: str) -> bool:
    """The globs of `files`, where `**` stands for any number of directories."""

    def match(mine: Sequence[str], its: Sequence[str]) -> bool:
        if not mine:
            return not its
        if mine[0] == "**":
            return any(match(mine[1:], its[skip:]) for skip in range(len(its) + 1))
        return bool(its) and fnmatch.fnmatchcase(its[0], mine[0]) and match(mine[1:], its[1:])

    return match(pattern.split("/"), path.split("/"))


def _chosen_files(context: Generation, spec: Manifest) -> list[str]:
    requests = spec.get("files") or []
    included = [one["path"] for one in requests if not one.get("exclude")]
    unwanted = [one["path"] for one in requests if one.get("exclude")]
    return [
        path
        for path in context.tree.paths()
        if any(_deep_glob(one, path) for one in included) and not any(_deep_glob(one, path) for one in unwanted)
    ]


def _of_file(context: Generation, spec: Manifest, path: str) -> list[Parameters]:
    """A file holds one object or a list of them: one parameter set each."""
    try:
        content = load(context.tree.read(path) or b"")
    except YamlError as error:
        raise GeneratorError(f"unable to parse file {path}: {error}") from error
    sets = content if isinstance(content, list) else [content or {}]
    if not all(isinstance(one, dict) for one in sets):
        raise GeneratorError(f"unable to parse file {path}: it holds no object")
    return [_of_path(context, spec, posixpath.dirname(path), one, posixpath.basename(path)) for one in sets]


def _of_path(
    context: Generation, spec: Manifest, directory: str, content: Parameters, filename: str = ""
) -> Parameters:
    base = posixpath.basename(directory)
    facts: Parameters = {"path": directory, "basename": base, "basenameNormalized": normalize(base)}
    if filename:
        facts |= {"filename": filename, "filenameNormalized": normalize(filename)}
    segments = directory.split("/")
    prefix = spec.get("pathParamPrefix", "")
    if context.dialect.go_template:
        path = {"path": {**facts, "segments": segments}}
        return {**content, **({prefix: path} if prefix else path)}
    dotted = {"path": facts.pop("path"), **{f"path.{key}": value for key, value in facts.items()}}
    dotted |= {f"path[{number}]": segment for number, segment in enumerate(segments)}
    return {**flat(content), **({f"{prefix}.{key}": value for key, value in dotted.items()} if prefix else dotted)}


def _list(context: Generation, spec: Manifest) -> list[Parameters]:
    elements = spec.get("elements") or []
    if spec.get("elementsYaml"):
        try:
            elements = load(spec["elementsYaml"]) or []
        except YamlError as error:
            raise GeneratorError(f"error unmarshling decoded ElementsYaml {error}") from error
    return [dict(one) if context.dialect.go_template else dict(flat(one)) for one in elements]


def _merged(first: Parameters, second: Parameters) -> Parameters:
    """Deep union where the first wins, as goTemplate sets are combined."""
    out = {**second, **first}
    for key in first.keys() & second.keys():
        if isinstance(first[key], dict) and isinstance(second[key], dict):
            out[key] = _merged(first[key], second[key])
    return out


def _combined(context: Generation, first: Parameters, second: Parameters) -> Parameters:
    if context.dialect.go_template:
        return _merged(first, second)
    for key in first.keys() & second.keys():
        if first[key] != second[key]:
            raise GeneratorError(f"found duplicate key {key} with different value, a: {first[key]} ,b: {second[key]}")
    return first | second


def _matrix(context: Generation, spec: Manifest) -> list[Parameters]:
    children = spec.get("generators") or []
    if len(children) != 2:
        raise GeneratorError("found more or fewer than two generators, Matrix support only two")
    out: list[Parameters] = []
    for first in context.parameters(children[0]):
        # The second child may speak of what the first has found.
        second = context.dialect.rendered(children[1], first)
        out += [_combined(context, first, one) for one in context.parameters(second)]
    return out


def _merge(context: Generation, spec: Manifest) -> list[Parameters]:
    children, keys = spec.get("generators") or [], spec.get("mergeKeys") or []
    if len(children) < 2:
        raise GeneratorError("found less than two generators, Merge requires two or more")
    if not keys:
        raise GeneratorError("no merge keys were specified, Merge requires at least one")
    base, *further = (
        [(_key(first_key, keys), first_key) for first_key in context.parameters(child)] for child in children
    )
    for child in (base, *further):
        for (first_key, _), (other, _) in itertools.pairwise(sorted(child, key=lambda pair: pair[0])):
            if first_key == other:
                raise GeneratorError(
                    f"the parameters from a generator were not unique by the given mergeKeys: {first_key}"
                )
    merged = dict(base)
    for key, override in itertools.chain.from_iterable(further):
        if key in merged:
            merged[key] = _merged(override, merged[key])
    return list(merged.values())


def _key(parameters: Parameters, keys: Sequence[str]) -> tuple[str, ...]:
    dotted = flat(parameters)
    return tuple(dotted.get(key, "") for key in keys)


_GENERATORS: Mapping[str, Callable[[Generation, Manifest], list[Parameters]]] = {
    "matrix": _matrix,
    "merge": _merge,
    "clusters": _clusters,
    "git": _git,
    "list": _list,
}
