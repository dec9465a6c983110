"""What ships beside the code is found the same way in a wheel and in a checkout."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from sgm_tui import resources
from sgm_tui.errors import SgmError


@pytest.mark.parametrize("inside", ["package", "."])
def test_files_are_found_inside_the_package_and_beside_it(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    for name in ("docs", "gitops-repo", "styles"):
        (tmp_path / inside / name).mkdir(parents=True)
    assert resources.gitops_repository() == tmp_path / inside / "gitops-repo"
    assert resources.styles() == tmp_path / inside / "styles"
    (tmp_path / inside / "docs" / "status.md").write_text("# Status\n")
    assert resources.manual() == {"status": tmp_path / inside / "docs" / "status.md"}


def test_every_page_of_the_manual_and_every_schema_is_packed_into_the_wheel() -> None:
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    packed = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    pages = {f"docs/{page}.md" for page in resources.manual()}
    schemas = {f"docs/{schema.name}" for schema in (Path(__file__).parents[1] / "docs").glob("*.schema.json")}
    assert {page for page in packed if page.startswith("docs/")} == pages | schemas


def test_every_page_that_a_message_names_exists() -> None:
    package = Path(resources.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    named = {page for text in texts for page in re.findall(r"sgm help ([a-z]+)", text)}
    assert named
    assert named <= set(resources.manual()) | {"status"}


def test_an_incomplete_installation_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    with pytest.raises(SgmError, match="styles/ is not beside the package"):
        resources.styles()
