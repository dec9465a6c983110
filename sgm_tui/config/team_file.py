"""Find the team's sgm.yaml and identify a configuration, without reading it: the first frame must not wait for that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sgm_tui.user_directories import user_file


def find_team_file(path: Path | None, repository: str, environ: Mapping[str, str]) -> Path | None:
    """Return the team file that `--config` or SGM_CONFIG names, or that of a local checkout which `--repo` names."""
    if path is not None or environ.get("SGM_CONFIG"):
        return path or Path(environ["SGM_CONFIG"])
    local = Path(repository) / "sgm.yaml"
    return local if repository and "://" not in repository and local.is_file() else None


def fingerprint(file: Path, flags: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """Return a digest of everything that decides what a configuration says: both files and what overrides them.

    None where the team file is no regular file: a pipe (`--config <(decrypt sgm.yaml)`) can be read only once, and a
    device has no end.

    Raises:
        OSError: the team file cannot be read.
    """
    if not file.is_file():
        return None
    user = user_file(environ)
    overrides = sorted(item for item in environ.items() if item[0].startswith("SGM_"))
    digest = hashlib.sha256(repr((str(file.absolute()), sorted(flags.items()), overrides)).encode())
    digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(hashlib.sha256(user.read_bytes() if user.is_file() else b"").digest())
    return digest.hexdigest()[:32]
