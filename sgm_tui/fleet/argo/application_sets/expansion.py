"""Expand an ApplicationSet into the Applications it generates, by the rules of Argo CD's controller.

The controller stops at the first error; this goes on, so that one expansion finds them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sgm_tui.fleet.argo.application_sets.context import Context, GeneratorError, GeneratorInputs, Problem
from sgm_tui.fleet.argo.application_sets.generators import generate
from sgm_tui.fleet.argo.application_sets.parameters import Parameters, describe
from sgm_tui.fleet.argo.application_sets.rendering import Renderer
from sgm_tui.fleet.argo.go_values import TemplateError, UnsupportedError
from sgm_tui.fleet.argo.objects import Application, ApplicationSet, MalformedError, application
from sgm_tui.yaml_reader.marked import Place, place_of


@dataclass(frozen=True, slots=True)
class Expansion:
    """The Applications of one ApplicationSet, and what prevents others."""

    applications: tuple[Application, ...]
    problems: tuple[Problem, ...] = ()
    unsupported: tuple[str, ...] = ()
    """What was not understood; if there is any, the Applications are incomplete."""


def expand(application_set: ApplicationSet, inputs: GeneratorInputs) -> Expansion:
    """Return the Applications that an ApplicationSet generates from some files and clusters."""
    return _Expander(application_set, inputs).expand()


class _Expander:
    """One expansion, which collects problems."""

    def __init__(self, application_set: ApplicationSet, inputs: GeneratorInputs) -> None:
        self._set = application_set
        self._problems: list[Problem] = []
        self._unsupported: list[str] = []
        renderer = Renderer(application_set.go_template, "missingkey=error" in application_set.options)
        self._context = Context(inputs, renderer, self._place_of, self._problems.append)

    def expand(self) -> Expansion:
        spec = self._set.spec
        applications: list[Application] = []
        if not spec.get("template"):
            self._problems.append(Problem("malformed", "spec.template is missing", self._set.place))
        elif spec.get("templatePatch"):
            self._unsupported.append("templatePatch")
        else:
            generators = spec.get("generators") or []
            if not generators:
                self._problems.append(Problem("malformed", "spec.generators is missing", self._set.place))
            applications = list(self._render_all(self._generate_all(generators)))
        return Expansion(tuple(applications), tuple(self._problems), tuple(self._unsupported))

    def _generate_all(self, generators: Iterable[Mapping[str, Any]]) -> list[Parameters]:
        yielded: list[Parameters] = []
        for generator in generators:
            try:
                yielded += generate(self._context, generator)
            except TemplateError as error:
                self._problems.append(Problem("generator", _describe_failure(error), self._place_of(error.template)))
            except GeneratorError as error:
                self._problems.append(Problem("generator", error.message, error.place))
            except UnsupportedError as error:
                self._unsupported.append(str(error))
        return yielded

    def _render_all(self, sets: Iterable[Parameters]) -> Iterable[Application]:
        for parameters in sets:
            subject = describe(parameters)
            try:
                template = self._context.mapping(self._set.spec["template"])
                data = self._context.renderer.render(template, parameters, final=True)
                yield application(data, self._set.place.path, origin=self._set)
            except TemplateError as error:
                message, place = _describe_failure(error), self._place_of(error.template)
                self._problems.append(Problem("template", message, place, subject))
            except GeneratorError as error:
                self._problems.append(Problem("template", error.message, error.place, subject))
            except MalformedError as error:
                self._problems.append(Problem("malformed", error.message, error.place, subject))
            except UnsupportedError as error:
                self._unsupported.append(str(error))

    def _place_of(self, value: object) -> Place:
        return place_of(value, self._set.place.path, self._set.spec)


def _describe_failure(error: TemplateError) -> str:
    return f"{error.template}: {error}"
