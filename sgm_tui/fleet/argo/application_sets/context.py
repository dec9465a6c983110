"""What the generators of one ApplicationSet share: their inputs, their template language, and how they report."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sgm_tui.fleet.argo.application_sets.parameters import Parameters, describe, flatten
from sgm_tui.fleet.argo.application_sets.rendering import Renderer
from sgm_tui.fleet.argo.objects import Cluster
from sgm_tui.yaml_reader.marked import Place, documents

Spec = Mapping[str, Any]
"""The fields of a generator."""


class GeneratorError(Exception):
    """A generator that cannot yield parameters."""

    def __init__(self, message: str, place: Place, condition: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.condition = condition or message
        """What Argo CD writes into the ApplicationSet's conditions."""


@dataclass(frozen=True)
class GeneratorInputs:
    """The files and clusters that generators read."""

    clusters: Sequence[Cluster] | None
    """Every cluster of the hub except the hub itself; None if they are declared elsewhere."""
    paths: Sequence[str]
    """Every file of the repository."""
    read: Callable[[str], bytes | None]
    """Return the content of a file; None if there is none."""
    is_this_repository: Callable[[str], bool]
    """Return whether a URL means the repository of these files."""
    is_current_revision: Callable[[str], bool] = lambda _revision: True
    """Return whether a revision of this repository means these files."""
    parse: Callable[[str], list[Any]] = documents
    """Parse the documents of a file; by default into values that know their position."""
    reads_elements_yaml: bool = False
    """Read `elementsYaml` of the list generator; its values have no position in a file."""

    @functools.cached_property
    def directories(self) -> list[str]:
        """Every directory that contains a file, in order."""
        folders: set[str] = set()
        for path in self.paths:
            parent = posixpath.dirname(path)
            while parent and parent not in folders:
                folders.add(parent)
                parent = posixpath.dirname(parent)
        return sorted(folders)


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why an ApplicationSet does not generate all its Applications."""

    kind: Literal["generator", "template", "empty", "malformed"]
    message: str
    place: Place
    subject: str = ""
    """The parameters it concerns: the name of a cluster or directory."""
    generator: str = ""
    """The kind of an empty generator."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a generator stands inside matrix and merge generators."""

    parameters: Parameters = field(default_factory=dict)
    """The parameters its own fields were rendered with."""
    overrides: bool = False
    """It only overrides parameters of another generator, so that it may well yield nothing."""


@dataclass(frozen=True, slots=True)
class Context:
    """One expansion of one ApplicationSet."""

    inputs: GeneratorInputs
    renderer: Renderer
    place_of: Callable[[object], Place]
    """Return where a value of the ApplicationSet is written."""
    report: Callable[[Problem], None] = lambda _problem: None

    def mapping(self, value: Any) -> Mapping[str, Any]:
        """Return a mapping; {} for None.

        Raises:
            GeneratorError: it is something else.
        """
        if value is not None and not isinstance(value, Mapping):
            raise GeneratorError("a mapping is expected here", self.place_of(value))
        return value or {}

    def mappings(self, value: Any) -> list[Mapping[str, Any]]:
        """Return a list of mappings; [] for None.

        Raises:
            GeneratorError: it is something else.
        """
        if value is not None and (not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value)):
            raise GeneratorError("a list of mappings is expected here", self.place_of(value))
        return value or []

    def report_empty(self, kind: str, message: str, value: object, around: Surroundings) -> None:
        """Report that a generator yields nothing, unless that is ordinary where it stands."""
        if not around.overrides:
            self.report(Problem("empty", message, self.place_of(value), describe(around.parameters), kind))

    def add_values(self, spec: Spec, parameters: Parameters) -> Parameters:
        """Add the `values` of a generator, rendered with the parameters it yields."""
        values = self.renderer.render(self.mapping(spec.get("values")), parameters)
        if not values:
            return parameters
        return {**parameters, **({"values": values} if self.renderer.uses_go else flatten({"values": values}))}
