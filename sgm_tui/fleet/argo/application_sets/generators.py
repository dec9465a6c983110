"""The generators of an ApplicationSet: clusters, git, list, matrix and merge.

Every other generator reads data from outside the repository; it is reported as not understood rather than guessed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sgm_tui.fleet.argo.application_sets import clusters, git
from sgm_tui.fleet.argo.application_sets.context import Context, GeneratorError, Spec, Surroundings
from sgm_tui.fleet.argo.application_sets.parameters import Parameters, flatten, override, text_of
from sgm_tui.fleet.argo.application_sets.selector import is_selected
from sgm_tui.fleet.argo.go_values import UnsupportedError
from sgm_tui.yaml_reader.nodes import YamlError, load

_OUTSIDE = ("scmProvider", "pullRequest", "plugin", "clusterDecisionResource")
"""Generators that read data from outside the repository."""
_FIELDS_OF_ALL = ("selector", "template")
_TOP = Surroundings()


def generate(context: Context, generator: Mapping[str, Any], around: Surroundings = _TOP) -> list[Parameters]:
    """Return the parameters of a generator, filtered by its `selector`.

    Raises:
        GeneratorError: it cannot yield parameters.
        TemplateError: a template in its fields fails.
        UnsupportedError: it uses something that is not understood here.
    """
    kinds = [key for key in generator if key not in _FIELDS_OF_ALL]
    if len(kinds) != 1:
        raise GeneratorError(
            "a generator has to be of exactly one kind",
            context.place_of(generator),
            f"unsupported generator: {', '.join(generator) or 'none'}",
        )
    kind = kinds[0]
    if kind in _OUTSIDE:
        raise UnsupportedError(f"the generator {kind}")
    if "template" in generator:
        raise UnsupportedError("a template of a generator's own")
    if kind not in _GENERATORS:
        nearest = difflib.get_close_matches(kind, _GENERATORS, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        message = f"there is no generator {kind}{hint}"
        raise GeneratorError(message, context.place_of(kind), f"unsupported generator: {', '.join(generator)}")
    yielded = _GENERATORS[kind](context, context.mapping(generator[kind]), around)
    if selector := generator.get("selector"):
        return [parameters for parameters in yielded if is_selected(context, selector, flatten(parameters))]
    return yielded


def _generate_list(context: Context, spec: Spec, around: Surroundings) -> list[Parameters]:
    elements = context.mappings(spec.get("elements"))
    if "elementsYaml" in spec and not context.inputs.reads_elements_yaml:
        raise UnsupportedError("elementsYaml of the generator list")
    if spec.get("elementsYaml"):
        try:
            elements = context.mappings(load(spec["elementsYaml"]))
        except YamlError as error:
            # Argo CD misspells the word.
            message = f"error unmarshling decoded ElementsYaml {error}"
            raise GeneratorError(message, context.place_of(spec)) from error
    if not elements:
        context.report_empty("list", "the list has no elements", spec, around)
    return [dict(element) if context.renderer.uses_go else dict(flatten(element)) for element in elements]


def _generate_matrix(context: Context, spec: Spec, around: Surroundings) -> list[Parameters]:
    children = context.mappings(spec.get("generators"))
    if len(children) != 2:
        raise GeneratorError(
            f"matrix takes two generators, not {len(children)}",
            context.place_of(spec),
            "found more or fewer than two generators, Matrix support only two",
        )
    combined: list[Parameters] = []
    for first in generate(context, children[0], around):
        # The fields of the second generator may use parameters of the first.
        child = context.renderer.render(children[1], first)
        inside = replace(around, parameters={**around.parameters, **first})
        combined += [_combine(context, first, second, spec) for second in generate(context, child, inside)]
    return combined


def _combine(context: Context, first: Parameters, second: Parameters, spec: Spec) -> Parameters:
    if context.renderer.uses_go:
        return override(first, second)
    clashes = [key for key in first.keys() & second.keys() if first[key] != second[key]]
    if clashes:
        key = min(clashes)
        raise GeneratorError(
            f"both generators of the matrix set {key}",
            context.place_of(spec),
            f"found duplicate key {key} with different value, a: {first[key]} ,b: {second[key]}",
        )
    return first | second


def _generate_merge(context: Context, spec: Spec, around: Surroundings) -> list[Parameters]:
    children, names = context.mappings(spec.get("generators")), spec.get("mergeKeys")
    keys = [text_of(name) for name in names] if isinstance(names, list) else []
    if len(children) < 2 or not keys:
        raise GeneratorError(
            "merge takes two or more generators and mergeKeys",
            context.place_of(spec),
            "no merge keys were specified, Merge requires at least one"
            if len(children) > 1
            else "found less than two generators, Merge requires two or more",
        )
    base = _generate_by_key(context, children[0], keys, around)
    for child in children[1:]:
        # Only parameters whose keys the first generator yields count.
        for key, parameters in _generate_by_key(context, child, keys, replace(around, overrides=True)).items():
            if key in base:
                base[key] = override(parameters, base[key])
    return list(base.values())


def _generate_by_key(
    context: Context, generator: Spec, keys: Sequence[str], around: Surroundings
) -> dict[tuple[str, ...], Parameters]:
    by_key: dict[tuple[str, ...], Parameters] = {}
    for parameters in generate(context, generator, around):
        dotted = flatten(parameters)
        key = tuple(dotted.get(name, "") for name in keys)
        if key in by_key:
            raise GeneratorError(
                f"{' '.join(key)} is there twice by mergeKeys",
                context.place_of(generator),
                f"the parameters from a generator were not unique by the given mergeKeys: {key}",
            )
        by_key[key] = parameters
    return by_key


_GENERATORS: Mapping[str, Callable[[Context, Spec, Surroundings], list[Parameters]]] = {
    "clusters": clusters.generate,
    "git": git.generate,
    "list": _generate_list,
    "matrix": _generate_matrix,
    "merge": _generate_merge,
}
