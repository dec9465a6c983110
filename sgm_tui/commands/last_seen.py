"""Where the dashboard keeps what it shows for the first frame of its next start."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from sgm_tui.config.team_file import find_team_file, fingerprint
from sgm_tui.user_directories import cache_directory


def find_last_seen_file(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Path | None:
    """Return the file for exactly this configuration, whether it exists or not; None where there is no configuration.

    A change of either configuration file, of a flag or of the environment leads to another file: what is shown was
    never written by another configuration.
    """
    flags = {"repository.url": arguments.repo or "", "config": str(arguments.config or "")}
    try:
        team_file = find_team_file(arguments.config, arguments.repo or "", environ)
        if team_file is None:
            return None
        digest = fingerprint(team_file, flags, environ)
        return cache_directory(environ) / "last-seen" / f"{digest}.jsonl" if digest is not None else None
    except OSError:
        return None  # reading the configuration says what is wrong with it
