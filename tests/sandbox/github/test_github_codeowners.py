"""CODEOWNERS patterns as GitHub documents them."""

from __future__ import annotations

import pytest

from sgm_tui.sandbox.github.codeowners import owner_sets, owners_of, parse


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "any/where/file", True),
        ("*.js", "deep/down/app.js", True),
        ("*.js", "app.ts", False),
        ("/build/logs/", "build/logs/one/two.log", True),
        ("/build/logs/", "other/build/logs/x", False),
        ("docs/*", "docs/getting-started.md", True),
        ("docs/*", "docs/build-app/troubleshooting.md", False),
        ("apps/", "nested/apps/x/y", True),
        ("apps/", "apps", False),
        ("/apps/", "nested/apps/x", False),
        ("**/logs", "deeply/nested/logs/today", True),
        ("**/logs", "logs/today", True),
        ("/apps/github", "apps/github/readme", True),
        ("*/platform/", "dev/platform/x/values.yaml", True),
        ("/prod/", "prod/prod-eu1/app-service/cart/values.yaml", True),
        ("/prod/**/values.yaml", "prod/prod-eu1/app-service/cart/values.yaml", True),
        ("/Prod/", "prod/x", False),
        ("/file", "file", True),
        ("/fil?", "file", True),
    ],
)
def test_patterns_fit_what_github_says_they_fit(pattern: str, path: str, fits: bool) -> None:
    lines, mistakes = parse(f"{pattern} @acme/team")
    assert not mistakes
    assert bool(owners_of(lines, path)) == fits


def test_the_last_line_that_fits_decides_and_may_name_nobody() -> None:
    lines, _ = parse("* @acme/all  # everybody\n/dev/ @ana @acme/dev\n/dev/free/\n")
    assert owners_of(lines, "prod/x") == ("@acme/all",)
    assert owners_of(lines, "dev/x") == ("@ana", "@acme/dev")
    assert owners_of(lines, "dev/free/x") == ()
    assert owner_sets(lines, ["dev/x", "dev/y", "prod/x", "dev/free/x"]) == [("@ana", "@acme/dev"), ("@acme/all",)]


def test_lines_github_skips_own_nothing() -> None:
    lines, mistakes = parse("!x @ana\n[section] @ana\n/a nobody\n")
    assert lines == []
    assert [(one.line, one.kind) for one in mistakes] == [
        (1, "Invalid pattern"), (2, "Invalid pattern"), (3, "Invalid owner"),
    ]  # fmt: skip
