"""What a change must pass, one session each: `nox` runs all, `nox -s fast` the loop of a working day.

Sessions use the environment nox runs in (`.venv/bin/nox`), where the project and its tools already are; only `pythons`
makes environments of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "pythons"]
nox.options.default_venv_backend = "none"

OLDEST = (3, 11)
TOOLS = Path(sys.executable).parent
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole suite."""
    session.run(TOOLS / "pytest", "-n", "auto", *session.posargs)


@nox.session
def fast(session: nox.Session) -> None:
    """Run what is quick: everything but whole programs and most screens."""
    session.run(TOOLS / "pytest", "-n", "auto", "-m", "not slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, types and import contracts."""
    session.run(TOOLS / "ruff", "check", ".")
    session.run(TOOLS / "ruff", "format", "--check", ".")
    session.run(TOOLS / "mypy")
    session.run(TOOLS / "mypy", "benchmarks", env={"MYPYPATH": "tests:tests/operations:tests/sandbox:benchmarks"})
    session.run(TOOLS / "lint-imports")


@nox.session
def pythons(session: nox.Session) -> None:
    """Run the tests of the screens on every further Python of this machine.

    Since 3.12 eager tasks change what runs first.
    """
    for version, python in sorted(_further_pythons().items()):
        environment = Path(session.create_tmp()) / f"python{version}"
        shutil.rmtree(environment, ignore_errors=True)
        session.log(f"the tests of the screens on Python {version} ({python})")
        session.run(python, "-m", "venv", environment, external=True)
        session.run(environment / "bin" / "pip", "install", "-q", "-e", ".[dev]", external=True)
        session.run(environment / "bin" / "pytest", "-q", "-n", "auto", "tests/ui", external=True)
        shutil.rmtree(environment)


def _further_pythons() -> dict[str, str]:
    """Return version → interpreter of every supported release but our own that can make an environment.

    A shim on the path may exist and not run, so that only an interpreter that answers counts.
    """
    candidates = [str(path) for path in sorted(PYENV.glob("versions/3.*/bin/python3"))]
    names = (f"python3.{minor}" for minor in range(OLDEST[1], 30))
    candidates += [path for path in map(shutil.which, names) if path]
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    pythons: dict[str, str] = {}
    for candidate in candidates:
        version = _version(candidate)
        if version is not None and version != ours:
            pythons.setdefault(version, candidate)
    return pythons


def _version(python: str) -> str | None:
    """Return `3.12`, or None when the interpreter is too old, does not run, or cannot make an environment."""
    program = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    match = re.fullmatch(r"(\d+)\.(\d+)\n", answer.stdout)
    return match[0].strip() if match and (int(match[1]), int(match[2])) >= OLDEST else None
