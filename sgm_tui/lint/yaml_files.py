"""Find files that are not valid YAML, or that readers of YAML interpret differently."""

from __future__ import annotations

from collections.abc import Iterator

from sgm_tui.gitops.parsed_repository import PLACEHOLDER, ParsedFile, ParsedRepository
from sgm_tui.lint.findings import Finding, Results, Skipped, abbreviate, make_finding
from sgm_tui.yaml_reader.marked import Place, place_of_node
from sgm_tui.yaml_reader.nodes import LARGEST, duplicate_keys


def check(repository: ParsedRepository) -> Results:
    """Check every YAML file of the repository; templates of charts are left out."""
    templates: list[str] = []
    for path in repository.yaml_paths:
        parsed = repository.parse_file(path)
        if parsed.error is None:
            yield from _find_duplicate_keys(path, parsed)
        elif path not in repository.cells_by_file and PLACEHOLDER.search(parsed.text):
            templates.append(path)
        else:
            yield _explain_error(repository, path, parsed)
    if templates:
        yield Skipped(("yaml-invalid",), f"{abbreviate(templates, 3)}: a template of another program, no YAML yet")


def _explain_error(repository: ParsedRepository, path: str, parsed: ParsedFile) -> Finding:
    error = parsed.error
    line, column, message = (error.line, error.column, error.message) if error else (1, 1, "")
    if len(repository.checkout.files[path]) > LARGEST:
        return make_finding("yaml-too-large", Place(path), "the file is larger than 1 MB")
    if not parsed.text:
        return make_finding("yaml-encoding", Place(path, line), "a byte that is not UTF-8")
    lines = parsed.text.splitlines()[line - 1 : line]
    indentation = lines[0][: len(lines[0]) - len(lines[0].lstrip())] if lines else ""
    if "\t" in indentation:
        return make_finding("yaml-tab", Place(path, line, indentation.index("\t") + 1), "a tab in the indentation")
    hint = "Put the whole value in quotes: a template is not YAML." if lines and "{{" in lines[0] else ""
    return make_finding("yaml-invalid", Place(path, line, column), message, hint)


def _find_duplicate_keys(path: str, parsed: ParsedFile) -> Iterator[Finding]:
    for key, first in duplicate_keys(parsed.nodes):
        message = f"{key.value} is there twice: first in line {first.start_mark.line + 1}"
        yield make_finding("yaml-duplicate-key", place_of_node(key, path), message)
