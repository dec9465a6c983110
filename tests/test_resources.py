"""What ships beside the code is found the same way in a wheel and in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from sgm_tui import resources
from sgm_tui.errors import SgmError


@pytest.mark.parametrize("inside", ["package", "."])
def test_files_are_found_inside_the_package_and_beside_it(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    for name in ("gitops-repo", "styles"):
        (tmp_path / inside / name).mkdir(parents=True)
    assert resources.gitops_repository() == tmp_path / inside / "gitops-repo"
    assert resources.styles() == tmp_path / inside / "styles"


def test_an_incomplete_installation_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    with pytest.raises(SgmError, match="styles/ is not beside the package"):
        resources.styles()
