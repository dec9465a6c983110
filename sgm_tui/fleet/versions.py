"""The order of versions: that of semver, with numbers inside words compared as numbers (dev-12 after dev-9)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sgm_tui.fleet.images import parse_version
from sgm_tui.fleet.model import Version

_SEMVER = re.compile(
    r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_CHUNK = re.compile(r"([0-9]+)|[^0-9]+")
_HASH = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{7,}|[0-9]{7}|[0-9a-f]{40}|[0-9a-f]{64}")
"""What may be a commit or a digest: seven digits too, as git abbreviates. Its numbers have no order."""
_SEPARATOR = re.compile(r"[-._+]")
_LONGEST = 256
"""Characters; no registry keeps a longer tag."""

Chunks = tuple[tuple[bool, int, str], ...]
Order = tuple[int, int, int, bool, tuple[tuple[bool, int, Chunks], ...]]


def order_of(version: str) -> Order | None:
    """Return what semantic versions sort by; None for any other version (a digest, a branch).

    Mirrors semver 2.0 §11, but for numbers inside a pre-release's words: rc10 comes after rc9. A digest behind the tag
    is ignored.
    """
    match = _SEMVER.fullmatch(parse_version(version)[0])
    if match is None:
        return None
    numbers = int(match[1]), int(match[2]), int(match[3] or 0)
    parts = (match[4] or "").split(".") if match[4] else []
    # A pre-release is older than its release; its numbers are older than its words.
    named = tuple((not one.isdigit(), int(one) if one.isdigit() else 0, _chunks(one)) for one in parts)
    return (*numbers, not parts, named)


def newest_first(versions: Iterable[Version]) -> tuple[Version, ...]:
    """Return each version once: semantic versions by their order, newest first, then the others.

    Of the others those that differ in their numbers only (`dev-12`, `dev-9`) stand together, newest first, where the
    first of them came; the rest stays in the order it came in.
    """
    unique = list(dict.fromkeys(versions))
    ordered = sorted(((order, one) for one in unique if (order := order_of(one)) is not None), reverse=True)
    series: dict[object, list[Version]] = {}
    for version in unique:
        if order_of(version) is None:
            numbered = _numbered(version)
            series.setdefault(version if numbered is None else numbered[0], []).append(version)
    unordered = (one for members in series.values() for one in sorted(members, key=_numbers, reverse=True))
    return (*(one for _, one in ordered), *unordered)


def is_same_image(version: str, other: str) -> bool:
    """Return whether both versions name one image of a repository.

    Where both name a digest the digests decide, as a registry resolves them, else the tags.
    """
    (tag, digest), (other_tag, other_digest) = parse_version(version), parse_version(other)
    if digest and other_digest:
        return digest == other_digest
    return bool(tag) and tag == other_tag


def compare(version: str, other: str) -> int | None:
    """Return -1, 0 or 1 where a version is older, equally old or newer than another; None where they have no order.

    Two semantic versions have one, and two versions that differ only in their numbers (`dev-9`, `dev-12`).
    """
    mine, theirs = order_of(version), order_of(other)
    if mine is not None and theirs is not None:
        return (mine > theirs) - (mine < theirs)
    first, second = _numbered(version), _numbered(other)
    if mine is not None or theirs is not None or first is None or second is None or first[0] != second[0]:
        return None
    return (first[1] > second[1]) - (first[1] < second[1])


def is_older(version: str, other: str) -> bool:
    """Return whether a version is older than another; False where they have no order."""
    return compare(version, other) == -1


def _chunks(text: str) -> Chunks:
    """Split a text into words and numbers, so that numbers sort as numbers, before words."""
    return tuple((not one[1], int(one[1] or 0), one[0]) for one in _CHUNK.finditer(text))


def _numbered(version: str) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Return the words and the numbers of a tag; None where it has no numbers, or some that may be a commit's."""
    tag = parse_version(version)[0]
    if len(tag) > _LONGEST or any(_HASH.fullmatch(part) for part in _SEPARATOR.split(tag)):
        return None
    chunks = _chunks(tag)
    numbers = tuple(number for is_word, number, _ in chunks if not is_word)
    return (tuple(text if is_word else "0" for is_word, _, text in chunks), numbers) if numbers else None


def _numbers(version: Version) -> tuple[int, ...]:
    numbered = _numbered(version)
    return () if numbered is None else numbered[1]
