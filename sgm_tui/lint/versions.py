"""Check the version in every values file: it is there, a string, immutable, and can be changed by sgm."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.image_values import reference_in
from sgm_tui.gitops.yaml.keys import Location, locate
from sgm_tui.gitops.yaml.values import reason_unprintable
from sgm_tui.lint.findings import Finding, Results, Skipped, make_finding
from sgm_tui.yaml_reader.marked import Place, place_of_node
from sgm_tui.yaml_reader.nodes import MappingNode, Node, ScalarNode
from sgm_tui.yaml_reader.scalars import format_scalar

_RULES = ("image-key-missing", "image-key-uneditable", "version-missing", "version-mutable", "version-not-a-string")
_MUTABLE_NAMES = frozenset(
    {"alpha", "beta", "canary", "current", "default", "dev", "develop", "development", "edge", "head", "latest", "main"}
    | {"master", "newest", "nightly", "prod", "production", "rc", "release", "snapshot", "stable", "stage", "staging"}
    | {"test", "trunk"}
)
_MAJOR = re.compile(r"v\d{1,3}|\d{1,2}")
_RANGE = re.compile(r"[\^~><=*]|(?:^|\.)x(?:$|\.)")
_RISKY = ("&", "*", "<<", "{{", "{%", "ENC[", "sops:", "!", "\t")


def check(repository: ParsedRepository) -> Results:
    """Check every values file of the layout."""
    if repository.config is None:
        yield Skipped(_RULES, "sgm.yaml cannot be used")
        return
    if not repository.cells_by_file:
        yield Skipped(_RULES, "no file matches layout.values")
    for path in sorted(repository.cells_by_file):
        if repository.parse_file(path).error is None:
            yield from _check_version(repository, path, repository.config.layout.image_key)


def _check_version(repository: ParsedRepository, path: str, key: str) -> Iterator[Finding]:
    nodes = repository.parse_file(path).nodes
    at = locate(nodes, key)
    node = at.node
    if node is None and at.has_merge_key:
        message = f"a merge key (<<) is on the path to {key}"
        yield make_finding("image-key-uneditable", _deepest_place(at, path), message)
    elif node is None:
        yield _explain_missing(at, path, key, is_later=any(locate([one], key).node for one in nodes[1:]))
    elif not isinstance(node, ScalarNode):
        yield make_finding("image-key-missing", place_of_node(node, path), f"{key} is no single value")
    else:
        mistake = _find_mistake(node, at.key if at.key is not None and not node.value else node, path, key)
        if mistake is not None:
            yield mistake
        elif (reason := _reason_edit_is_refused(repository, path, key, node)) is not None:
            yield make_finding("image-key-uneditable", place_of_node(node, path), reason)


def _deepest_place(at: Location, path: str) -> Place:
    return place_of_node(at.deepest, path) if at.deepest is not None else Place(path)


def _explain_missing(at: Location, path: str, key: str, *, is_later: bool) -> Finding:
    names = [name.value for name, _ in at.deepest.value] if isinstance(at.deepest, MappingNode) else []
    nearest = difflib.get_close_matches(at.missing, names, n=1)
    hint = f"; did you mean {at.missing} where {nearest[0]} stands?" if nearest else ""
    later = " in the first document, and Helm reads no other" if is_later else ""
    return make_finding("image-key-missing", _deepest_place(at, path), f"there is no {key}{later}{hint}")


def _find_mistake(node: ScalarNode, place_node: Node, path: str, key: str) -> Finding | None:
    text, place = str(node.value), place_of_node(place_node, path)
    if not text.strip() and (node.style or not text):
        return make_finding("version-missing", place, f"{key} is empty")
    if node.type:
        becomes = format_scalar(node.scalar)
        change = "" if becomes == text or node.type in {"nothing", "a date"} else f" and becomes {becomes}"
        return make_finding("version-not-a-string", place, f"{text} is {node.type} to YAML{change}", f'Write "{text}".')
    try:
        reference = reference_in(text, key)
    except ValueError as error:
        return make_finding("image-key-uneditable", place, f"{key} {error}: {text}")
    if reference is not None and not reference.tag and not reference.digest:
        return make_finding("version-missing", place, f"{text} names no tag: what runs is latest")
    return _find_mutable(text if reference is None else str(reference.version), place, key)


def _find_mutable(version: str, place: Place, key: str) -> Finding | None:
    if version.lower() in _MUTABLE_NAMES or version.upper().endswith("-SNAPSHOT"):
        return make_finding("version-mutable", place, f"{version} is a name that moves")
    if _MAJOR.fullmatch(version):
        return make_finding("version-mutable", place, f"{version} moves with every release of it")
    if _RANGE.search(version):
        return make_finding("version-mutable", place, f"{version} is a range, not a version")
    if hidden := reason_unprintable(version):
        return make_finding("image-key-uneditable", place, f"{key} {hidden}", "Type the version again.")
    return None


def _reason_edit_is_refused(repository: ParsedRepository, path: str, key: str, node: ScalarNode) -> str | None:
    """Return why sgm would refuse to change the version; None if it would not.

    Only a file with unusual syntax is edited to find out.
    """
    text = repository.parse_file(path).text
    is_plain = node.style in {"", "'", '"'} and node.start_mark.line == node.end_mark.line
    if is_plain and not any(sign in text for sign in _RISKY) and len(repository.parse_file(path).nodes) == 1:
        return None
    try:
        edit(repository.checkout.files[path], key, "v0.0.0")
    except EditRefusedError as error:
        return str(error)
    return None
