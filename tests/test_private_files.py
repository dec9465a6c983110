"""A secret is read from a file with bounds: whatever the file is, the answer is a sentence, and never takes long."""

from __future__ import annotations

from pathlib import Path

import pytest

from sgm_tui.config.schema import Config, GithubConfig, RepositoryConfig
from sgm_tui.errors import UnreachableError
from sgm_tui.forge.token import github_token
from sgm_tui.private_files import read_secret


def test_a_secret_is_read_without_the_blanks_around_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  ghp_abc\n")
    assert read_secret("github.token_file", tmp_path / "token") == "ghp_abc"


def file_that_is(kind: str, directory: Path) -> Path:
    file = directory / "token"
    match kind:
        case "binary":
            file.write_bytes(b"\xff\xfe")
        case "a directory":
            file.mkdir()
        case "endless":
            return Path("/dev/zero")
        case _:
            pass
    return file


FILES = pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "No such file or directory"),
        ("a directory", "Is a directory"),
        ("binary", "it is not UTF-8"),
        ("endless", "it is larger than 64 KiB"),
    ],
)


@FILES
def test_what_is_no_secret_is_refused_with_its_reason(tmp_path: Path, kind: str, reason: str) -> None:
    file = file_that_is(kind, tmp_path)
    with pytest.raises(UnreachableError, match=f"registry.token_file {file}: {reason}"):
        read_secret("registry.token_file", file)


@FILES
def test_githubs_token_file_is_read_so_too(tmp_path: Path, kind: str, reason: str) -> None:
    github = GithubConfig("acme/gitops", token_file=file_that_is(kind, tmp_path))
    config = Config(RepositoryConfig("https://github.com/acme/gitops.git"), (), github=github)
    with pytest.raises(UnreachableError, match=reason):
        github_token(config, {})
