"""Check CODEOWNERS: values files without an owner, and lines that have no effect."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sgm_tui.fleet.codeowners import OWNER, PLACES, OwnerRule, Owners
from sgm_tui.gitops.parsed_repository import ParsedRepository
from sgm_tui.lint.findings import Finding, Results, Skipped, make_finding
from sgm_tui.yaml_reader.marked import Place

_RULES = ("codeowners-gap", "codeowners-syntax", "codeowners-hidden", "codeowners-stale", "codeowners-ignored")


def check(repository: ParsedRepository) -> Results:
    """Check the CODEOWNERS file that GitHub reads."""
    present = [path for path in PLACES if path in repository.checkout.files]
    if not present:
        yield Skipped(_RULES, "there is no CODEOWNERS")
        return
    path = present[0]
    for other in present[1:]:
        yield make_finding("codeowners-ignored", Place(other), f"GitHub reads {path} and never this file")
    text = repository.checkout.files[path].decode("utf-8-sig", "replace")
    mistakes = list(_find_mistakes(text, path))
    yield from mistakes
    unread = {one.place.line for one in mistakes}
    owners = Owners("\n".join("" if number in unread else line for number, line in enumerate(text.splitlines(), 1)))
    yield from _find_useless_lines(owners, repository.paths, path)
    if repository.cells_by_file:
        yield from _find_gaps(owners, sorted(repository.cells_by_file), path)


def _find_mistakes(text: str, path: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if words[0].startswith("!"):
            yield make_finding("codeowners-syntax", Place(path, number), f"{words[0]}: CODEOWNERS has no negation")
        elif "[" in words[0]:
            yield make_finding(
                "codeowners-syntax", Place(path, number), f"{words[0]}: CODEOWNERS has no character ranges"
            )
        for word in words[1:]:
            if not OWNER.fullmatch(word):
                place = Place(path, number, line.index(word) + 1)
                yield make_finding("codeowners-syntax", place, f"{word} is no @user, no @org/team and no e-mail")


def _find_useless_lines(owners: Owners, paths: Sequence[str], path: str) -> Iterator[Finding]:
    """Yield lines that never decide, and lines that match no file."""
    for index, rule in enumerate(owners.rules):
        mine = [one for one in paths if rule.matches(one)]
        hiding = next((later for later in owners.rules[index + 1 :] if _hides(later, rule, mine)), None)
        if hiding is not None:
            message = f"{rule.pattern} never decides: line {hiding.line} ({hiding.pattern}) comes later and matches all"
            yield make_finding("codeowners-hidden", Place(path, rule.line), message)
        elif not mine:
            yield make_finding("codeowners-stale", Place(path, rule.line), f"{rule.pattern} matches no file")


def _hides(later: OwnerRule, rule: OwnerRule, mine: Sequence[str]) -> bool:
    """Whether a later line matches every file this one matches, and every file it could match."""
    return all(later.matches(one) for one in (*mine, *_sample_paths(rule.pattern)))


def _sample_paths(pattern: str) -> list[str]:
    """Return made-up paths that a pattern matches: below it, and at other depths if it is not rooted."""
    name = "sgm-probe"
    concrete = re.sub(r"\*+|\?", name, pattern.strip("/"))
    below = [f"{concrete}/{name}", f"{concrete}/{name}/{name}"]
    samples = below if pattern.endswith("/") else [concrete] if pattern.endswith("/*") else [concrete, *below]
    rooted = "/" in pattern.rstrip("/")
    return samples if rooted else [*samples, *(f"{name}/{one}" for one in samples)]


def _find_gaps(owners: Owners, values: Sequence[str], path: str) -> Iterator[Finding]:
    """Find values files without an owner, by the line that removes their owners or the highest folder without any."""
    by_line: dict[int, list[str]] = defaultdict(list)
    unowned: list[str] = []
    for file in values:
        rule = owners.rule_of(file)
        if rule is None:
            unowned.append(file)
        elif not rule.owners:
            by_line[rule.line].append(file)
    for line, files in sorted(by_line.items()):
        message = f"this line takes every owner from {_count(files)}, {files[0]} for one"
        yield make_finding("codeowners-gap", Place(path, line), message, "Name owners on the line.")
    owned = [one for one in values if one not in set(unowned)]
    folders: dict[str, list[str]] = defaultdict(list)
    for file in unowned:
        folders[_highest_unowned_folder(file, owned)].append(file)
    for folder, files in sorted(folders.items()):
        message = f"no owner for {_count(files)} under /{folder}"
        yield make_finding("codeowners-gap", Place(path), message, f"Add a line: /{folder} @org/team")


def _highest_unowned_folder(file: str, owned: Sequence[str]) -> str:
    """Return the highest folder above a file in which no values file has an owner."""
    parts = file.split("/")
    for end in range(1, len(parts)):
        folder = "/".join(parts[:end]) + "/"
        if not any(other.startswith(folder) for other in owned):
            return folder
    return file


def _count(files: Sequence[str]) -> str:
    return f"{len(files)} values files" if len(files) > 1 else "the values file"
