"""Reading one YAML file key by key: types, defaults, what outranks it, and for every mistake a place to look."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sgm_tui.errors import ConfigError
from sgm_tui.fleet.argo.schedule import ScheduleError, seconds_of
from sgm_tui.redaction import is_secret_name

if TYPE_CHECKING:
    from sgm_tui.yaml_reader.nodes import Node

_LARGEST_FILE = 1 << 20
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})
_SEE = "See: sgm help configuration."
_NO_SECRETS = "Remove it: sgm.yaml must not contain secrets."
_CREDENTIALS = {
    "repository.": "Remove it and use SSH, GH_TOKEN or `gh auth login`; no secrets in sgm.yaml or arguments.",
    "github.": "Remove it and use GH_TOKEN, `gh auth login` or github.token_file.",
    "registry.": "Remove it and put user:password into the file that registry.token_file names.",
}
"""Where credentials belong instead, by the section they were found in."""
_AUTHORITY_END = re.compile("[/?#]")
_PARAMETER = re.compile(r"[?&;]([^=&;#]+)=")
_MEANT = 0.65
"""How much a key has to look like a missing one to be its misspelling: `ulr` is, `namespace` for `name` is not."""

Stronger = tuple[str, str, str]
"""A dotted key, its value as text, and where that came from."""


class Reader:
    """One file, its overrides, and where each value came from."""

    def __init__(self, file: Path, stronger: Sequence[Stronger], folders: Sequence[Path] = ()) -> None:
        """Read `file`; where `folders` are given, the files it names for reading have to lie in one of them."""
        self.file = file
        self.folders = tuple(folders)
        self._stronger = stronger
        self.origins: dict[str, str] = {}

    def root(self) -> Section:
        """The whole file."""
        return Section(self, mapping_of(self.file), "")

    def override(self, key: str) -> str | None:
        """What outranks the file for a dotted key, if anything does."""
        for name, value, origin in self._stronger:
            if name.replace(".", "_") == key.replace(".", "_"):
                self.origins[key] = origin
                return value
        return None

    def fail(self, line: int | None, message: str, hint: str = "", key: str = "") -> ConfigError:
        """The error of a line of this file, or of what outranks it for a dotted key, to be raised."""
        place = f"{self.file}:{line}" if line is not None else str(self.file)
        outranked = key and self.override(key) is not None
        return ConfigError(f"{self.origins[key] if outranked else place}: {message}", hint)


@dataclass(frozen=True, slots=True)
class Unquoted:
    """A date without quotes, which readers of YAML take for different things."""

    text: str


class Lined(dict[str, Any]):
    """A mapping that knows where it is written; lines count from 1."""

    line: int
    lines: Mapping[str, int]


def mapping_of(file: Path) -> Mapping[str, Any]:
    """A YAML file as a mapping that knows its lines.

    Raises:
        ConfigError: it cannot be read, is no YAML, or no mapping.
    """
    from sgm_tui.yaml_reader.nodes import YamlError

    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "Name a readable file.") from error
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"{file}: larger than 1 MB", "This does not look like an sgm.yaml.")
    try:
        loaded = _loaded(data.decode("utf-8-sig"))
    except YamlError as error:
        raise ConfigError(f"{file}:{error.line}: {error.message}", "It must be valid YAML.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not YAML: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, Lined):
        raise ConfigError(f"{file}: a mapping is expected at the top", _SEE)
    return loaded


def _loaded(text: str) -> Any:
    from sgm_tui.yaml_reader.nodes import YamlError, compose

    documents = compose(text)
    if len(documents) > 1:
        raise YamlError("a second document", documents[1].start_mark.line + 1)
    return _lined(documents[0]) if documents else None


def _lined(node: Node) -> Any:
    """A node as plain values; of booleans only `true` and `false`, for `off` is a level of a gate."""
    from sgm_tui.yaml_reader.nodes import MappingNode, ScalarNode, SequenceNode, YamlError, entries

    if isinstance(node, SequenceNode):
        return [_lined(value) for value in node.value]
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
    mapping = Lined((name, _lined(value)) for name, value in entries(node).items())
    mapping.lines, mapping.line = lines, node.start_mark.line + 1
    return mapping


class Section:
    """One mapping of the file, read key by key; `finish` refuses what nobody read."""

    def __init__(
        self, reader: Reader, data: Mapping[str, Any], prefix: str, above: tuple[Section, str] | None = None
    ) -> None:
        self._reader = reader
        self._data = data
        self._prefix = prefix
        self._above = above
        self._known: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """A string; without a default it has to be there."""
        return str(self._scalar(key, default, str, "a string"))

    def number(self, key: str, default: float) -> float:
        """A number of seconds, more than 0."""
        value = self._scalar(key, default, (int, float), "a number of seconds")
        try:
            number = float(value)
        except ValueError:
            raise self._wrong(key, "a number of seconds") from None
        if not 0 < number < float("inf"):
            raise self._wrong(key, "more than 0")
        return number

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._scalar(key, default, bool, "true or false")
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            raise self._wrong(key, "true or false")
        return word in _TRUE

    def path(self, key: str) -> Path | None:
        """A path; relative ones count from the file they are written in."""
        written = self.text(key, "")
        if not written:
            return None
        expanded = Path(written).expanduser()
        return expanded if expanded.is_absolute() else (self._reader.file.parent / expanded).absolute()

    def url(self, key: str, default: str = "") -> str:
        """Return an http or https URL without user name and password; "" when it is not set.

        Raises:
            ConfigError: it is another kind of address, or holds credentials: files and pages name it, tokens do not
                belong there.
        """
        written = self.text(key, default)
        try:
            parts = urlsplit(written)
            _ = parts.port
        except ValueError:
            raise self.refuse(key, "it is not a URL", "Write it as https://HOST[:PORT][/PATH].") from None
        if written and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise self.refuse(key, "it is not an http or https URL", "Write it as https://HOST[:PORT][/PATH].")
        self.refuse_credentials(key, written)
        return written

    def refuse_credentials(self, key: str, address: str) -> None:
        """Refuse an address that holds a user name or password, without repeating it.

        Raises:
            ConfigError: it holds one.
        """
        if holds_credentials(address):
            raise self.refuse(
                key, "the URL contains a user name or password, or a token", _CREDENTIALS.get(self._prefix, _NO_SECRETS)
            )

    def file(self, key: str) -> Path | None:
        """Return the path of a file to read; None when it is not set.

        A team file may come from anybody, so it names only files in its own folder or the user's; a flag, the
        environment and the user's own file may name any.

        Raises:
            ConfigError: it lies elsewhere, also through a symbolic link.
        """
        path = self.path(key)
        if path is None or not self._reader.folders or self._reader.override(self._prefix + key) is not None:
            return path
        real = path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self._reader.folders):
            where = " or ".join(str(folder) for folder in self._reader.folders)
            variable = f"SGM_{self._prefix}{key}".replace(".", "_").upper()
            raise self.refuse(
                key,
                "a team file names only files in its own folder or in your configuration's",
                f"Move the file into {where}, or name it in your own configuration or as {variable}.",
            )
        return path

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(key, "a list of strings")
        return tuple(str(one) for one in value)

    def texts_by_name(self, key: str) -> dict[str, str]:
        """A mapping of free names to strings."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
            raise self._wrong(key, "a mapping of names to strings")
        return {str(name): str(one) for name, one in value.items()}

    def section(self, key: str) -> Section:
        """A mapping of known keys."""
        value = self._take(key)
        if value is not None and not isinstance(value, Mapping):
            raise self._wrong(key, "a mapping")
        return Section(self._reader, value or {}, f"{self._prefix}{key}.", (self, key))

    def sections(self, key: str) -> list[Section]:
        """A list of such mappings."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise self._wrong(key, "a list of mappings")
        return [Section(self._reader, one, f"{self._prefix}{key}[{index}].") for index, one in enumerate(value)]

    def seconds(self, key: str) -> float | None:
        """A duration like `30m` in seconds; None when it is not said."""
        written = self.text(key, "")
        try:
            return seconds_of(written) if written else None
        except ScheduleError as error:
            raise self.refuse(key, str(error)) from None

    def ratio(self, key: str) -> float | None:
        """A number from 0 to 1; None when it is not said."""
        value = self._scalar(key, "", (int, float), "a number from 0 to 1")
        if value == "":
            return None
        try:
            number = float(value)
        except ValueError:
            raise self._wrong(key, "a number from 0 to 1") from None
        if not 0 <= number <= 1:
            raise self._wrong(key, "a number from 0 to 1")
        return number

    def named(self, key: str, allowed: Collection[str] | None = None, what: str = "name") -> dict[str, Section]:
        """A mapping of names to mappings; the names have to be among `allowed`, where that is given."""
        found = self.section(key)
        for name in found.names(allowed, what):
            if not isinstance(found.data(name), Mapping):
                raise found.refuse(name, "it must be a mapping", _SEE)
        return {name: found.section(name) for name in found.names()}

    def names(self, allowed: Collection[str] | None = None, what: str = "name") -> list[str]:
        """Every key there is; each has to be among `allowed`, where that is given."""
        for key in self._data:
            if allowed is not None and key not in allowed:
                raise self._reader.fail(
                    self._line(key), f"unknown {what} {self._prefix}{key}", _nearest(str(key), allowed)
                )
        return [str(key) for key in self._data]

    def data(self, key: str) -> Any:
        """What is written, as it is."""
        return self._take(key)

    def json(self, key: str) -> str:
        """What is written, as JSON text."""
        try:
            return json.dumps(self._take(key))
        except (TypeError, ValueError, RecursionError):
            raise self.refuse(key, "it must be plain text, numbers, lists and mappings") from None

    def finish(self) -> None:
        """Refuse every key that was not asked for."""
        for key in self._data:
            if key not in self._known:
                hint = _nearest(str(key), self._known)
                raise self._reader.fail(self._line(str(key)), f"unknown key {self._prefix}{key}", hint)

    def missing(self, key: str, why: str) -> ConfigError:
        """The error of a key that has to be there: that of the misspelt key, where one is meant to be it."""
        misspelt = self.misspelt(key)
        if misspelt is not None:
            return misspelt
        line = self._data.line if isinstance(self._data, Lined) and self._prefix else None
        return self._reader.fail(line, f"{self._prefix}{key} is missing", why)

    def misspelt(self, key: str) -> ConfigError | None:
        """The error of the unread key that is probably meant to be this one, here or, where there is nothing, above."""
        unread = [str(one) for one in self._data if one not in self._known]
        for meant in difflib.get_close_matches(key, unread, n=1, cutoff=_MEANT):
            return self._reader.fail(self._line(meant), f"unknown key {self._prefix}{meant}", f"Did you mean {key}?")
        if self._data or self._above is None:
            return None
        section, name = self._above
        return section.misspelt(name)

    def refuse(self, key: str, why: str, hint: str = "") -> ConfigError:
        """The error of a value that cannot be used."""
        name = f"{self._prefix}{key}"
        return self._reader.fail(self._line(key), f"{name}: {why}", hint, name)

    def origins(self) -> Mapping[str, str]:
        """Where every value read so far came from."""
        return dict(self._reader.origins)

    def _take(self, key: str) -> Any:
        self._known.add(key)
        value = self._data.get(key)
        if value is not None:
            self._reader.origins[self._prefix + key] = f"{self._reader.file}:{self._line(key)}"
        return value

    def _scalar(self, key: str, default: Any, kind: Any, word: str) -> Any:
        value = self._take(key)
        override = self._reader.override(self._prefix + key)
        if override is not None:
            return override
        if value is None:
            if default is None:
                raise self.missing(key, f"It must be {word}. See: sgm help configuration.")
            self._reader.origins.setdefault(self._prefix + key, "default")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._wrong(key, word)
        return value

    def _wrong(self, key: str, word: str) -> ConfigError:
        name = f"{self._prefix}{key}"
        return self._reader.fail(self._line(key), f"{name} must be {word}", _SEE, name)

    def _line(self, key: str) -> int | None:
        return self._data.lines.get(key) if isinstance(self._data, Lined) else None


def holds_credentials(address: str) -> bool:
    """Return whether an address holds a password or a token.

    That is a user name of any protocol but ssh, where it names an account; a password of any protocol, also where its
    `/`, `?` or `#` is not escaped; or a parameter with the name of a secret.
    """
    scheme, separator, rest = address.partition("://")
    authority = _AUTHORITY_END.split(rest if separator else address, maxsplit=1)[0]
    if any(is_secret_name(name) for name in _PARAMETER.findall(address)):
        return True
    user, at, _ = authority.rpartition("@") if separator else authority.partition("@")
    if at:
        return ":" in user or bool(separator and "ssh" not in scheme.lower())
    port = authority.rpartition(":")[2] if ":" in authority.rpartition("]")[2] else ""
    return bool(separator and port) and not port.isdecimal() and "@" in rest


def _nearest(key: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
    return f"Did you mean {nearest[0]}?" if nearest else f"Known here: {', '.join(sorted(known))}"
