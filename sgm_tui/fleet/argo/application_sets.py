"""What Applications an ApplicationSet makes: its generators' parameters, each put into its template.

Generators: clusters, git (directories, files), list, matrix, merge. Everything else asks the world outside the
repository and is reported as not understood rather than guessed. The rules are Argo CD's (ApplicationSet controller);
where the controller would stop at the first mistake, this goes on, so that one look finds them all.
"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.go_template import TemplateError, normalized, render_go, render_plain
from sgm_tui.fleet.argo.go_values import NO_VALUE, UnsupportedError
from sgm_tui.fleet.argo.objects import IN_CLUSTER, Application, ApplicationSet, Cluster, MalformedError, application
from sgm_tui.yaml_reader.marked import Marked, Place, documents, place_of
from sgm_tui.yaml_reader.nodes import YamlError

Parameters = dict[str, Any]
_ELSEWHERE = ("scmProvider", "pullRequest", "plugin", "clusterDecisionResource")
_BESIDE = ("selector", "template")


@dataclass(frozen=True, slots=True)
class Ground:
    """What generators may look at."""

    clusters: Sequence[Cluster]
    """Declared ones; none at all means that they are declared elsewhere."""
    paths: Sequence[str]
    """Every file of the repository."""
    read: Callable[[str], bytes | None]
    ours: Callable[[str], bool]
    """Whether a repository URL means this repository."""
    current: Callable[[str], bool] = lambda _revision: True
    """Whether a revision of this repository means these files."""

    def directories(self) -> list[str]:
        """Every directory that holds something."""
        folders: set[str] = set()
        for path in self.paths:
            parent = posixpath.dirname(path)
            while parent and parent not in folders:
                folders.add(parent)
                parent = posixpath.dirname(parent)
        return sorted(folders)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a set from making what it should."""

    kind: Literal["generator", "template", "empty", "malformed"]
    message: str
    place: Place
    subject: str = ""
    """For which parameters: a cluster's or a directory's name."""
    generator: str = ""
    """Of an empty one: its kind."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The Applications of one set, and what stood in the way."""

    applications: tuple[Application, ...]
    problems: tuple[Problem, ...] = ()
    unsupported: tuple[str, ...] = ()
    """What was not understood: then the Applications are not all there are."""


class _GeneratorError(Exception):
    """A generator that cannot yield anything."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


def expand(application_set: ApplicationSet, ground: Ground) -> Expansion:
    """The Applications a set makes on this ground."""
    return _Expander(application_set, ground).run()


def flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as dotted keys, which is what selectors and plain templates see."""
    values: dict[str, str] = {}
    for key, value in parameters.items():
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inner, Mapping):
            values |= flat({str(name): item for name, item in inner.items()}, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = _text(value)
    return values


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class _Expander:
    """One expansion of one set."""

    def __init__(self, application_set: ApplicationSet, ground: Ground) -> None:
        self._set = application_set
        self._ground = ground
        self._go = application_set.go_template
        self._strict = "missingkey=error" in application_set.options
        self._directories: list[str] | None = None
        self._problems: list[Problem] = []
        self._unsupported: list[str] = []
        self._overriding = False
        """Inside a generator that only overrides another's parameters: finding nothing is ordinary there."""

    def run(self) -> Expansion:
        spec = self._set.spec
        if not spec.get("template"):
            self._problems.append(Problem("malformed", "spec.template is missing", self._set.place))
            return self._expansion([])
        if spec.get("templatePatch"):
            self._unsupported.append("templatePatch")
            return self._expansion([])
        generators = spec.get("generators") or []
        if not generators:
            self._problems.append(Problem("malformed", "spec.generators is missing", self._set.place))
        parameters = [one for generator in generators for one in self._top(generator)]
        return self._expansion([made for one in parameters if (made := self._application(one)) is not None])

    def _expansion(self, applications: Sequence[Application]) -> Expansion:
        return Expansion(tuple(applications), tuple(self._problems), tuple(self._unsupported))

    def _top(self, generator: Mapping[str, Any]) -> list[Parameters]:
        try:
            return self._parameters(generator)
        except _GeneratorError as error:
            self._problems.append(Problem("generator", error.message, error.place))
        except UnsupportedError as error:
            self._unsupported.append(str(error))
        return []

    def _application(self, parameters: Parameters) -> Application | None:
        try:
            data = self._rendered(self._mapping(self._set.spec["template"]), parameters, finished=True)
            return application(data, self._set.place.path, origin=self._set)
        except _GeneratorError as error:
            self._problems.append(Problem("template", error.message, error.place, _subject(parameters)))
        except MalformedError as error:
            self._problems.append(Problem("malformed", error.message, error.place, _subject(parameters)))
        except UnsupportedError as error:
            self._unsupported.append(str(error))
        return None

    def _place(self, value: object) -> Place:
        return place_of(value, self._set.place.path, self._set.spec)

    def _rendered(self, value: Any, parameters: Parameters, *, finished: bool = False) -> Any:
        """Every string of a value, keys too; `finished`: nothing may be left to fill in afterwards."""
        if isinstance(value, Mapping):
            return {
                self._string(key, parameters, finished=finished): self._rendered(item, parameters, finished=finished)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._rendered(item, parameters, finished=finished) for item in value]
        return self._string(value, parameters, finished=finished) if isinstance(value, str) else value

    def _string(self, text: str, parameters: Parameters, *, finished: bool) -> str:
        if "{{" not in text:
            return text
        try:
            rendered = render_go(text, parameters, strict=self._strict) if self._go else render_plain(text, parameters)
        except TemplateError as error:
            raise _GeneratorError(f"{text}: {error}", self._place(text)) from error
        if finished and self._go and NO_VALUE in rendered:
            raise _GeneratorError(f"{text}: becomes {rendered}", self._place(text))
        if finished and not self._go and "{{" in rendered:
            raise _GeneratorError(f"{text}: stays as it is written, for there is no such parameter", self._place(text))
        return Marked(rendered, text.line, text.column) if isinstance(text, Marked) else rendered

    def _parameters(self, generator: Mapping[str, Any], around: Parameters | None = None) -> list[Parameters]:
        kinds = [key for key in generator if key not in _BESIDE]
        if len(kinds) != 1:
            raise _GeneratorError("a generator has to be of exactly one kind", self._place(generator))
        kind = kinds[0]
        if kind in _ELSEWHERE:
            raise UnsupportedError(f"the generator {kind}")
        if "template" in generator:
            raise UnsupportedError("a template of a generator's own")
        by_kind: Mapping[str, Callable[[Mapping[str, Any], Parameters], list[Parameters]]] = {
            "clusters": self._clusters,
            "git": self._git,
            "list": self._list,
            "matrix": self._matrix,
            "merge": self._merge,
        }
        if kind not in by_kind:
            nearest = difflib.get_close_matches(kind, by_kind, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise _GeneratorError(f"there is no generator {kind}{hint}", self._place(kind))
        parameters = by_kind[kind](self._mapping(generator[kind]), around or {})
        if selector := generator.get("selector"):
            parameters = [one for one in parameters if self._selected(selector, flat(one))]
        return parameters

    def _empty(self, generator: str, message: str, value: object, around: Parameters) -> None:
        if not self._overriding:
            self._problems.append(Problem("empty", message, self._place(value), _subject(around), generator))

    def _with_values(self, spec: Mapping[str, Any], parameters: Parameters) -> Parameters:
        values = self._rendered(self._mapping(spec.get("values")), parameters)
        if not values:
            return parameters
        return {**parameters, **({"values": values} if self._go else flat({"values": values}))}

    # clusters

    def _clusters(self, spec: Mapping[str, Any], around: Parameters) -> list[Parameters]:
        if not self._ground.clusters:
            raise UnsupportedError("no cluster is declared in this repository")
        selector = spec.get("selector") or {}
        chosen = [one for one in self._ground.clusters if self._selected(selector, one.labels)]
        if not selector and all(one.name != IN_CLUSTER[0] for one in chosen):
            chosen.append(Cluster(*IN_CLUSTER, {}, {}, self._set.place))
        if not chosen:
            count = len(self._ground.clusters)
            self._empty("clusters", f"the selector fits none of the {count} declared clusters", selector, around)
        parameters = [self._with_values(spec, self._of_cluster(one)) for one in chosen]
        return [{"clusters": parameters}] if spec.get("flatList") is True else parameters

    def _of_cluster(self, cluster: Cluster) -> Parameters:
        metadata = {
            name: dict(entries)
            for name, entries in (("labels", cluster.labels), ("annotations", cluster.annotations))
            if entries
        }
        facts: Parameters = {"name": cluster.name, "nameNormalized": normalized(cluster.name)}
        facts |= {"server": cluster.server, "project": cluster.project}
        whole = {**facts, "metadata": metadata} if metadata else facts
        return whole if self._go else dict(flat(whole))

    def _selected(self, selector: Any, labels: Mapping[str, str]) -> bool:
        required = self._mapping(self._mapping(selector).get("matchLabels"))
        if any(labels.get(str(key)) != _text(value) for key, value in required.items()):
            return False
        expressions = self._mappings(selector.get("matchExpressions"))
        return all(self._fits(one, labels) for one in expressions)

    def _fits(self, expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
        value, operator = labels.get(str(expression.get("key"))), expression.get("operator")
        listed = expression.get("values")
        values = [_text(one) for one in listed] if isinstance(listed, list) else []
        if operator in {"In", "NotIn"}:
            return bool((value in values) == (operator == "In"))
        if operator in {"Exists", "DoesNotExist"}:
            return bool((value is not None) == (operator == "Exists"))
        message = f'"{_text(operator)}" is no operator of a selector: In, NotIn, Exists, DoesNotExist'
        raise _GeneratorError(message, self._place(operator or expression))

    def _mapping(self, value: Any) -> Mapping[str, Any]:
        if value is not None and not isinstance(value, Mapping):
            raise _GeneratorError("a mapping is expected here", self._place(value))
        return value or {}

    def _mappings(self, value: Any) -> list[Mapping[str, Any]]:
        if value is not None and (not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value)):
            raise _GeneratorError("a list of mappings is expected here", self._place(value))
        return value or []

    # git

    def _git(self, spec: Mapping[str, Any], around: Parameters) -> list[Parameters]:
        if not self._ground.ours(_text(spec.get("repoURL"))):
            raise UnsupportedError(f"the generator git on another repository ({_text(spec.get('repoURL'))})")
        if not self._ground.current(_text(spec.get("revision"))):
            raise UnsupportedError(f"the generator git at another revision ({_text(spec.get('revision'))})")
        requests = self._mappings(spec.get("directories") or spec.get("files"))
        if not requests or not all(isinstance(one.get("path"), str) for one in requests):
            raise _GeneratorError("git needs directories or files, each with a path", self._place(spec))
        if spec.get("directories"):
            if self._directories is None:
                self._directories = [one for one in self._ground.directories() if "/." not in f"/{one}"]
            paths = _chosen(requests, self._directories, deep=False)
            parameters = [self._of_path(spec, path, "") for path in paths]
        else:
            paths = _chosen(requests, self._ground.paths, deep=True)
            parameters = [one for path in paths for one in self._of_file(spec, path)]
        if not paths:
            what = "directory" if spec.get("directories") else "file"
            written = [one["path"] for one in requests if not one.get("exclude")]
            self._empty("git", f"no {what} matches {', '.join(written)}", written, around)
        return [self._with_values(spec, one) for one in parameters]

    def _of_file(self, spec: Mapping[str, Any], path: str) -> list[Parameters]:
        try:
            contents = documents((self._ground.read(path) or b"").decode())
        except (YamlError, UnicodeDecodeError) as error:
            raise _GeneratorError(f"unable to parse file {path}: {error}", self._place(spec)) from error
        content = contents[0] if contents else {}
        sets = content if isinstance(content, list) else [content]
        if not all(isinstance(one, Mapping) for one in sets):
            raise _GeneratorError(f"{path} holds no mapping and no list of mappings", self._place(spec))
        directory, name = posixpath.split(path)
        own = [dict(one) if self._go else dict(flat(one)) for one in sets]
        return [{**one, **self._of_path(spec, directory, name)} for one in own]

    def _of_path(self, spec: Mapping[str, Any], directory: str, file: str) -> Parameters:
        base = posixpath.basename(directory)
        segments = directory.split("/")
        facts: Parameters = {"basename": base, "basenameNormalized": normalized(base)}
        if file:
            facts |= {"filename": file, "filenameNormalized": normalized(file)}
        prefix = _text(spec.get("pathParamPrefix"))
        if self._go:
            path = {"path": {"path": directory, **facts, "segments": segments}}
            return {prefix: path} if prefix else path
        dotted = {"path": directory, **{f"path.{key}": value for key, value in facts.items()}}
        dotted |= {f"path[{number}]": segment for number, segment in enumerate(segments)}
        return {f"{prefix}.{key}": value for key, value in dotted.items()} if prefix else dotted

    # list, matrix, merge

    def _list(self, spec: Mapping[str, Any], around: Parameters) -> list[Parameters]:
        if "elementsYaml" in spec:
            raise UnsupportedError("elementsYaml of the generator list")
        elements = self._mappings(spec.get("elements"))
        if not elements:
            self._empty("list", "the list has no elements", spec, around)
        return [dict(one) if self._go else dict(flat(one)) for one in elements]

    def _matrix(self, spec: Mapping[str, Any], around: Parameters) -> list[Parameters]:
        children = self._mappings(spec.get("generators"))
        if len(children) != 2:
            raise _GeneratorError(f"matrix takes two generators, not {len(children)}", self._place(spec))
        combined: list[Parameters] = []
        for first in self._parameters(children[0], around):
            second = self._rendered(children[1], first)
            combined += [self._united(first, one, spec) for one in self._parameters(second, {**around, **first})]
        return combined

    def _united(self, first: Parameters, second: Parameters, spec: Mapping[str, Any]) -> Parameters:
        if self._go:
            return _over(first, second)
        clash = [key for key in first.keys() & second.keys() if first[key] != second[key]]
        if clash:
            raise _GeneratorError(f"both generators of the matrix set {min(clash)}", self._place(spec))
        return first | second

    def _merge(self, spec: Mapping[str, Any], around: Parameters) -> list[Parameters]:
        children, names = self._mappings(spec.get("generators")), spec.get("mergeKeys")
        keys = [_text(parameter) for parameter in names] if isinstance(names, list) else []
        if len(children) < 2 or not keys:
            raise _GeneratorError("merge takes two or more generators and mergeKeys", self._place(spec))
        base: dict[tuple[str, ...], Parameters] = {}
        outside = self._overriding
        for number, child in enumerate(children):
            own: set[tuple[str, ...]] = set()
            self._overriding = outside or number > 0
            parameters = self._parameters(child, around)
            self._overriding = outside
            for parameter in parameters:
                dotted = flat(parameter)
                key = tuple(dotted.get(name, "") for name in keys)
                if key in own:
                    raise _GeneratorError(f"{' '.join(key)} is there twice by mergeKeys", self._place(child))
                own.add(key)
                if number == 0:
                    base[key] = parameter
                elif key in base:
                    base[key] = _over(parameter, base[key])
        return list(base.values())


def _subject(parameters: Parameters) -> str:
    """What people call one set of parameters."""
    path = parameters.get("path")
    directory = path.get("path") if isinstance(path, Mapping) else path
    return " ".join(str(one) for one in (parameters.get("name"), directory) if one)


def _chosen(requests: Iterable[Mapping[str, Any]], paths: Iterable[str], *, deep: bool) -> list[str]:
    """Paths that match one request and no exclusion; directories match without `**`, as Go's path.Match does."""
    included = [str(one["path"]) for one in requests if not one.get("exclude")]
    unwanted = [str(one["path"]) for one in requests if one.get("exclude")]

    def fits(pattern: str, path: str) -> bool:
        shallow = pattern if deep else pattern.replace("**", "*")
        return matches(shallow.strip("/"), path, separated=True)

    return [
        path
        for path in paths
        if any(fits(one, path) for one in included) and not any(fits(one, path) for one in unwanted)
    ]


def _over(first: Mapping[str, Any], second: Mapping[str, Any]) -> Parameters:
    """Both, mapping by mapping; the first wins."""
    merged = {**second, **first}
    for key in first.keys() & second.keys():
        if isinstance(first[key], Mapping) and isinstance(second[key], Mapping):
            merged[key] = _over(first[key], second[key])
    return merged
