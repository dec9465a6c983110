"""One repository in all its spellings, and repositories that only look alike."""

from __future__ import annotations

import pytest

from sgm_tui.config.schema import Config, GithubConfig, RepositoryConfig
from sgm_tui.fleet.git_urls import is_same_repository
from sgm_tui.gitops.parsed_repository import Checkout, ParsedRepository
from sgm_tui.live.naming import Naming
from sgm_tui.operations.platform import read_platform

SPELLINGS = (
    "https://github.com/acme/gitops",
    "https://github.com/acme/gitops.git",
    "https://github.com/acme/gitops/",
    "https://github.com/acme/gitops.git/",
    "https://GitHub.com/Acme/GitOps",
    "https://user@github.com/acme/gitops",
    "https://user:secret@github.com/acme/gitops.git",
    "https://github.com:443/acme/gitops",
    "http://github.com/acme/gitops",
    "http://github.com:80//acme/gitops",
    "ssh://git@github.com/acme/gitops.git",
    "ssh://git@github.com:22/acme/gitops",
    "ssh://git@ssh.github.com:443/acme/gitops.git",
    "ssh://github.com/acme/gitops",
    "git+ssh://git@github.com/acme/gitops",
    "git@github.com:acme/gitops.git",
    "git@github.com:/acme/gitops",
    "github.com:acme/gitops",
    "git://github.com/acme/gitops",
    " https://github.com/acme/gitops ",
    "https://github.com/acme/git%6Fps",
)
OTHERS = (
    "https://github.com/acme/gitops-charts",
    "https://github.com/acme/charts",
    "https://github.com/other/gitops",
    "https://gitlab.com/acme/gitops",
    "git@gitlab.com:acme/gitops.git",
    "https://github.com.evil.example/acme/gitops",
    "https://github.com@evil.example/acme/gitops",
    "https://evil.example/github.com/acme/gitops",
    "https://github.com:8443/acme/gitops",
    "https://github.com",
    "ghcr.io/acme/gitops",
    "",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_repository_is_known_in_all_its_spellings(spelling: str) -> None:
    assert is_same_repository(spelling, SPELLINGS[0])
    assert is_same_repository(SPELLINGS[0], spelling)


@pytest.mark.parametrize("other", OTHERS)
def test_another_repository_is_another(other: str) -> None:
    assert not is_same_repository(other, SPELLINGS[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://dev.azure.com/org/project/_git/repo", "git@ssh.dev.azure.com:v3/org/project/repo"),
        ("https://git.example.com:3000/a/b", "ssh://git@git.example.com:2222/a/b.git"),
        ("file:///srv/git/gitops.git", "file:///srv/git/gitops"),
    ],
)
def test_ssh_has_a_host_port_or_path_of_its_own(one: str, other: str) -> None:
    assert is_same_repository(one, other)


CONFIGURED = Config(
    RepositoryConfig("ssh://git@git.internal:2222/mirror/gitops", web="https://code.example.com/acme/gitops"),
    (),
    github=GithubConfig("acme/gitops", api_url="https://ghe.example.com/api/v3"),
)


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://git.internal/mirror/gitops.git", True),
        ("git@code.example.com:acme/gitops.git", True),
        ("https://ghe.example.com/acme/gitops", True),
        ("git@ghe.example.com:acme/gitops.git", True),
        ("https://github.com/acme/gitops", False),
        ("https://ghe.example.com/acme/charts", False),
    ],
)
def test_what_runs_lint_and_writes_know_our_repository_by_every_url_it_is_configured_with(url: str, ours: bool) -> None:
    assert Naming(CONFIGURED).is_repository(url) is ours
    assert ParsedRepository(Checkout({}), CONFIGURED).is_this_repository(url) is ours
    assert read_platform({}, CONFIGURED).ours(url) is ours
