"""CODEOWNERS by GitHub's documented rules."""

from __future__ import annotations

import pytest

from sgm_tui.fleet.codeowners import Owners


@pytest.mark.parametrize(
    ("pattern", "path", "owned"),
    [
        ("*", "any/where/file", True),
        ("*.js", "app.js", True),
        ("*.js", "deep/down/app.js", True),
        ("*.js", "app.ts", False),
        ("/build/logs/", "build/logs/one/two.log", True),
        ("/build/logs/", "other/build/logs/x", False),
        ("docs/*", "docs/getting-started.md", True),
        ("docs/*", "docs/build-app/troubleshooting.md", False),
        ("docs/*", "other/docs/file.md", False),
        ("apps/", "nested/apps/x/y", True),
        ("apps/", "apps", False),
        ("/apps/", "nested/apps/x", False),
        ("/apps/", "apps/x", True),
        ("**/logs", "deeply/nested/logs/today", True),
        ("**/logs", "logs/today", True),
        ("**/logs", "catalogs/today", False),
        ("/apps/github", "apps/github/readme", True),
        ("/apps/github", "apps/github", True),
        ("/apps/github", "apps/github-two", False),
        ("*/platform/", "dev/platform/x/values.yaml", True),
        ("*/platform/", "dev/eu1/platform/x", False),
        ("/prod/**", "prod/a/b/c", True),
        ("/prod/**/values.yaml", "prod/prod-eu1/app-service/cart/values.yaml", True),
        ("/prod/**/values.yaml", "prod/values.yaml", True),
        ("/prod/**/values.yaml", "prod/xvalues.yaml", False),
        ("a/**/b/**/c", "a/b/c", True),
        ("/Prod/", "prod/x", False),
        ("/file", "file", True),
        ("/file", "deep/file", False),
        ("file", "deep/file", True),
        ("/fil?", "file", True),
        ("/fil?", "fil/e", False),
        ("/a.b", "aXb", False),
        ("/a+(b)", "a+(b)", True),
    ],
)
def test_a_pattern_owns_what_github_says_it_owns(pattern: str, path: str, owned: bool) -> None:
    assert Owners(f"{pattern} @acme/team").of(path) == (("@acme/team",) if owned else ())


def test_the_last_line_that_matches_decides_and_owners_do_not_add_up() -> None:
    owners = Owners("* @acme/all\n/dev/ @ana @acme/dev\n/dev/free/\n*.md docs@example.org\n")
    assert owners.of("prod/x") == ("@acme/all",)
    assert owners.of("dev/x") == ("@ana", "@acme/dev")
    assert owners.of("dev/free/x") == ()
    assert owners.of("dev/free/x.md") == ("docs@example.org",)


def test_comments_and_empty_lines_own_nothing() -> None:
    owners = Owners("# * @nobody\n\n   \n* @acme/all  # everybody @else\n#/dev/ @dev\n")
    assert owners.of("dev/x") == ("@acme/all",)


def test_what_github_does_not_support_is_skipped() -> None:
    owners = Owners("* @acme/all\n!dev @ana\n[section] @ana\n/[ab]/ @ana\n")
    assert owners.of("dev") == ("@acme/all",)
    assert owners.of("a/x") == ("@acme/all",)


def test_an_empty_file_owns_nothing() -> None:
    assert Owners("").of("dev/x") == ()


def test_a_line_github_does_not_read_owns_nothing() -> None:
    owners = Owners("* @acme/platform\n/prod/ @acme/sre oncall\n")
    assert owners.of("prod/x/values.yaml") == ("@acme/platform",)


def test_every_distinct_set_of_owners_has_to_approve() -> None:
    owners = Owners("* @acme/all\n/dev/ @ana @acme/dev\n/dev/free/\n")
    assert owners.sets_of(["dev/x", "dev/y", "prod/x", "dev/free/x"]) == [("@ana", "@acme/dev"), ("@acme/all",)]


def test_the_lines_github_skips_are_listed_with_their_position() -> None:
    owners = Owners("!x @ana\n[section] @ana\n/a nobody\n")
    assert owners.rules == ()
    assert [(error.line, error.column, error.kind) for error in owners.errors] == [
        (1, 1, "Invalid pattern"), (2, 1, "Invalid pattern"), (3, 4, "Invalid owner"),
    ]  # fmt: skip
