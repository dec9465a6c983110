"""The value of the image key: a bare version (`v1.2.3`), or a whole image reference (`docker.io/acme/app:3.0`)."""

from __future__ import annotations

import re

from sgm_tui.fleet.images import ImageReference, parse_image

_REFERENCE = re.compile(
    r"[A-Za-z0-9][\w.-]*(?::\d{1,5}(?=/))?(?:/[A-Za-z0-9][\w.-]*)*(?::\w[\w.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]+)?",
    re.ASCII,
)
"""distribution/reference, upper case in names allowed."""
_DIGEST = re.compile(r"(?:sha256|sha384|sha512|blake3):", re.ASCII)
_VERSION = re.compile(r"v?\d[\w.-]*|[0-9a-f]{7,64}", re.ASCII)
"""Tags that no image is named after."""


def reference_in(value: str, key: str) -> ImageReference | None:
    """Return the image reference a value of the image key is; None for a bare version.

    Whether a word without a slash or a colon names an image is told by the key: `image` does, `tag` does not.

    Args:
        value: the string in the file.
        key: the dotted key it stands at.

    Raises:
        ValueError: it has the form of a reference and is none; says why.
    """
    if not _is_reference(value, key):
        return None
    if _REFERENCE.fullmatch(value) is None:
        raise ValueError("is neither a version nor an image reference")
    return parse_image(value)


def image_in(value: str, key: str) -> str:
    """Return the image a value of the image key names, "" where it names none."""
    try:
        reference = reference_in(value, key)
    except ValueError:
        return ""
    return "" if reference is None else reference.name


def version_of(value: str, key: str) -> str:
    """Return the version in a value of the image key: of a reference the tag, the digest or both.

    Raises:
        ValueError: it has the form of a reference and is none.
    """
    reference = reference_in(value, key)
    return value if reference is None else str(reference.version)


def with_version(value: str, key: str, version: str) -> str:
    """Return the value in another version; of a reference the image stays the same.

    Raises:
        ValueError: the value is no reference, or the version does not fit into one.
    """
    reference = reference_in(value, key)
    if reference is None:
        return version
    changed = reference.with_version(version)
    if reference_in(changed, key) is None or parse_image(changed).name != reference.name:
        raise ValueError("would name another image")
    return changed


def _is_reference(value: str, key: str) -> bool:
    if _DIGEST.match(value):
        return False
    named, _, _ = value.partition("@")
    if "/" in named or ":" in named:
        return True
    is_image_key = key.rpartition(".")[2].lower().endswith("image")
    return is_image_key and _VERSION.fullmatch(named) is None
