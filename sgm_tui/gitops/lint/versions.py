"""The version of every values file: there, a string, one that never moves, and one that can be changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from sgm_tui.gitops.edits import EditRefusedError, edit
from sgm_tui.gitops.lint.findings import Finding, Said, Skipped, found
from sgm_tui.gitops.lint.image_key import Located, locate
from sgm_tui.gitops.lint.subject import Subject, node_place
from sgm_tui.gitops.marked import Place

_RULES = ("image-key-missing", "image-key-uneditable", "version-missing", "version-mutable", "version-not-a-string")
_MOVING = frozenset(
    {"alpha", "beta", "canary", "current", "default", "dev", "develop", "development", "edge", "head", "latest", "main"}
    | {"master", "newest", "nightly", "prod", "production", "rc", "release", "snapshot", "stable", "stage", "staging"}
    | {"test", "trunk"}
)
_MAJOR = re.compile(r"v\d{1,3}|\d{1,2}")
_RANGE = re.compile(r"[\^~><=*]|(?:^|\.)x(?:$|\.)")
_NOT_A_STRING = {
    "a number": re.compile(
        r"[-+]?(?:\d[\d_]*|0x[\da-fA-F_]+|0o?[0-7_]+|0b[01_]+|\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
        r"|\.(?:inf|Inf|INF)|\d[\d_]*(?::[0-5]?\d)+(?:\.\d*)?)|\.(?:nan|NaN|NAN)"
    ),
    "a boolean": re.compile(r"(?i:y|n|yes|no|on|off|true|false)"),
    "nothing": re.compile(r"~|null|Null|NULL"),
    "a date": re.compile(r"\d{4}-\d\d?-\d\d?(?:[Tt ].*)?"),
}
"""What YAML 1.1 or 1.2 reads instead of a string, where there are no quotes."""
_RISKY = ("&", "*", "<<", "{{", "{%", "ENC[", "sops:", "!", "\t")


def check(subject: Subject) -> Said:
    """Every values file the layout finds."""
    if subject.config is None:
        yield Skipped(_RULES, "sgm.yaml cannot be used")
        return
    if not subject.cells_of:
        yield Skipped(_RULES, "no file matches layout.values")
    for path in sorted(subject.cells_of):
        if subject.parsed(path).error is None:
            yield from _version(subject, path, subject.config.layout.image_key)


def _version(subject: Subject, path: str, key: str) -> Iterator[Finding]:
    at = locate(subject.parsed(path).nodes, key)
    node = at.node
    if node is None and at.merged:
        message = f"a merge key (<<) stands on the way to {key}"
        yield found("image-key-uneditable", _deepest(at, path), message)
    elif node is None:
        yield _missing(at, path, key)
    elif not isinstance(node, ScalarNode):
        yield found("image-key-missing", node_place(node, path), f"{key} is no single value")
    else:
        wrong = _wrong(node, at.key if at.key is not None and not node.value else node, path, key)
        if wrong is not None:
            yield wrong
        elif (reason := _refusal(subject, path, key, node)) is not None:
            yield found("image-key-uneditable", node_place(node, path), reason)


def _deepest(at: Located, path: str) -> Place:
    return node_place(at.deepest, path) if at.deepest is not None else Place(path)


def _missing(at: Located, path: str, key: str) -> Finding:
    names = [one.value for one, _ in at.deepest.value] if isinstance(at.deepest, MappingNode) else []
    nearest = difflib.get_close_matches(at.missing, [name for name in names if isinstance(name, str)], n=1)
    hint = f"; did you mean {at.missing} where {nearest[0]} stands?" if nearest else ""
    return found("image-key-missing", _deepest(at, path), f"there is no {key}{hint}")


def _wrong(node: ScalarNode, shown: Node, path: str, key: str) -> Finding | None:
    text, place = str(node.value), node_place(shown, path)
    if not text.strip() and (node.style or not text):
        return found("version-missing", place, f"{key} is empty")
    kind = next((word for word, pattern in _NOT_A_STRING.items() if pattern.fullmatch(text)), "")
    if not node.style and kind:
        return found("version-not-a-string", place, f"{text} is {kind} to YAML{_becomes(text)}", f'Write "{text}".')
    if text.lower() in _MOVING or text.upper().endswith("-SNAPSHOT"):
        return found("version-mutable", place, f"{text} is a name that moves")
    if _MAJOR.fullmatch(text):
        return found("version-mutable", place, f"{text} moves with every release of it")
    if _RANGE.search(text):
        return found("version-mutable", place, f"{text} is a range, not a version")
    return None


def _becomes(text: str) -> str:
    """What is left of a number when it is printed again."""
    try:
        number = float(text) if not text.isdigit() else int(text)
    except ValueError:
        return ""
    printed = f"{number:g}" if isinstance(number, float) else str(number)
    return f" and becomes {printed}" if printed != text else ""


def _refusal(subject: Subject, path: str, key: str, node: ScalarNode) -> str | None:
    """Why sgm would refuse to change the version: the editor itself is asked where anything looks unusual."""
    text = subject.parsed(path).text
    plain = node.style in {None, "'", '"'} and node.start_mark.line == node.end_mark.line
    if plain and not any(sign in text for sign in _RISKY) and len(subject.parsed(path).nodes) == 1:
        return None
    try:
        edit(subject.checkout.files[path], key, "v0.0.0")
    except EditRefusedError as error:
        return str(error)
    return None
