"""Where the clone, the journal, the plan and the audit of a fleet are kept."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sgm_tui.errors import ConfigError
from sgm_tui.private_files import make_private_directory
from sgm_tui.user_directories import default_state_directory

if TYPE_CHECKING:
    from sgm_tui.config.schema import Config

logger = logging.getLogger("sgm")


def state_directory(config: Config) -> Path:
    """Return where our clones, journals and audits live; whoever writes there makes it, for its owner only."""
    return config.state_directory or default_state_directory(os.environ)


def fleet_directory(config: Config) -> Path:
    """Return where the plan, journal, audit and marks of one repository and branch live.

    What is planned for one fleet, or was begun in it, must never be written to another.
    """
    name = hashlib.sha256(f"{config.repository.url} {config.repository.branch}".encode()).hexdigest()[:16]
    return state_directory(config) / "fleets" / name


def make_clone_directory(config: Config, *, read_only: bool) -> tuple[Path, bool]:
    """Return the directory to clone to, and whether it is temporary; a read-only session needs no directory of ours.

    Raises:
        ConfigError: the state directory cannot be made, and something is to be written.
    """
    directory = state_directory(config)
    try:
        make_private_directory(directory)
        if read_only:
            with tempfile.TemporaryFile(dir=directory):
                pass
    except OSError as error:
        if read_only:
            logger.info("the clone is temporary: %s: %s", directory, error.strerror)
            return Path(tempfile.mkdtemp(prefix="sgm-")), True
        raise ConfigError(f"{directory}: {error.strerror}", "Set state_directory to a writable directory.") from error
    return directory / "repositories", False
