"""Reading one YAML file key by key, as its declaration says: types, defaults, overrides, and errors with their line."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sgm_tui.config.keys import ByName, Group, ListOf, Node, Value
from sgm_tui.config.yaml_file import SEE_MANUAL, Lined, mapping_of
from sgm_tui.errors import ConfigError
from sgm_tui.fleet.argo.schedule import ScheduleError, seconds_of
from sgm_tui.redaction import is_secret_name

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})
_NO_SECRETS = "Remove it: sgm.yaml must not contain secrets."
_CREDENTIALS = {
    "repository.": "Remove it and use SSH, GH_TOKEN or `gh auth login`; no secrets in sgm.yaml or arguments.",
    "github.": "Remove it and use GH_TOKEN, `gh auth login` or github.token_file.",
    "registry.": "Remove it and put user:password into the file that registry.token_file names.",
}
"""Where credentials belong instead, by the section they were found in."""
_AUTHORITY_END = re.compile("[/?#]")
_PARAMETER = re.compile(r"[?&;]([^=&;#]+)=")
_SIMILARITY = 0.65
"""How much a key has to resemble a missing one to be its misspelling: `ulr` does, `namespace` for `name` does not."""

Override = tuple[str, str, str]
"""A dotted key, its value as text, and where that came from."""


class Reader:
    """One file, its overrides, and where each value came from."""

    def __init__(self, file: Path, overrides: Sequence[Override], folders: Sequence[Path] = ()) -> None:
        """Read `file`; where `folders` are given, the credential files it names have to lie in one of them."""
        self.file = file
        self.folders = tuple(folders)
        self._overrides = overrides
        self.origins: dict[str, str] = {}

    def root(self, declaration: Group) -> Section:
        """Return the whole file as a section.

        Raises:
            ConfigError: it cannot be read, or is not a YAML mapping.
        """
        return Section(self, mapping_of(self.file), "", declaration)

    def override(self, key: str) -> str | None:
        """Return the strongest override of a dotted key; None where there is none."""
        for name, value, origin in self._overrides:
            if name.replace(".", "_") == key.replace(".", "_"):
                self.origins[key] = origin
                return value
        return None

    def fail(self, line: int | None, message: str, hint: str = "", key: str = "") -> ConfigError:
        """Return the error of a line of this file, or of the override of a dotted key."""
        place = f"{self.file}:{line}" if line is not None else str(self.file)
        is_overridden = key and self.override(key) is not None
        return ConfigError(f"{self.origins[key] if is_overridden else place}: {message}", hint)


class Entries:
    """The entries of one mapping: their values as they are written, their lines, and the errors about them."""

    def __init__(
        self,
        reader: Reader,
        data: Mapping[str, Any],
        prefix: str,
        declaration: Group | ByName,
        parent: tuple[Entries, str] | None = None,
    ) -> None:
        """Take a mapping.

        Args:
            reader: of the file.
            data: the mapping.
            prefix: the dotted key of the mapping, with a dot at the end; "" for the whole file.
            declaration: of its keys.
            parent: the section that contains it, and its key there.
        """
        self._reader = reader
        self._data = data
        self._prefix = prefix
        self._declaration = declaration
        self._parent = parent

    def data(self, key: str) -> Any:
        """Return the value of a key as it is written; None where it is not set."""
        value = self._data.get(key)
        if value is not None:
            self._reader.origins[self._prefix + key] = f"{self._reader.file}:{self._line(key)}"
        return value

    def names(self, allowed: Collection[str] | None = None, what: str = "name") -> list[str]:
        """Return every key; each has to be among `allowed`, if that is given."""
        for key in self._data:
            if allowed is not None and key not in allowed:
                raise self._reader.fail(
                    self._line(key), f"unknown {what} {self._prefix}{key}", _nearest(str(key), allowed)
                )
        return [str(key) for key in self._data]

    def finish(self) -> None:
        """Refuse every key that is not declared."""
        declared = self._declared_keys()
        for key in self._data:
            if key not in declared:
                hint = _nearest(str(key), declared)
                raise self._reader.fail(self._line(str(key)), f"unknown key {self._prefix}{key}", hint)

    def missing(self, key: str, why: str) -> ConfigError:
        """Return the error of a required key, or that of the key which is probably its misspelling."""
        misspelling = self.misspelling(key)
        if misspelling is not None:
            return misspelling
        line = self._data.line if isinstance(self._data, Lined) and self._prefix else None
        return self._reader.fail(line, f"{self._prefix}{key} is missing", why)

    def misspelling(self, key: str) -> ConfigError | None:
        """Return the error of the undeclared key that resembles this one, here or, in an empty section, above it."""
        declared = self._declared_keys()
        undeclared = [str(name) for name in self._data if name not in declared]
        for name in difflib.get_close_matches(key, undeclared, n=1, cutoff=_SIMILARITY):
            return self._reader.fail(self._line(name), f"unknown key {self._prefix}{name}", f"Did you mean {key}?")
        if self._data or self._parent is None:
            return None
        section, name = self._parent
        return section.misspelling(name)

    def refuse(self, key: str, why: str, hint: str = "") -> ConfigError:
        """Return the error of a value that cannot be used."""
        name = f"{self._prefix}{key}"
        return self._reader.fail(self._line(key), f"{name}: {why}", hint, name)

    def refuse_credentials(self, key: str, address: str) -> None:
        """Refuse an address that contains a user name or password, without repeating it.

        Raises:
            ConfigError: it contains one.
        """
        if holds_credentials(address):
            raise self.refuse(
                key, "the URL contains a user name or password, or a token", _CREDENTIALS.get(self._prefix, _NO_SECRETS)
            )

    def origins(self) -> Mapping[str, str]:
        """Return where every value that has been read came from, by its dotted key."""
        return dict(self._reader.origins)

    def _declared_keys(self) -> Collection[str]:
        return self._declaration.keys if isinstance(self._declaration, Group) else self._declaration.names

    def _node(self, key: str) -> Node:
        """Return the declaration of a key."""
        return self._declaration.keys[key] if isinstance(self._declaration, Group) else self._declaration.item

    def _wrong(self, key: str, expected: str) -> ConfigError:
        name = f"{self._prefix}{key}"
        return self._reader.fail(self._line(key), f"{name} must be {expected}", SEE_MANUAL, name)

    def _line(self, key: str) -> int | None:
        return self._data.lines.get(key) if isinstance(self._data, Lined) else None


class Section(Entries):
    """One mapping, read key by key with the types and defaults of its declaration; `finish` refuses unknown keys."""

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; `default` replaces that of the declaration."""
        return str(self._scalar(key, str, "a string", default))

    def number(self, key: str) -> float:
        """Return a number of seconds, more than 0."""
        value = self._scalar(key, (int, float), "a number of seconds")
        try:
            number = float(value)
        except ValueError:
            raise self._wrong(key, "a number of seconds") from None
        if not 0 < number < float("inf"):
            raise self._wrong(key, "more than 0")
        return number

    def flag(self, key: str) -> bool:
        """Return True or False."""
        value = self._scalar(key, bool, "true or false")
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            raise self._wrong(key, "true or false")
        return word in _TRUE

    def path(self, key: str) -> Path | None:
        """Return a path, None where it is not set; relative ones count from the file they are written in."""
        text = self.text(key, "")
        if not text:
            return None
        expanded = Path(text).expanduser()
        return expanded if expanded.is_absolute() else (self._reader.file.parent / expanded).absolute()

    def url(self, key: str) -> str:
        """Return an http or https URL without user name and password; "" when it is not set.

        Raises:
            ConfigError: it is another kind of address, or contains credentials: files and pages show it, tokens do not
                belong there.
        """
        text = self.text(key)
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            raise self.refuse(key, "it is not a URL", "Write it as https://HOST[:PORT][/PATH].") from None
        if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise self.refuse(key, "it is not an http or https URL", "Write it as https://HOST[:PORT][/PATH].")
        self.refuse_credentials(key, text)
        return text

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

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        node, value = self._node(key), self.data(key)
        if value is None:
            default = node.default if isinstance(node, Value) else ()
            return default if isinstance(default, tuple) else ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of strings")
        return tuple(value)

    def texts_by_name(self, key: str) -> dict[str, str]:
        """Return a mapping of free names to strings."""
        value = self.data(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(key, "a mapping of names to strings")
        return {str(name): str(item) for name, item in value.items()}

    def section(self, key: str) -> Section:
        """Return a mapping; an empty one where it is not set."""
        node, value = self._node(key), self.data(key)
        if not isinstance(node, Group | ByName):
            raise TypeError(f"{self._prefix}{key} is not declared as a mapping")
        if value is not None and not isinstance(value, Mapping):
            raise self._wrong(key, "a mapping")
        return Section(self._reader, value or {}, f"{self._prefix}{key}.", node, (self, key))

    def sections(self, key: str) -> list[Section]:
        """Return a list of mappings."""
        node, value = self._node(key), self.data(key)
        if not isinstance(node, ListOf):
            raise TypeError(f"{self._prefix}{key} is not declared as a list of mappings")
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise self._wrong(key, "a list of mappings")
        prefix = f"{self._prefix}{key}"
        return [Section(self._reader, item, f"{prefix}[{index}].", node.item) for index, item in enumerate(value)]

    def named(self, key: str, allowed: Collection[str] | None = None, what: str = "name") -> dict[str, Section]:
        """Return a mapping of names to mappings; the names have to be among `allowed`, if that is given."""
        section = self.section(key)
        for name in section.names(allowed, what):
            if not isinstance(section.data(name), Mapping):
                raise section.refuse(name, "it must be a mapping", SEE_MANUAL)
        return {name: section.section(name) for name in section.names()}

    def seconds(self, key: str) -> float | None:
        """Return a duration like `30m` in seconds; None when it is not set."""
        text = self.text(key)
        try:
            return seconds_of(text) if text else None
        except ScheduleError as error:
            raise self.refuse(key, str(error)) from None

    def ratio(self, key: str) -> float | None:
        """Return a number from 0 to 1; None when it is not set."""
        value = self._scalar(key, (int, float), "a number from 0 to 1", "")
        if value == "":
            return None
        try:
            number = float(value)
        except ValueError:
            raise self._wrong(key, "a number from 0 to 1") from None
        if not 0 <= number <= 1:
            raise self._wrong(key, "a number from 0 to 1")
        return number

    def json(self, key: str) -> str:
        """Return the value of a key as JSON text."""
        try:
            return json.dumps(self.data(key))
        except (TypeError, ValueError, RecursionError):
            raise self.refuse(key, "it must be plain text, numbers, lists and mappings") from None

    def _scalar(self, key: str, kind: Any, expected: str, default: str | None = None) -> Any:
        """Return the override of a key, else its value, else its default.

        Raises:
            ConfigError: it has another type, or is required and not set.
        """
        node, value = self._node(key), self.data(key)
        if not isinstance(node, Value):
            raise TypeError(f"{self._prefix}{key} is not declared as a value")
        override = self._reader.override(self._prefix + key)
        if override is not None:
            return override
        if value is None:
            if node.is_required:
                raise self.missing(key, f"It must be {expected}. See: sgm help configuration.")
            self._reader.origins.setdefault(self._prefix + key, "default")
            return node.default if default is None else default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._wrong(key, expected)
        return value


def holds_credentials(address: str) -> bool:
    """Return whether an address contains a password or a token.

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


def _nearest(key: str, allowed: Collection[str]) -> str:
    """Return the hint for an unknown key: the nearest allowed one, or all of them."""
    nearest = difflib.get_close_matches(key, sorted(allowed), n=1, cutoff=0.5)
    return f"Did you mean {nearest[0]}?" if nearest else f"Known here: {', '.join(sorted(allowed))}"
