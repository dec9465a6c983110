"""Where the files that ship beside the code are: inside the package of a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from sgm_tui.errors import SgmError

_PACKAGE = Path(__file__).parent


def gitops_repository() -> Path:
    """The bundled platform repository: seed of the embedded fleet, fixture and documentation in one."""
    return _find("gitops-repo")


def styles() -> Path:
    """The folder of style sheets, one a screen."""
    return _find("styles")


def _find(name: str) -> Path:
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise SgmError(f"{name}/ is not beside the package", "The installation is incomplete: install sgm-tui again.")
