"""The version of every values file: there, a string, one that never moves, and one that can be changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.image_values import reference_in
from sgm_tui.gitops.yaml.values import unprintable
from sgm_tui.lint.findings import Finding, Said, Skipped, found
from sgm_tui.lint.image_key import Located, locate
from sgm_tui.yaml_reader.marked import Place, place_of_node
from sgm_tui.yaml_reader.nodes import MappingNode, Node, ScalarNode
from sgm_tui.yaml_reader.scalars import shown

_RULES = ("image-key-missing", "image-key-uneditable", "version-missing", "version-mutable", "version-not-a-string")
_MOVING = frozenset(
    {"alpha", "beta", "canary", "current", "default", "dev", "develop", "development", "edge", "head", "latest", "main"}
    | {"master", "newest", "nightly", "prod", "production", "rc", "release", "snapshot", "stable", "stage", "staging"}
    | {"test", "trunk"}
)
_MAJOR = re.compile(r"v\d{1,3}|\d{1,2}")
_RANGE = re.compile(r"[\^~><=*]|(?:^|\.)x(?:$|\.)")
_RISKY = ("&", "*", "<<", "{{", "{%", "ENC[", "sops:", "!", "\t")


def check(repository: ParsedRepository) -> Said:
    """Every values file the layout finds."""
    if repository.config is None:
        yield Skipped(_RULES, "sgm.yaml cannot be used")
        return
    if not repository.cells_by_file:
        yield Skipped(_RULES, "no file matches layout.values")
    for path in sorted(repository.cells_by_file):
        if repository.parse_file(path).error is None:
            yield from _version(repository, path, repository.config.layout.image_key)


def _version(repository: ParsedRepository, path: str, key: str) -> Iterator[Finding]:
    nodes = repository.parse_file(path).nodes
    at = locate(nodes, key)
    node = at.node
    if node is None and at.merged:
        message = f"a merge key (<<) is on the path to {key}"
        yield found("image-key-uneditable", _deepest(at, path), message)
    elif node is None:
        yield _missing(at, path, key, is_later=any(locate([one], key).node for one in nodes[1:]))
    elif not isinstance(node, ScalarNode):
        yield found("image-key-missing", place_of_node(node, path), f"{key} is no single value")
    else:
        wrong = _wrong(node, at.key if at.key is not None and not node.value else node, path, key)
        if wrong is not None:
            yield wrong
        elif (reason := _refusal(repository, path, key, node)) is not None:
            yield found("image-key-uneditable", place_of_node(node, path), reason)


def _deepest(at: Located, path: str) -> Place:
    return place_of_node(at.deepest, path) if at.deepest is not None else Place(path)


def _missing(at: Located, path: str, key: str, *, is_later: bool) -> Finding:
    names = [one.value for one, _ in at.deepest.value] if isinstance(at.deepest, MappingNode) else []
    nearest = difflib.get_close_matches(at.missing, names, n=1)
    hint = f"; did you mean {at.missing} where {nearest[0]} stands?" if nearest else ""
    later = " in the first document, and Helm reads no other" if is_later else ""
    return found("image-key-missing", _deepest(at, path), f"there is no {key}{later}{hint}")


def _wrong(node: ScalarNode, place_node: Node, path: str, key: str) -> Finding | None:
    text, place = str(node.value), place_of_node(place_node, path)
    if not text.strip() and (node.style or not text):
        return found("version-missing", place, f"{key} is empty")
    if node.type:
        becomes = shown(node.scalar)
        kept = "" if becomes == text or node.type in {"nothing", "a date"} else f" and becomes {becomes}"
        return found("version-not-a-string", place, f"{text} is {node.type} to YAML{kept}", f'Write "{text}".')
    try:
        reference = reference_in(text, key)
    except ValueError as error:
        return found("image-key-uneditable", place, f"{key} {error}: {text}")
    if reference is not None and not reference.tag and not reference.digest:
        return found("version-missing", place, f"{text} names no tag: what runs is latest")
    return _moving(text if reference is None else str(reference.version), place, key)


def _moving(version: str, place: Place, key: str) -> Finding | None:
    if version.lower() in _MOVING or version.upper().endswith("-SNAPSHOT"):
        return found("version-mutable", place, f"{version} is a name that moves")
    if _MAJOR.fullmatch(version):
        return found("version-mutable", place, f"{version} moves with every release of it")
    if _RANGE.search(version):
        return found("version-mutable", place, f"{version} is a range, not a version")
    if hidden := unprintable(version):
        return found("image-key-uneditable", place, f"{key} {hidden}", "Type the version again.")
    return None


def _refusal(repository: ParsedRepository, path: str, key: str, node: ScalarNode) -> str | None:
    """Why sgm would refuse to change the version: the editor itself is asked where anything looks unusual."""
    text = repository.parse_file(path).text
    plain = node.style in {"", "'", '"'} and node.start_mark.line == node.end_mark.line
    if plain and not any(sign in text for sign in _RISKY) and len(repository.parse_file(path).nodes) == 1:
        return None
    try:
        edit(repository.checkout.files[path], key, "v0.0.0")
    except EditRefusedError as error:
        return str(error)
    return None
