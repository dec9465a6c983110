"""A package whose own code is deferred gives its submodules without it, and everything else with it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from sgm_tui.wiring.deferred_package import defer_package


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose `__init__` imports a submodule that nobody asked for."""
    folder = tmp_path / "heavypackage"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("from . import models\n__version__ = '1'\nCONSTANT = 2\n")
    (folder / "models.py").write_text("")
    (folder / "light.py").write_text("VALUE = 1\n")
    (folder / "inner" / "__init__.py").write_text("from heavypackage import models\nDEEP = 3\n")
    (folder / "inner" / "leaf.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("", ".models", ".light", ".inner", ".inner.leaf"):
        monkeypatch.delitem(sys.modules, f"heavypackage{name}", raising=False)
    return "heavypackage"


def test_a_submodule_is_imported_without_what_the_package_imports_beside_it(package: str) -> None:
    defer_package(package)
    defer_package(f"{package}.inner")
    assert importlib.import_module(f"{package}.light").VALUE == 1
    importlib.import_module(f"{package}.inner.leaf")
    assert f"{package}.models" not in sys.modules


@pytest.mark.parametrize(("name", "value"), [("CONSTANT", 2), ("__version__", "1")])
def test_whoever_uses_more_of_the_package_gets_all_of_it(package: str, name: str, value: object) -> None:
    defer_package(package)
    assert getattr(sys.modules[package], name) == value
    assert f"{package}.models" in sys.modules
    assert not hasattr(sys.modules[package], "missing")


def test_a_package_inside_a_deferred_one_is_an_attribute_of_it(package: str) -> None:
    defer_package(package)
    defer_package(f"{package}.inner")
    inner = vars(sys.modules[package])["inner"]
    assert inner.DEEP == 3


def test_a_package_that_is_there_already_stays_as_it_is(package: str) -> None:
    whole = importlib.import_module(package)
    defer_package(package)
    assert sys.modules[package] is whole


def test_a_package_that_is_not_installed_is_nobodys_trouble(package: str) -> None:
    defer_package(f"{package}_missing")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{package}_missing")
