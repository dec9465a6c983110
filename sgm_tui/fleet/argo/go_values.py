"""Values of Go templates: how Go prints them, what a missing one is, and the errors they cause."""

from __future__ import annotations

from collections.abc import Mapping

NO_VALUE = "<no value>"
"""The text Go prints for a missing key."""


class TemplateError(Exception):
    """A template that cannot be parsed or executed; its text is the reason Go gives."""

    def __init__(self, reason: str, *, node: str = "", column: int = 0, template: str = "") -> None:
        super().__init__(reason)
        self.node = node
        """The part of the template that failed when it was executed; "" if the template could not be parsed."""
        self.column = column
        """The position Go reports for the node: characters from the start of the template."""
        self.template = template
        """The whole template."""

    @property
    def condition(self) -> str:
        """The message Argo CD writes into the conditions of an ApplicationSet."""
        if not self.node:
            return f"failed to parse template {self.template}: template: base:1: {self}"
        position = f'template: base:1:{self.column}: executing "base" at <{self.node}>'
        return f"failed to execute go template {self.template}: {position}: {self}"


class UnsupportedError(Exception):
    """A feature of Argo CD that is not understood here; its text names the feature."""


class UnknownFunctionError(UnsupportedError):
    """A function of Go templates that is not understood here, or does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the function {name}")
        self.name = name
        self.template = ""
        """The whole template."""

    @property
    def condition(self) -> str:
        """The message Argo CD writes into the conditions of an ApplicationSet if there is no such function."""
        return TemplateError(f'function "{self.name}" not defined', template=self.template).condition


class Missing:
    """The value of a missing key."""


MISSING = Missing()


def format_value(value: object) -> str:
    """Return a value as `fmt.Print` writes it."""
    if isinstance(value, Missing) or value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{' '.join(map(format_value, value))}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{format_value(value[key])}' for key in sorted(value))}]"
    return str(value)


def is_true(value: object) -> bool:
    """Return whether `if` takes a value as true: anything but a missing, zero or empty one."""
    return not isinstance(value, Missing) and bool(value)


def name_type(value: object) -> str:
    """Return Go's name of the type of a value."""
    types = ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (list, "[]interface {}"))
    name = next((name for kind, name in types if isinstance(value, kind)), "")
    return name or ("<nil>" if value is None else "map[string]interface {}")
