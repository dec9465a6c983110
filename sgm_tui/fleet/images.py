"""Image references, taken apart in one place: registry and name, tag, digest (grammar: distribution/reference)."""

from __future__ import annotations

from dataclasses import dataclass

from sgm_tui.fleet.model import Version

_IMPLIED_TAG = "latest"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """`[registry[:port]/]name[:tag][@digest]`, split."""

    name: str
    """Registry and repository as written: `localhost:5000/acme/cart`."""
    tag: str = ""
    digest: str = ""

    @property
    def version(self) -> Version:
        """Return the tag, the digest, or `tag@digest`; `latest` where neither is written, as every runtime reads it."""
        return Version("@".join(part for part in (self.tag, self.digest) if part) or _IMPLIED_TAG)

    def with_version(self, version: str) -> str:
        """Return the reference of the same image in another version (a tag, a digest or both)."""
        separator = "@" if _is_digest(version) else ":"
        return f"{self.name}{separator}{version}"


def parse_image(image: str) -> ImageReference:
    """Split an image reference; a colon before the last slash belongs to the registry's port, not to a tag."""
    named, _, digest = image.partition("@")
    folder, slash, last = named.rpartition("/")
    name, _, tag = last.partition(":")
    return ImageReference(f"{folder}{slash}{name}", tag, digest)


def parse_version(version: str) -> tuple[str, str]:
    """Split a version into tag and digest; "" for what it does not name."""
    if _is_digest(version):
        return "", version
    tag, _, digest = version.partition("@")
    return tag, digest


def _is_digest(version: str) -> bool:
    return "@" not in version and ":" in version
