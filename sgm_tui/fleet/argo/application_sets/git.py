"""The git generator: one set of parameters for each directory or file of the repository that matches."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from sgm_tui.fleet.argo.application_sets.context import Context, GeneratorError, Spec, Surroundings
from sgm_tui.fleet.argo.application_sets.parameters import Parameters, flatten, text_of
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.go_functions import normalize
from sgm_tui.fleet.argo.go_values import UnsupportedError
from sgm_tui.yaml_reader.nodes import YamlError


def generate(context: Context, spec: Spec, around: Surroundings) -> list[Parameters]:
    """Return the parameters of the matching directories or files, in order of their paths.

    Raises:
        GeneratorError: the generator is malformed, or a matching file cannot be read.
        UnsupportedError: it reads another repository or revision.
    """
    inputs = context.inputs
    if not inputs.is_this_repository(text_of(spec.get("repoURL"))):
        raise UnsupportedError(f"the generator git on another repository ({text_of(spec.get('repoURL'))})")
    if not inputs.is_current_revision(text_of(spec.get("revision"))):
        raise UnsupportedError(f"the generator git at another revision ({text_of(spec.get('revision'))})")
    requests = context.mappings(spec.get("directories") or spec.get("files"))
    if not requests or not all(isinstance(request.get("path"), str) for request in requests):
        message = "git needs directories or files, each with a path"
        raise GeneratorError(message, context.place_of(spec), "ApplicationSet is empty")
    if spec.get("directories"):
        # Argo CD skips directories whose name starts with a dot.
        visible = [path for path in inputs.directories if "/." not in f"/{path}"]
        paths = _select_paths(requests, visible, is_deep=False)
        parameters = [_path_parameters(context, spec, path) for path in paths]
    else:
        paths = _select_paths(requests, inputs.paths, is_deep=True)
        parameters = [each for path in paths for each in _file_parameters(context, spec, path)]
    if not paths:
        entry = "directory" if spec.get("directories") else "file"
        patterns = [request["path"] for request in requests if not request.get("exclude")]
        context.report_empty("git", f"no {entry} matches {', '.join(patterns)}", patterns, around)
    return [context.add_values(spec, each) for each in parameters]


def _select_paths(requests: Sequence[Spec], paths: Iterable[str], *, is_deep: bool) -> list[str]:
    """Return the paths that match a request and no exclusion.

    Patterns of directories have no `**`, as Go's path.Match has none.
    """

    def fits(request: Spec, path: str) -> bool:
        pattern = str(request["path"])
        return matches((pattern if is_deep else pattern.replace("**", "*")).strip("/"), path, separated=True)

    included = [request for request in requests if not request.get("exclude")]
    excluded = [request for request in requests if request.get("exclude")]
    return [
        path
        for path in paths
        if any(fits(request, path) for request in included) and not any(fits(request, path) for request in excluded)
    ]


def _file_parameters(context: Context, spec: Spec, path: str) -> list[Parameters]:
    """Return one set of parameters for each object of a file: it contains one, or a list of them."""
    try:
        contents = context.inputs.parse((context.inputs.read(path) or b"").decode())
    except (YamlError, UnicodeDecodeError) as error:
        raise GeneratorError(f"unable to parse file {path}: {error}", context.place_of(spec)) from error
    content = contents[0] if contents else {}
    objects = content if isinstance(content, list) else [content]
    if not all(isinstance(each, dict) for each in objects):
        raise GeneratorError(
            f"{path} holds no mapping and no list of mappings",
            context.place_of(spec),
            f"unable to parse file {path}: it holds no object",
        )
    directory, name = posixpath.split(path)
    located = _path_parameters(context, spec, directory, name)
    return [{**(each if context.renderer.uses_go else flatten(each)), **located} for each in objects]


def _path_parameters(context: Context, spec: Spec, directory: str, file: str = "") -> Parameters:
    base = posixpath.basename(directory)
    segments = directory.split("/")
    names: Parameters = {"basename": base, "basenameNormalized": normalize(base)}
    if file:
        names |= {"filename": file, "filenameNormalized": normalize(file)}
    prefix = text_of(spec.get("pathParamPrefix"))
    if context.renderer.uses_go:
        path = {"path": {"path": directory, **names, "segments": segments}}
        return {prefix: path} if prefix else path
    dotted = {"path": directory, **{f"path.{key}": value for key, value in names.items()}}
    dotted |= {f"path[{number}]": segment for number, segment in enumerate(segments)}
    return {f"{prefix}.{key}": value for key, value in dotted.items()} if prefix else dotted
