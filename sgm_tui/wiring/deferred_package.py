"""Import modules of a package without what its own `__init__` imports beside them."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any


def defer_package(name: str) -> None:
    """Make a package whose `__init__` runs only when something of it is used that is not an imported submodule.

    `kubernetes` imports its synchronous client, OAuth and a watcher by itself: 130 ms and 266 modules that nobody who
    imports `kubernetes.aio.client` uses. A package that is imported already, or is not installed, stays as it is.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, package = spec.loader, importlib.util.module_from_spec(spec)

    def run_init(attribute: str) -> Any:
        if is_dunder(attribute) or "__getattr__" not in vars(package):
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        del vars(package)["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = run_init
    sys.modules[name] = package
    link_to_parent(name, package)


def is_dunder(name: str) -> bool:
    """Return whether a name is one Python itself looks up; none of these is worth running `__init__` for."""
    return name.startswith("__") and name.endswith("__") and name != "__version__"


def link_to_parent(name: str, package: ModuleType) -> None:
    """Make `package` an attribute of the package it is in, as importing it does."""
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)
