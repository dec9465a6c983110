"""Files that are no YAML, or not one every reader reads the same."""

from __future__ import annotations

from collections.abc import Iterator

from sgm_tui.gitops.parsed_repository import PLACEHOLDER, ParsedFile, ParsedRepository
from sgm_tui.lint.findings import Finding, Said, Skipped, found, several
from sgm_tui.yaml_reader.marked import Place, place_of_node
from sgm_tui.yaml_reader.nodes import LARGEST, MappingNode, Node, SequenceNode


def check(repository: ParsedRepository) -> Said:
    """Every YAML file of the repository, templates of charts left out."""
    templates: list[str] = []
    for path in repository.yaml_paths:
        parsed = repository.parse_file(path)
        if parsed.error is None:
            yield from _duplicates(path, parsed)
        elif path not in repository.cells_by_file and PLACEHOLDER.search(parsed.text):
            templates.append(path)
        else:
            yield _unreadable(repository, path, parsed)
    if templates:
        yield Skipped(("yaml-invalid",), f"{several(templates, 3)}: a template of another program, no YAML yet")


def _unreadable(repository: ParsedRepository, path: str, parsed: ParsedFile) -> Finding:
    error = parsed.error
    line, column, message = (error.line, error.column, error.message) if error else (1, 1, "")
    if len(repository.checkout.files[path]) > LARGEST:
        return found("yaml-too-large", Place(path), "the file is larger than 1 MB")
    if not parsed.text:
        return found("yaml-encoding", Place(path, line), "a byte that is not UTF-8")
    written = parsed.text.splitlines()[line - 1 : line]
    indentation = written[0][: len(written[0]) - len(written[0].lstrip())] if written else ""
    if "\t" in indentation:
        return found("yaml-tab", Place(path, line, indentation.index("\t") + 1), "a tab in the indentation")
    hint = "Put the whole value in quotes: a template is not YAML." if written and "{{" in written[0] else ""
    return found("yaml-invalid", Place(path, line, column), message, hint)


def _duplicates(path: str, parsed: ParsedFile) -> Iterator[Finding]:
    met: set[int] = set()
    waiting: list[Node] = list(parsed.nodes)
    while waiting:
        node = waiting.pop()
        if id(node) in met:
            continue
        met.add(id(node))
        if isinstance(node, SequenceNode):
            waiting += node.value
        elif isinstance(node, MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                waiting.append(value)
                if key.value in first:
                    message = f"{key.value} is there twice: first in line {first[key.value]}"
                    yield found("yaml-duplicate-key", place_of_node(key, path), message)
                first.setdefault(key.value, key.start_mark.line + 1)
