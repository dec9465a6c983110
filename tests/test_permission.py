"""Read-only holds at the transports: whoever forgets to ask before still writes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sgm_tui.config.schema import Config, GithubConfig, RepositoryConfig
from sgm_tui.errors import RefusedError
from sgm_tui.forge.github import GithubForge
from sgm_tui.gitops.repository import Repository
from sgm_tui.live.connection import ClusterConnection
from sgm_tui.permission import WritePermission
from sgm_tui.session import LiveSession

URL = "http://127.0.0.1:1"
HEAD = "a" * 40
CONFIG = Config(
    repository=RepositoryConfig(url=f"{URL}/acme/gitops.git"),
    stages=(),
    github=GithubConfig(repository="acme/gitops", api_url=URL),
)
Send = Callable[[Any], Awaitable[object]]
FORGE: dict[str, Send] = {
    "approve": lambda forge: forge.approve(7, HEAD),
    "auto-merge": lambda forge: forge.try_auto_merge(7, HEAD),
    "let merge": lambda forge: forge.enable_auto_merge(7, HEAD),
    "stop auto-merge": lambda forge: forge.disable_auto_merge(7),
    "update": lambda forge: forge.update_branch(7, HEAD),
    "close": lambda forge: forge.close(7),
    "supersede": lambda forge: forge.supersede(7, HEAD, "#8"),
    "open": lambda forge: forge.open(None, HEAD),
}


@pytest.fixture
def read_only() -> WritePermission:
    return LiveSession(read_only=True).permission


@pytest.mark.parametrize("send", FORGE.values(), ids=FORGE.keys())
async def test_nothing_is_sent_to_github(
    read_only: WritePermission, monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    forge = GithubForge(CONFIG, "", permission=read_only)
    sent: list[object] = []
    monkeypatch.setattr(forge._client, "call", sent.append)
    with pytest.raises(RefusedError, match="read-only: nothing is written to GitHub") as refused:
        await send(forge)
    assert (refused.value.exit_code, sent) == (4, [])


async def test_nothing_is_pushed_or_deleted(
    read_only: WritePermission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(CONFIG.repository.url, "main", tmp_path)
    repository.permission = read_only
    ran: list[object] = []
    monkeypatch.setattr(repository._process, "run", lambda *arguments, **_: ran.append(arguments) or b"")
    calls: list[Send] = [
        lambda one: one.push(HEAD, "sgm/x", ""),
        lambda one: one.push(HEAD, "main", HEAD),
        lambda one: one.delete("sgm/x", HEAD),
    ]
    for call in calls:
        with pytest.raises(RefusedError, match=r"read-only: nothing is written to 127\.0\.0\.1"):
            await call(repository)
    assert ran == []


async def test_nothing_is_patched(read_only: WritePermission, tmp_path: Path) -> None:
    connection = ClusterConnection("prod-eu1", tmp_path / "no-kubeconfig", permission=read_only)
    with pytest.raises(RefusedError, match="read-only: nothing is written to prod-eu1"):
        await connection.patch("/apis", {}, content_type="application/merge-patch+json")


async def test_a_session_that_becomes_read_only_takes_its_transports_along(tmp_path: Path) -> None:
    session = LiveSession()
    connection = ClusterConnection("prod-eu1", tmp_path / "no-kubeconfig", permission=session.permission)
    session.read_only = True
    with pytest.raises(RefusedError, match="read-only"):
        await connection.patch("/apis", {}, content_type="application/merge-patch+json")
