"""A token that is there and is not sent to this host is named wherever GitHub refuses us for the want of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_github import Lab, _lab, nothing

from sgm_tui.errors import RefusedError
from sgm_tui.forge.github import GithubForge
from sgm_tui.forge.token import why_no_token

ENVIRON = {"GH_TOKEN": "ghp_ofanotherhost0000"}
WHY = "GH_TOKEN is not sent to ghe.acme.test: name it in GH_HOST"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as lab_here:
        yield lab_here


def forge_of(lab: Lab, environ: dict[str, str], token: str = "") -> GithubForge:
    named = replace(lab.config, github=replace(lab.config.github, api_url="https://ghe.acme.test/api/v3"))
    return GithubForge(lab.config, token, lab.state.clock.wall, why_unsent=lambda: why_no_token(named, environ))


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize(
    "ask",
    [lambda one: one.list_recent(nothing), lambda one: one.find_open("sgm/x"), lambda one: one.close(7)],
    ids=["list", "find", "close"],
)
async def test_what_is_refused_says_that_the_token_was_not_sent(
    lab: Lab, status: int, ask: Callable[[GithubForge], Awaitable[object]]
) -> None:
    for path in ("pulls", "7"):
        lab.answers["GET", path] = [(status, "Requires authentication")]
    if status == 401:
        lab.answers.clear()
    with pytest.raises(RefusedError) as refused:
        await ask(forge_of(lab, ENVIRON))
    assert WHY in str(refused.value)
    assert refused.value.exit_code == 4


async def test_where_no_token_is_withheld_nothing_is_said_of_one(lab: Lab) -> None:
    with pytest.raises(RefusedError) as refused:
        await forge_of(lab, {}).list_recent(nothing)
    assert "is not sent" not in str(refused.value)
    assert forge_of(lab, {}).note == ""


async def test_what_works_without_a_token_notes_it(lab: Lab) -> None:
    assert WHY in forge_of(lab, ENVIRON).note
    assert forge_of(lab, ENVIRON, token="ghp_another00000000").note == ""
