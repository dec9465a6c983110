"""Reading one version out of one values file, as fast as reading lines allows, as strictly as YAML asks.

Thirty thousand files are read in the time a YAML parser needs for a few hundred: a plain walk over the lines finds
the scalar where the file is plain, and everything else goes to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sgm_tui.fleet.text import clean

_LARGEST = 1 << 20
_LINE = re.compile(r"^( *)([A-Za-z_][\w.-]*):(?:[ \t]+(.*?))?[ \t]*$")
_ITEM = re.compile(r"^ *- +[^\s&*!|>'\"].*$|^ *-$")
_PLAIN = re.compile(r"[A-Za-z][\w.+-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_SELECTOR = re.compile(r"([\w.-]+)\[([\w.-]+)=([^\]]+)\]")


class UnreadableError(Exception):
    """There is no version where one is expected; the text says why."""


def version_in(data: bytes, key: str) -> str:
    """The string at a dotted key of a file.

    Raises:
        UnreadableError: the file is no YAML, has no such key, or what is there is no string.
    """
    if len(data) > _LARGEST:
        raise UnreadableError("the file is larger than 1 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError("the file is not UTF-8") from None
    found = None if "[" in key else _walked(text, key.split("."))
    return found if found is not None else _parsed(text, key)


def path_of(key: str) -> list[str | tuple[str, str]]:
    """The parts of a dotted key; `images[name=x]` becomes "images" and the pair that selects."""
    parts: list[str | tuple[str, str]] = []
    for part in re.findall(r"[^.\[]+(?:\[[^\]]*\])?", key):
        match = _SELECTOR.fullmatch(part)
        parts += [match[1], (match[2], match[3])] if match else [part]
    return parts


def _walked(text: str, wanted: list[str]) -> str | None:
    """The scalar, where every line on the way is plain; None when only a parser can tell."""
    levels = [0]
    """Indentation of the mapping looked through at each depth; -1 until its first line is seen."""
    met: set[int] = set()
    found: str | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.startswith(("---", "...", "%", "\t")) or "&" in line or "<<" in line:
            return None
        match = _LINE.match(line)
        if match is None:
            if _ITEM.match(line) and levels[-1] >= 0:
                continue
            return None
        if _runs_on(match[3] or ""):
            return None
        indent = len(match[1])
        while len(levels) > 1 and indent <= levels[-2]:
            levels.pop()
        if levels[-1] < 0:
            levels[-1] = indent
        depth = len(levels) - 1
        if indent != levels[-1] or match[2] != wanted[depth]:
            continue
        if depth in met:
            return None
        met.add(depth)
        if depth < len(wanted) - 1:
            if (match[3] or "").split("#")[0].strip():
                return None
            levels.append(-1)
        elif (found := _scalar(match[3])) is None:
            return None
    return found


def _runs_on(written: str) -> bool:
    """Whether a value goes on in the next lines: a block, an open quote, an open bracket."""
    value = re.split(r"[ \t]#", written)[0].strip()
    if value.startswith(("|", ">")):
        return True
    if value[:1] in {"'", '"'}:
        return len(value) < 2 or value[-1] != value[0]
    return value.count("{") != value.count("}") or value.count("[") != value.count("]")


def _scalar(written: str | None) -> str | None:
    """A plain or simply quoted string; None for anything that needs a parser to be sure of."""
    text = re.split(r"[ \t]#", written or "")[0].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        inner = text[1:-1]
        return inner if inner and not re.search(r"['\"\\]", inner) else None
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else None


def _parsed(text: str, key: str) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        documents = [one for one in yaml.load_all(text) if one is not None]
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UnreadableError(f"{line}{clean(error.problem)}") from error
    except (YAMLError, RecursionError, ValueError) as error:
        raise UnreadableError(f"not YAML: {clean(error)}") from error
    found = [value for one in documents if (value := _at(one, path_of(key))) is not None]
    if not found:
        raise UnreadableError(f"there is no {key}")
    if len(found) > 1:
        raise UnreadableError(f"{key} is in several documents of the file")
    if not isinstance(found[0], str):
        raise UnreadableError(f"{key} is {_kind(found[0])}")
    if not found[0]:
        raise UnreadableError(f"{key} is empty")
    return found[0]


def _at(value: Any, path: list[str | tuple[str, str]]) -> Any:
    for part in path:
        if isinstance(part, tuple):
            entries = value if isinstance(value, list) else []
            name, wanted = part
            value = next((one for one in entries if isinstance(one, Mapping) and one.get(name) == wanted), None)
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _kind(value: object) -> str:
    """What is there instead of a string; a list or mapping is never printed: it may unfold without end."""
    if isinstance(value, bool | int | float):
        return f"a {'boolean' if isinstance(value, bool) else 'number'} ({value}): quote it"
    return "no single value" if isinstance(value, Mapping | list) else "no string: quote it"
