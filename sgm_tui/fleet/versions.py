"""The order of versions, as semver has it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sgm_tui.fleet.model import Version

_SEMVER = re.compile(r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]+)?")
Order = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def order_of(version: str) -> Order | None:
    """What versions sort by, as semver has it; None for what is no such version (a digest, a branch)."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        return None
    numbers = int(found[1]), int(found[2]), int(found[3] or 0)
    parts = (found[4] or "").split(".") if found[4] else []
    # A pre-release is older than its release; its numbers are older than its words.
    named = tuple((not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in parts)
    return (*numbers, not parts, named)


def newest_first(versions: Iterable[Version]) -> tuple[Version, ...]:
    """Each version once: semantic versions by their order, newest first, then the others as they came."""
    unique = list(dict.fromkeys(versions))
    ordered = sorted(((order, one) for one in unique if (order := order_of(one)) is not None), reverse=True)
    return (*(one for _, one in ordered), *(one for one in unique if order_of(one) is None))


def is_same_image(version: str, other: str) -> bool:
    """Whether both name one image of a repository: by its digest where both say it, as a registry resolves it, else
    by its tag.
    """
    (tag, digest), (other_tag, other_digest) = _reference(version), _reference(other)
    if digest and other_digest:
        return digest == other_digest
    return bool(tag) and tag == other_tag


def _reference(version: str) -> tuple[str, str]:
    """Tag and digest of `tag`, `sha256:…` or `tag@sha256:…`; "" for what is not said."""
    tag, at, digest = version.partition("@")
    if at:
        return tag, digest
    return ("", version) if ":" in version else (version, "")


def is_older(version: str, other: str) -> bool:
    """Whether it is older than the other, where both can be compared; what cannot is older than nothing."""
    mine, theirs = order_of(version), order_of(other)
    return mine is not None and theirs is not None and mine < theirs
