"""What is kept for the user is found again, from whatever folder sgm is started in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sgm_tui import user_directories


@pytest.mark.parametrize(
    ("find", "variable", "under_home"),
    [
        (user_directories.user_file, "XDG_CONFIG_HOME", ".config/sgm/config.yaml"),
        (user_directories.cache_directory, "XDG_CACHE_HOME", ".cache/sgm"),
        (user_directories.default_state_directory, "XDG_STATE_HOME", ".local/state/sgm"),
    ],
)
def test_nothing_is_kept_in_the_folder_one_happens_to_be_in(
    find: Callable[[Mapping[str, str]], Path], variable: str, under_home: str
) -> None:
    assert find({variable: "/base", "HOME": "/home/me"}).is_relative_to("/base/sgm")
    for unusable in ("", "relative", "./x", "~/x"):
        assert find({variable: unusable, "HOME": "/home/me"}) == Path("/home/me") / under_home
        for home in ({}, {"HOME": ""}, {"HOME": "home"}):
            assert find({variable: unusable, **home}).is_absolute()


def test_a_user_without_an_account_has_directories_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 3_999_999_999)
    assert user_directories.cache_directory({}) == Path("/.cache/sgm")
