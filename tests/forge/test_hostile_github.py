"""A GitHub that trickles, floods or sends us elsewhere: every call ends with an error of ours, no write is repeated."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import hostile
import pytest
from origin import config_of, origin_in
from test_github import BRANCH

from sgm_tui.config.schema import Config
from sgm_tui.errors import SgmError, UnreachableError
from sgm_tui.forge import client
from sgm_tui.forge.github import GithubForge
from sgm_tui.transport.limits import Limits

SHORT = Limits(silence=0.3, total=0.5, size=1 << 20)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(client, "_LIMITS", SHORT)
    origin = origin_in(tmp_path)
    config = config_of(origin, tmp_path)
    origin.close()
    return config


def forge_at(config: Config, url: str) -> GithubForge:
    return GithubForge(replace(config, github=replace(config.github, api_url=f"{url}/api/v3")), "ghp_secret")


def test_the_limits_bound_time_and_memory() -> None:
    assert client._LIMITS.total <= 30
    assert client._LIMITS.size <= 64 << 20


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (hostile.trickle(), "did not finish its answer within"),
        (hostile.trickle(b"HTTP/1.1 200 OK\r\nX-Slow:"), "did not finish its answer within"),
        (hostile.endless, "sent more than 1 MB"),
        (hostile.bomb(), "sent more than 1 MB"),
        (hostile.nested(), "cannot be read"),
        (hostile.whole(b"[1", Content_Length="9"), "closed the connection|gave no answer"),
    ],
)
async def test_an_answer_without_end_ends(config: Config, answer: hostile.Answer, words: str) -> None:
    with hostile.serving(answer) as (url, _):
        started = time.monotonic()
        with pytest.raises(UnreachableError, match=words):
            await forge_at(config, url).find_open(BRANCH)
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_no_read_and_no_write_leads_to_another_server(config: Config, status: str) -> None:
    with hostile.serving(hostile.whole(b"[]")) as (other, there):
        with hostile.serving(hostile.elsewhere(other, status)) as (url, lines):
            forge = forge_at(config, url)
            with pytest.raises(UnreachableError, match="redirects to another server"):
                await forge.find_open(BRANCH)
            with pytest.raises(SgmError, match="redirects"):
                await forge._read(lambda: forge._client.write("PATCH", "/repos/acme/gitops/pulls/1", {}))
        assert [line.split()[0] for line in lines] == ["GET", "PATCH"]
        assert there == []


async def test_a_repository_that_was_renamed_is_followed_with_its_filters(config: Config) -> None:
    answers = [
        hostile.whole(b"", "301 Moved", Location="/api/v3/repositories/7/pulls?state=open"),
        hostile.whole(b"[]"),
    ]
    with hostile.serving(lambda connection, head: answers.pop(0)(connection, head)) as (url, lines):
        assert await forge_at(config, url).find_open(BRANCH) is None
    assert lines[1] == "GET /api/v3/repositories/7/pulls?state=open HTTP/1.1"


async def test_an_answer_that_is_for_ever_being_prepared_is_none(config: Config) -> None:
    preparing = pytest.raises(UnreachableError, match="still preparing its answer")
    with hostile.serving(hostile.whole(b"{}", "202 Accepted")) as (url, lines), preparing:
        await forge_at(config, url).find_open(BRANCH)
    assert len(lines) == 1
