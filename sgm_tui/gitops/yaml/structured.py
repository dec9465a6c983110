"""Write lists and mappings at one key of a YAML file, without changing a byte outside that key.

A canary's steps are a list, not a string. The new lines follow the style of the file: its indentation and line ends,
and braces for small mappings. The result is read again; unless only that key has changed, the edit is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgm_tui.gitops.yaml.edits import (
    EditRefusedError,
    compose_documents,
    descend,
    find_editable_node,
    read_source,
)
from sgm_tui.gitops.yaml.keys import is_manifest, pairs_named, parse_key
from sgm_tui.gitops.yaml.proof import (
    comparable,
    find_insertion_mistake,
    find_replacement_mistake,
    find_second_reader_mistake,
)
from sgm_tui.gitops.yaml.style import Style, Value, comparable_value, detect_style
from sgm_tui.yaml_reader.nodes import MappingNode, Node, Path, ScalarNode, SequenceNode, is_merge


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of one key in the text of a file."""

    text: str
    parent: MappingNode
    name: Node
    value: Node

    @property
    def line_start(self) -> int:
        return self.text.rfind("\n", 0, self.name.start_mark.index) + 1

    @property
    def colon_end(self) -> int:
        """The position after the colon of the key."""
        return self.text.index(":", self.name.end_mark.index) + 1

    @property
    def value_end(self) -> int:
        return self.colon_end if self.is_empty else _end_of(self.text, self.value)

    @property
    def is_empty(self) -> bool:
        """Whether the value is empty, which reads as null."""
        return isinstance(self.value, ScalarNode) and bool(self.value.start_mark.index == self.value.end_mark.index)

    @property
    def block(self) -> Node | None:
        """The value if it is a list or mapping on lines of its own."""
        node = self.value
        return node if isinstance(node, MappingNode | SequenceNode) and not node.flow_style else None

    def line_end(self, position: int) -> int:
        """Return the end of the line of a position, before the line break."""
        end = self.text.find("\n", position)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > position and self.text[end - 1] == "\r" else end


def set_value(data: bytes, key: str, value: Value) -> bytes:
    """Set the value at a dotted key; a new key becomes the last of its mapping, None removes the key.

    Lists and mappings keep their style, block or brackets. A comment on the line of the key stays; comments inside the
    old value are removed with it.

    Args:
        data: the whole file.
        key: such as `rollout.steps`.
        value: strings, numbers, booleans, lists and mappings of these.

    Raises:
        EditRefusedError: the reason; as `edit`, and if the mapping of the key does not exist.
    """
    if value is None:
        return remove_key(data, key)
    path = parse_key(key)
    source = read_source(data)
    before = compose_documents(source.text)
    place = _find_place(source.text, before, path, key)
    style = detect_style(source.text)
    start, end, new = (
        _plan_insertion(source.text, before, path, key, value, style)
        if place is None
        else _plan_replacement(place, key, value, style)
    )
    changed, result = source.splice(start, end, new)
    after = compose_documents(changed)
    new_node, expected = find_editable_node(after, path, key), comparable_value(value)
    if place is None:
        mistake = find_insertion_mistake(before, after, _parent(after, path, key), new_node, expected, key)
    else:
        old_node = find_editable_node(before, path, key)
        mistake = find_replacement_mistake(before, after, old_node, new_node, expected, key)
    _refuse(mistake or find_second_reader_mistake(source.text, changed, path, value))
    return result


def remove_key(data: bytes, key: str) -> bytes:
    """Remove the lines of a key and its value from a file.

    Args:
        data: the whole file.
        key: such as `rollout.steps`.

    Raises:
        EditRefusedError: there is no such key, it shares its line with others, or it is the only key of its mapping.
    """
    path = parse_key(key)
    source = read_source(data)
    before = compose_documents(source.text)
    place = _find_place(source.text, before, path, key)
    if place is None:
        raise EditRefusedError(f"there is no {key} in the file")
    _refuse_shared_line(place, key)
    if len(place.parent.value) == 1:
        raise EditRefusedError(f"{key} is alone in its mapping: without it there would be nothing")
    end = place.line_end(place.value_end)
    end = source.text.find("\n", end) + 1 or len(source.text)
    changed, result = source.splice(place.line_start, end, "")
    old_node = find_editable_node(before, path, key)
    mistake = find_insertion_mistake(
        compose_documents(changed), before, _parent(before, path, key), old_node, comparable(place.value), key
    )
    _refuse(mistake or find_second_reader_mistake(source.text, changed, path, None))
    return result


def _find_place(text: str, nodes: Sequence[Node], path: Path, key: str) -> _Place | None:
    """Return the position of a key; None if it does not exist."""
    if not any(descend(document, path, key) for document in nodes):
        return None
    value = find_editable_node(nodes, path, key)
    parent = _parent(nodes, path, key)
    if parent is None or not isinstance(path[-1], str):
        raise EditRefusedError(f"{key} is an entry of a list")
    name = next(name_node for name_node, node in parent.value if node is value)
    if "\n" in text[name.start_mark.index : name.end_mark.index] or text[name.start_mark.index] in "!&*":
        raise EditRefusedError(f"the name {key} carries a tag or an anchor")
    return _Place(text, parent, name, value)


def _parent(nodes: Sequence[Node], path: Path, key: str) -> MappingNode | None:
    """Return the mapping a key is in or would be in; None if there is none."""
    mappings = [node for document in nodes if isinstance(node := descend(document, path[:-1], key), MappingNode)]
    with_key = [mapping for mapping in mappings if pairs_named(mapping, str(path[-1]))]
    candidates = with_key or (mappings if len(path) > 1 else mappings[:1])
    if len(candidates) > 1:
        raise EditRefusedError(f"{key} could be in several documents of the file")
    if candidates and not is_manifest(nodes) and descend(nodes[0], path[:-1], key) is not candidates[0]:
        raise EditRefusedError(f"there is no mapping to put {key} in in the first document, and Helm reads no other")
    return candidates[0] if candidates else None


def _plan_replacement(place: _Place, key: str, value: Value, style: Style) -> tuple[int, int, str]:
    """Return start and end of the characters to replace, and the new text, for a key that exists."""
    _refuse_old_value(place, key)
    if place.block is not None:
        return _plan_block_replacement(place, place.block, value, style)
    start = place.colon_end if place.is_empty else int(place.value.start_mark.index)
    lines = style.block(value, place.name.start_mark.column)
    in_braces = place.parent.flow_style or not isinstance(place.value, ScalarNode)
    if in_braces or lines is None:
        return start, place.value_end, f"{' ' if place.is_empty else ''}{style.flow(value)}"
    _refuse_shared_line(place, key)
    stop = place.line_end(place.value_end)
    rest = place.text[place.value_end : stop]
    below = "".join(style.line_break + line for line in lines)
    return place.colon_end, stop, (rest if rest.strip() else "") + below


def _plan_block_replacement(place: _Place, node: Node, value: Value, style: Style) -> tuple[int, int, str]:
    """Return the same for a value on lines of its own, below the key and the comment after it."""
    column = place.name.start_mark.column
    style = style.with_offset(node.start_mark.column - column, of_list=isinstance(node, SequenceNode))
    head_end, end = place.line_end(place.colon_end), place.line_end(place.value_end)
    lines = style.block(value, column)
    if lines is None:
        return place.colon_end, end, f" {style.flow(value)}{place.text[place.colon_end : head_end]}"
    return head_end, end, "".join(style.line_break + line for line in lines)


def _plan_insertion(
    text: str, before: Sequence[Node], path: Path, key: str, value: Value, style: Style
) -> tuple[int, int, str]:
    """Return the position (twice) at which to insert a new key, and the text."""
    parent = _parent(before, path, key)
    name = path[-1]
    if parent is None or not isinstance(name, str):
        raise EditRefusedError(f"there is no mapping to put {key} in")
    if parent.flow_style or not parent.value:
        raise EditRefusedError(f"the mapping {key} would be in is written in braces")
    if parent.value[0][0].anchor:
        raise EditRefusedError(f"{key} is beside an anchor")
    if any(is_merge(name_node) for name_node, _ in parent.value):
        raise EditRefusedError(f"a merge key (<<) is on the path to {key}")
    column = parent.value[0][0].start_mark.column
    last = _Place(text, parent, *parent.value[-1])
    end = text.find("\n", last.line_end(last.value_end)) + 1
    lines = style.block(value, column)
    head = f"{' ' * column}{style.name(name)}:"
    entry = [f"{head} {style.flow(value)}"] if lines is None else [head, *lines]
    if not end:
        return len(text), len(text), "".join(style.line_break + line for line in entry)
    return end, end, "".join(line + style.line_break for line in entry)


def _refuse_old_value(place: _Place, key: str) -> None:
    node = place.value
    if place.text[node.start_mark.index : node.start_mark.index + 1] in {"!", "&", "*"}:
        raise EditRefusedError(f"{key} carries a tag or an anchor")
    if not isinstance(node, ScalarNode):
        if "!" in place.text[place.colon_end : node.start_mark.index]:
            raise EditRefusedError(f"{key} carries a tag or an anchor")
        return
    if node.style in {"|", ">"}:
        raise EditRefusedError(f"{key} is a block of text")
    if "\n" in place.text[place.name.end_mark.index : place.value_end]:
        raise EditRefusedError(f"{key} runs over several lines")


def _refuse_shared_line(place: _Place, key: str) -> None:
    if place.parent.flow_style:
        raise EditRefusedError(f"the mapping {key} is in is written in braces")
    if place.text[place.line_start : place.name.start_mark.index].strip(" "):
        raise EditRefusedError(f"{key} shares its line with what is above it")


def _end_of(text: str, node: Node) -> int:
    """Return the position after the last character of a node, without the comments and blank lines after it."""
    last = node
    while isinstance(last, MappingNode | SequenceNode) and not last.flow_style and last.value:
        if isinstance(last, MappingNode):
            place = _Place(text, last, *last.value[-1])
            if place.is_empty:
                return place.colon_end
            last = place.value
        else:
            last = last.value[-1]
    start, end = int(last.start_mark.index), int(last.end_mark.index)
    return start + len(text[start:end].rstrip())


def _refuse(mistake: str) -> None:
    if mistake:
        raise EditRefusedError(mistake)
