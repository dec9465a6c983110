"""A YAML file as plain values that know their lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgm_tui.errors import ConfigError
from sgm_tui.yaml_reader.nodes import MappingNode, Node, ScalarNode, SequenceNode, YamlError, compose, entries

SEE_MANUAL = "See: sgm help configuration."
_LARGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Unquoted:
    """A date without quotes, which YAML readers interpret differently."""

    text: str


class Lined(dict[str, Any]):
    """A mapping with the lines it and its keys are written in; lines count from 1."""

    line: int
    lines: Mapping[str, int]
    """Key → its line."""


def mapping_of(file: Path) -> Mapping[str, Any]:
    """Read a YAML file as a mapping that knows its lines.

    Raises:
        ConfigError: it cannot be read, is not YAML, or not a mapping.
    """
    try:
        with file.open("rb") as handle:
            data = handle.read(_LARGEST_FILE + 1)  # a device has no end
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "Name a readable file.") from error
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"{file}: larger than 1 MB", "This does not look like an sgm.yaml.")
    try:
        document = _parse(data.decode("utf-8-sig"))
    except YamlError as error:
        raise ConfigError(f"{file}:{error.line}: {error.message}", "It must be valid YAML.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, Lined):
        raise ConfigError(f"{file}: a mapping is expected at the top", SEE_MANUAL)
    return document


def _parse(text: str) -> Any:
    """Parse a text with at most one document."""
    documents = compose(text)
    if len(documents) > 1:
        raise YamlError("a second document", documents[1].start_mark.line + 1)
    return _plain_value(documents[0]) if documents else None


def _plain_value(node: Node) -> Any:
    """Convert a node to plain values; only `true` and `false` are booleans, because `off` is a level of a gate."""
    if isinstance(node, SequenceNode):
        return [_plain_value(value) for value in node.value]
    if isinstance(node, ScalarNode):
        value = node.scalar
        if node.type == "a date":
            return Unquoted(node.value)
        return node.value if isinstance(value, bool) and node.value.lower() not in {"true", "false"} else value
    if not isinstance(node, MappingNode):
        return None
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.value in lines:
            raise YamlError(f'found duplicate key "{key.value}"', key.start_mark.line + 1)
        lines[key.value] = key.start_mark.line + 1
    mapping = Lined((name, _plain_value(value)) for name, value in entries(node).items())
    mapping.lines, mapping.line = lines, node.start_mark.line + 1
    return mapping
