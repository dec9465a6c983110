"""Find the user's own directories: configuration, cache and state, by the XDG base directory specification."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path


def user_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the user's own configuration, whether it exists or not."""
    return _base_directory(environ, "XDG_CONFIG_HOME", ".config") / "sgm" / "config.yaml"


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory for files that cost nothing but time when they are lost, whether it exists or not."""
    return _base_directory(environ, "XDG_CACHE_HOME", ".cache") / "sgm"


def default_state_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory for clones, journals and reports where none is configured, whether it exists or not."""
    return _base_directory(environ, "XDG_STATE_HOME", ".local/state") / "sgm"


def _base_directory(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return one of the XDG base directories; as their specification says, a relative one is ignored.

    Otherwise what is kept, unfinished writes among it, would be found only from the folder where it was kept.
    """
    named = Path(environ.get(variable, ""))
    return named if named.is_absolute() else home_directory(environ) / default


def home_directory(environ: Mapping[str, str]) -> Path:
    """Return the user's home directory; without a usable HOME that of the account, which a container may lack."""
    home = Path(environ.get("HOME", ""))
    if home.is_absolute():
        return home
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")
