"""Find the files that ship with sgm, inside the wheel's package or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from sgm_tui.errors import SgmError

_PACKAGE = Path(__file__).parent


def gitops_repository() -> Path:
    """Return the folder of the bundled platform repository, which seeds the embedded fleet and serves as a fixture."""
    return _find("gitops-repo")


def styles() -> Path:
    """Return the folder of style sheets, one per screen."""
    return _find("styles")


def manual() -> dict[str, Path]:
    """Return the pages of the manual by name, in alphabetical order."""
    return {page.stem: page for page in sorted(_find("docs").glob("*.md"))}


def _find(name: str) -> Path:
    """Return a folder that ships with sgm.

    Raises:
        SgmError: it is missing.
    """
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise SgmError(f"{name}/ is not beside the package", "The installation is incomplete: reinstall sgm-tui.")
