"""Where files are: those that ship inside the package of a wheel or beside it in a checkout, and a person's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sgm_tui.errors import SgmError

_PACKAGE = Path(__file__).parent


def gitops_repository() -> Path:
    """The bundled platform repository: seed of the embedded fleet, fixture and documentation in one."""
    return _find("gitops-repo")


def styles() -> Path:
    """The folder of style sheets, one a screen."""
    return _find("styles")


def manual() -> dict[str, Path]:
    """Return the pages of the manual by name, in alphabetical order."""
    return {page.stem: page for page in sorted(_find("docs").glob("*.md"))}


def user_file(environ: Mapping[str, str]) -> Path:
    """A person's own configuration, whether it is there or not."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "sgm" / "config.yaml"


def _find(name: str) -> Path:
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise SgmError(f"{name}/ is not beside the package", "The installation is incomplete: reinstall sgm-tui.")
