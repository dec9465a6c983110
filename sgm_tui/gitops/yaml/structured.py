"""Writing lists and mappings into a YAML file at one key, touching no byte outside that key.

A canary's steps are a list, not a string. What is written looks as if a person had added it to this file: lists are
indented as the file indents them, small mappings stand in braces, line ends are the file's. The result is read again
and has to be the file as it was but for that key, or nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.gitops.yaml.edits import EditRefusedError, descend, documents, find, plain, source_of
from sgm_tui.gitops.yaml.second_reader import disagrees
from sgm_tui.gitops.yaml.style import Style, Value, reading, style_of
from sgm_tui.gitops.yaml.values import is_manifest, path_of
from sgm_tui.yaml_reader.nodes import MappingNode, Node, Path, ScalarNode, SequenceNode, is_merge


@dataclass(frozen=True, slots=True)
class _Place:
    """One key of a mapping, in the text that decides."""

    text: str
    parent: MappingNode
    name: Node
    value: Node

    @property
    def line_start(self) -> int:
        return self.text.rfind("\n", 0, self.name.start_mark.index) + 1

    @property
    def colon_end(self) -> int:
        """Behind the colon of the key."""
        return self.text.index(":", self.name.end_mark.index) + 1

    @property
    def value_end(self) -> int:
        return self.colon_end if self.is_empty else _end_of(self.text, self.value)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written as the value: it reads as null."""
        return isinstance(self.value, ScalarNode) and bool(self.value.start_mark.index == self.value.end_mark.index)

    @property
    def block(self) -> Node | None:
        """The value, where it is a list or mapping on lines of its own."""
        node = self.value
        return node if isinstance(node, MappingNode | SequenceNode) and not node.flow_style else None

    def line_end(self, position: int) -> int:
        """The end of the line a position is in, before its line break."""
        end = self.text.find("\n", position)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > position and self.text[end - 1] == "\r" else end


def set_value(data: bytes, key: str, value: Value) -> bytes:
    """Set what stands at a dotted key; an absent key becomes the last of its mapping, None removes the key.

    Lists and mappings in block style stay so, what was written in brackets stays in brackets. A comment on the key's
    own line stays; comments inside the old value are lost with it.

    Args:
        data: the whole file.
        key: such as `rollout.steps`.
        value: strings, numbers, booleans, lists and mappings of these.

    Raises:
        EditRefusedError: why nothing was changed; what `edit` refuses, and a key whose mapping is not there.
    """
    if value is None:
        return remove_key(data, key)
    path = path_of(key)
    source = source_of(data)
    before = documents(source.text)
    place = _place(source.text, before, path, key)
    style = style_of(source.text)
    start, end, new = (
        _inserted(source.text, before, path, key, value, style) if place is None else _written(place, key, value, style)
    )
    changed, result = source.spliced(start, end, new)
    after = documents(changed)
    if place is None:
        _prove_inserted(before, after, path, key, reading(value))
    else:
        _prove_replaced(before, after, path, key, reading(value))
    _ask_second_reader(source.text, changed, path, value)
    return result


def remove_key(data: bytes, key: str) -> bytes:
    """Take a key and its value out of a file: their lines, and nothing else.

    Args:
        data: the whole file.
        key: such as `rollout.steps`.

    Raises:
        EditRefusedError: there is no such key, it shares its line with others, or it is the only one of its mapping.
    """
    path = path_of(key)
    source = source_of(data)
    before = documents(source.text)
    place = _place(source.text, before, path, key)
    if place is None:
        raise EditRefusedError(f"there is no {key} in the file")
    _refuse_shared(place, key)
    if len(place.parent.value) == 1:
        raise EditRefusedError(f"{key} is alone in its mapping: without it there would be nothing")
    end = place.line_end(place.value_end)
    end = source.text.find("\n", end) + 1 or len(source.text)
    changed, result = source.spliced(place.line_start, end, "")
    _prove_inserted(documents(changed), before, path, key, plain(place.value))
    _ask_second_reader(source.text, changed, path, None)
    return result


def _place(text: str, nodes: Sequence[Node], path: Path, key: str) -> _Place | None:
    """Where a key is; None where it is not."""
    if not any(descend(one, path, key) for one in nodes):
        return None
    value = find(nodes, path, key)
    parent = _parent(nodes, path, key)
    if parent is None or not isinstance(path[-1], str):
        raise EditRefusedError(f"{key} is an entry of a list")
    name = next(one for one, other in parent.value if other is value)
    if "\n" in text[name.start_mark.index : name.end_mark.index] or text[name.start_mark.index] in "!&*":
        raise EditRefusedError(f"the name {key} carries a tag or an anchor")
    return _Place(text, parent, name, value)


def _parent(nodes: Sequence[Node], path: Path, key: str) -> MappingNode | None:
    """The mapping a key is in or would be in; None when there is none."""
    found = [one for document in nodes if isinstance(one := descend(document, path[:-1], key), MappingNode)]
    having = [one for one in found if any(name.value == path[-1] for name, _ in one.value)]
    found = having or (found if len(path) > 1 else found[:1])
    if len(found) > 1:
        raise EditRefusedError(f"{key} could be in several documents of the file")
    if found and not is_manifest(nodes) and descend(nodes[0], path[:-1], key) is not found[0]:
        raise EditRefusedError(f"there is no mapping to put {key} in in the first document, and Helm reads no other")
    return found[0] if found else None


def _written(place: _Place, key: str, value: Value, style: Style) -> tuple[int, int, str]:
    """The characters to replace, and by what, for a key that is there."""
    _refuse_value_node(place, key)
    if place.block is not None:
        return _over_block(place, place.block, value, style)
    start = place.colon_end if place.is_empty else int(place.value.start_mark.index)
    lines = style.block(value, place.name.start_mark.column)
    in_braces = place.parent.flow_style or not isinstance(place.value, ScalarNode)
    if in_braces or lines is None:
        return start, place.value_end, f"{' ' if place.is_empty else ''}{style.flow(value)}"
    _refuse_shared(place, key)
    stop = place.line_end(place.value_end)
    rest = place.text[place.value_end : stop]
    below = "".join(style.line_break + line for line in lines)
    return place.colon_end, stop, (rest if rest.strip() else "") + below


def _over_block(place: _Place, node: Node, value: Value, style: Style) -> tuple[int, int, str]:
    """The same where the old value is on lines of its own, below the key and the comment behind it."""
    column = place.name.start_mark.column
    style = style.with_offset(node.start_mark.column - column, of_list=isinstance(node, SequenceNode))
    head_end, end = place.line_end(place.colon_end), place.line_end(place.value_end)
    lines = style.block(value, column)
    if lines is None:
        return place.colon_end, end, f" {style.flow(value)}{place.text[place.colon_end : head_end]}"
    return head_end, end, "".join(style.line_break + line for line in lines)


def _inserted(
    text: str, before: Sequence[Node], path: Path, key: str, value: Value, style: Style
) -> tuple[int, int, str]:
    """Where to add a key, and what."""
    parent = _parent(before, path, key)
    name = path[-1]
    if parent is None or not isinstance(name, str):
        raise EditRefusedError(f"there is no mapping to put {key} in")
    if parent.flow_style or not parent.value:
        raise EditRefusedError(f"the mapping {key} would be in is written in braces")
    if parent.value[0][0].anchor:
        raise EditRefusedError(f"{key} is beside an anchor")
    if any(is_merge(one) for one, _ in parent.value):
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


def _refuse_value_node(place: _Place, key: str) -> None:
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


def _refuse_shared(place: _Place, key: str) -> None:
    if place.parent.flow_style:
        raise EditRefusedError(f"the mapping {key} is in is written in braces")
    if place.text[place.line_start : place.name.start_mark.index].strip(" "):
        raise EditRefusedError(f"{key} shares its line with what is above it")


def _end_of(text: str, node: Node) -> int:
    """Behind the last character of a node, without the comments and blank lines behind it."""
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


def _prove_replaced(before: Sequence[Node], after: Sequence[Node], path: Path, key: str, new: Any) -> None:
    """Two readings are the same but for one path, and there the second holds what it should."""
    changed = find(after, path, key)
    if plain(changed) != new:
        raise EditRefusedError(f"{key} would not be read back unchanged")
    spared = {id(find(before, path, key)), id(changed)}
    if [plain(one, spared) for one in before] != [plain(one, spared) for one in after]:
        raise EditRefusedError("something else would have changed too")


def _ask_second_reader(before: str, after: str, path: Path, value: Value) -> None:
    if disagrees(before, after, path, value):
        raise EditRefusedError("another reader of YAML would see something else change too")


def _prove_inserted(without: Sequence[Node], having: Sequence[Node], path: Path, key: str, new: Any) -> None:
    """Two readings are the same but for one key, which only the second has."""
    value = find(having, path, key)
    if plain(value) != new:
        raise EditRefusedError(f"{key} would not be read back unchanged")
    parent = _parent(having, path, key)
    if parent is not None:
        parent.value[:] = [pair for pair in parent.value if pair[1] is not value]
    if [plain(one) for one in without] != [plain(one) for one in having]:
        raise EditRefusedError("something else would have changed too")
