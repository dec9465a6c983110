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
"""Words that are versions and not the name of an image."""


def reference_in(value: str, key: str) -> ImageReference | None:
    """Return the image reference at the image key; None if the value is a bare version.

    Whether a word without a slash or a colon names an image depends on the key: at `image` it does, at `tag` not.

    Args:
        value: the string in the file.
        key: its dotted key.

    Raises:
        ValueError: it looks like a reference but is not valid; the message says why.
    """
    if not _is_reference(value, key):
        return None
    if _REFERENCE.fullmatch(value) is None:
        raise ValueError("is neither a version nor an image reference")
    return parse_image(value)


def image_in(value: str, key: str) -> str:
    """Return the image that a value of the image key names; "" if it names none."""
    try:
        reference = reference_in(value, key)
    except ValueError:
        return ""
    return "" if reference is None else reference.name


def version_of(value: str, key: str) -> str:
    """Return the version in a value of the image key: of a reference the tag, the digest or both.

    Raises:
        ValueError: it looks like a reference but is not valid.
    """
    reference = reference_in(value, key)
    return value if reference is None else str(reference.version)


def with_version(value: str, key: str, version: str) -> str:
    """Return the value with another version; a reference keeps its image.

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
    name, _, _ = value.partition("@")
    if "/" in name or ":" in name:
        return True
    is_image_key = key.rpartition(".")[2].lower().endswith("image")
    return is_image_key and _VERSION.fullmatch(name) is None
