"""Our own clone of a real bare repository: what is read, what is pushed, and what git is never given."""

from __future__ import annotations

import base64
import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from origin import DEV, FILES, STAGING, STARTED, origin_in, with_version
from plain_server import mounted

from sgm_tui.errors import ConfigError, RefusedError, UnreachableError
from sgm_tui.gitops.repository import Repository
from sgm_tui.sandbox.git.process import git_environment
from sgm_tui.sandbox.git.repository import Repository as Origin

AUTHOR = ("sgm", "sgm@example.org")
TOKEN = "ghp_averysecrettoken0123456789"
HOOKS = (
    "post-index-change", "pre-push", "reference-transaction", "post-update", "pre-commit", "post-commit", "post-merge",
    "post-checkout", "pre-auto-gc", "fsmonitor-watchman",
)  # fmt: skip


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    made = origin_in(tmp_path)
    yield made
    made.close()


@pytest.fixture
def clone(origin: Origin, tmp_path: Path) -> Repository:
    return Repository(origin.path.as_uri(), "main", tmp_path / "state")


def git(*words: str, cwd: Path) -> None:
    person = ("-c", "user.name=Ana", "-c", "user.email=a@example.org")
    subprocess.run(["git", *person, *words], cwd=cwd, env=git_environment(), check=True)


def files_below(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def set_traps(repository: Path, trace: Path) -> None:
    for name in HOOKS:
        hook = repository / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {trace}\n")
        hook.chmod(0o755)


async def test_fetching_brings_every_branch_and_every_file(origin: Origin, clone: Repository) -> None:
    topic = origin.commit("topic/one", {"new.txt": b"x"}, "one", at=STARTED)
    head = await clone.fetch()
    assert head == clone.head() == origin.head() == (await clone.remote_heads())["main"]
    assert clone.heads() == {"main": head, "topic/one": topic}
    assert sorted(clone.tree(head)) == sorted(FILES)
    assert clone.read(head, DEV) == FILES[DEV]
    assert clone.read(topic, "new.txt") == b"x"
    assert clone.read(head, "nowhere") is None
    blobs = clone.tree(head)
    assert clone.read_blobs(list(blobs.values())) == {blobs[path]: data for path, data in FILES.items()}
    assert clone.read_blobs([]) == {}
    assert clone.read_blobs(["0" * 40]) == {}


async def test_a_folder_that_cannot_be_used_is_said_in_a_line(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UnreachableError) as told:
        await Repository(origin.path.as_uri(), "main", tmp_path / "state").fetch()
    assert told.value.message == f"our clone {tmp_path}/state: File exists"
    assert "state_directory" in told.value.hint


async def test_what_the_server_removed_is_gone_after_the_next_fetch(origin: Origin, clone: Repository) -> None:
    origin.commit("topic", {"new.txt": b"x"}, "one", at=STARTED)
    await clone.fetch()
    origin.delete("topic")
    moved = origin.commit("main", {"other.txt": b"y"}, "elsewhere", at=STARTED)
    assert clone.head() != moved == (await clone.remote_heads())["main"]
    assert await clone.fetch() == moved
    assert clone.heads() == {"main": moved}
    assert clone.has(moved)
    assert not clone.has("0" * 40)
    assert not clone.has("--help")


async def test_a_merge_commit_is_told_by_the_title_of_its_pull_request(origin: Origin, clone: Repository) -> None:
    before = origin.head()
    topic = origin.commit("topic", {DEV: b"a", STAGING: b"b"}, "wip", at=STARTED, author="Ana Lee")
    title = "Merge pull request #7 from acme/topic\n\nfeat(cart): dev -> v9\n\nwhy"
    merged = origin.merge("main", topic, title, at=STARTED)
    plain = origin.commit("main", {"spaced name ü.txt": b"x"}, "chore: plain\n\nbody", at=STARTED, author="Ana Lee")
    await clone.fetch()
    older, newer = clone.first_parents(plain, 2)
    assert (older.sha, older.subject, set(older.paths), older.at) == (
        merged, "feat(cart): dev -> v9", {DEV, STAGING}, STARTED,
    )  # fmt: skip
    assert (newer.sha, newer.subject, newer.paths, newer.author) == (
        plain, "chore: plain", ("spaced name ü.txt",), "Ana Lee",
    )  # fmt: skip
    assert topic not in {one.sha for one in clone.first_parents(plain)}
    assert [one.sha for one in clone.first_parents(plain)][-3:] == [before, merged, plain]
    assert clone.merge_base(plain, topic) == topic


async def test_links_are_no_files(origin: Origin, clone: Repository, tmp_path: Path) -> None:
    git("clone", "-q", str(origin.path), "w", cwd=tmp_path)
    (tmp_path / "w" / "link.yaml").symlink_to("/etc/passwd")
    for words in ("add link.yaml", "commit -qm link", "push -q origin HEAD:main"):
        git(*words.split(), cwd=tmp_path / "w")
    head = await clone.fetch()
    assert "link.yaml" not in clone.tree(head)
    assert clone.read(head, "link.yaml") is None


async def test_a_commit_changes_its_files_only_and_moves_no_branch(origin: Origin, clone: Repository) -> None:
    base = await clone.fetch()
    made = await clone.commit(base, {DEV: b"one", "deep/new.txt": b"two"}, "feat: one\n\nSgm-To: v9\n", AUTHOR)
    assert origin.head() == base == clone.head()
    await clone.push(made, "sgm/topic", "")
    assert origin.head("sgm/topic") == made
    assert origin.changed(base, made) == {DEV, "deep/new.txt"}
    assert origin.read(made, DEV) == b"one"
    assert origin.message(made).strip() == "feat: one\n\nSgm-To: v9"
    assert origin.author(made)[:2] == AUTHOR
    assert origin.commits(base, made) == [made]
    assert not list(clone.path.glob("sgm-index-*"))


async def test_a_branch_moves_only_from_where_it_was_expected(origin: Origin, clone: Repository) -> None:
    base = await clone.fetch()
    first = await clone.commit(base, {DEV: b"one"}, "one", AUTHOR)
    second = await clone.commit(base, {DEV: b"two"}, "two", AUTHOR)
    await clone.push(first, "topic", "")
    for stale in ("", base, second):
        with pytest.raises(RefusedError, match="refused the push") as refused:
            await clone.push(second, "topic", stale)
        assert refused.value.hint
        assert origin.head("topic") == first
    await clone.push(second, "topic", first)
    assert origin.head("topic") == second


async def test_a_token_is_in_no_error_even_if_the_server_repeats_it(tmp_path: Path) -> None:
    seen: list[str] = []

    async def echo(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=403, text=f"no: {seen[-1]} {TOKEN}\n")

    server = web.Application()
    server.router.add_route("*", "/{rest:.*}", echo)
    async with mounted("/git", server) as url:
        clone = Repository(f"{url}/git/acme.git", "main", tmp_path, token=lambda: TOKEN)
        with pytest.raises(RefusedError, match="no access") as refused:
            await clone.fetch()
    carried = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    assert seen[0] == f"Basic {carried}"
    for secret in (TOKEN, carried):
        assert secret not in f"{refused.value} {refused.value.__cause__} {clone!r}"
        assert all(secret.encode() not in data for data in files_below(tmp_path).values())


async def test_what_another_program_exported_does_not_lead_git_astray(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = tmp_path / "stranger"
    git("init", "-q", "stranger", cwd=tmp_path)
    before = files_below(stranger)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(stranger / ".git"))
    monkeypatch.setenv("GIT_NAMESPACE", "elsewhere")
    clone = Repository(origin.path.as_uri(), "main", tmp_path / "state")
    head = await clone.fetch()
    made = await clone.commit(head, {DEV: with_version(FILES[DEV], "v9.0.0")}, "one", AUTHOR)
    await clone.push(made, "topic", "")
    monkeypatch.undo()
    assert origin.head("topic") == made
    assert files_below(stranger) == before


async def test_the_users_own_git_configuration_is_not_obeyed(
    origin: Origin, clone: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text('[url "file:///nowhere/"]\n\tinsteadOf = file:///\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert await clone.fetch() == origin.head()


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /x",
        "-x",
        "ext::sh -c id",
        "fd::17",
        "https://user:secret@example.org/acme/gitops.git",
        "git://example.org/acme.git",
        "git://user:secret@example.org/acme.git",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "acme/gitops",
        "",
    ],
)
def test_a_hostile_address_is_refused_before_git_sees_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Repository(url, "main", tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("branch", ["-x", "--force", "a..b", "a b", "a:b", "/a", "a/", "a.lock", "a@{1}", "", "a~1"])
async def test_a_hostile_branch_is_refused_before_git_sees_it(branch: str, clone: Repository, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Repository(clone.url, branch, tmp_path)
    with pytest.raises(ConfigError):
        await clone.push("0" * 40, branch, "")


@pytest.mark.parametrize("branch", ["m", "main", "release/1.2", "sgm/dev/cart-v2.8.1-0a1b"])
def test_ordinary_branches_and_addresses_are_taken(branch: str, tmp_path: Path) -> None:
    for url in ("https://github.com/acme/gitops.git", "git@github.com:acme/gitops.git", "ssh://git@h/acme.git"):
        assert Repository(url, branch, tmp_path).branch == branch


async def test_no_hook_of_the_clone_and_none_of_a_server_read_from_is_executed(
    origin: Origin, clone: Repository, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    set_traps(origin.path, trace)
    await clone.fetch()
    set_traps(clone.path, trace)
    origin_hooks = origin.path / "hooks"
    origin_hooks.rename(origin.path / "hooks-of-the-server")
    other = origin.commit("main", {"new.txt": b"x"}, "one", at=STARTED)
    assert await clone.fetch() == other
    made = await clone.commit(other, {DEV: b"one"}, "one", AUTHOR)
    await clone.push(made, "topic", "")
    assert not trace.exists()


async def test_an_origin_that_is_not_there_is_unreachable_and_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.git"
    clone = Repository(missing.as_uri(), "main", tmp_path / "state")
    for question in (clone.remote_heads, clone.fetch):
        with pytest.raises(UnreachableError, match=r"missing\.git"):
            await question()


async def test_a_server_that_is_gone_is_unreachable_and_named(tmp_path: Path) -> None:
    async with mounted("/git", web.Application()) as url:
        pass
    clone = Repository(f"{url}/git/acme.git", "main", tmp_path, token=lambda: TOKEN)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1/git/acme\.git") as lost:
        await clone.fetch()
    assert TOKEN not in str(lost.value)


async def test_a_port_with_401_in_it_is_no_refusal(tmp_path: Path) -> None:
    with socket.socket() as taken:
        port = next(one for one in range(40100, 40200) if _takes(taken, one))
    clone = Repository(f"http://127.0.0.1:{port}/git/acme.git", "main", tmp_path, token=lambda: TOKEN)
    with pytest.raises(UnreachableError):
        await clone.fetch()


def _takes(socket_: socket.socket, port: int) -> bool:
    try:
        socket_.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


async def test_a_branch_that_is_not_there_says_where_to_look(origin: Origin, tmp_path: Path) -> None:
    clone = Repository(origin.path.as_uri(), "trunk", tmp_path / "state")
    with pytest.raises(UnreachableError, match="has no branch trunk") as missing:
        await clone.fetch()
    assert missing.value.hint == "Check repository.branch."


async def test_a_clone_that_was_never_fetched_is_not_one_without_the_branch(tmp_path: Path) -> None:
    clone = Repository((tmp_path / "gone").as_uri(), "main", tmp_path / "state")
    with pytest.raises(UnreachableError, match="gone: fatal: "):
        await clone.fetch()
    with pytest.raises(UnreachableError, match=r"gone has not been fetched yet$"):
        clone.head()


async def test_the_clone_is_for_its_owner_only(clone: Repository) -> None:
    await clone.fetch()
    assert clone.path.stat().st_mode & 0o077 == 0
    assert clone.path.parent.stat().st_mode & 0o077 == 0


async def test_another_server_gets_what_the_credential_helpers_of_the_user_have_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\ncat > /dev/null\necho username=mia\necho password=open-sesame\n")
    helper.chmod(0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    clone = Repository("https://git.example/acme.git", "main", tmp_path / "clones", token=lambda: "")
    carried = base64.b64encode(b"mia:open-sesame").decode()
    assert f"Authorization: Basic {carried}" in clone._process.settings(remote=True).values()
    local = Repository("file:///srv/x.git", "main", tmp_path)
    for settings in (clone._process.settings(remote=False), local._process.settings(remote=True)):
        assert not any("Authorization" in value for value in settings.values())


async def test_a_full_temporary_directory_is_no_bug_but_said_in_a_line(
    origin: Origin, clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    head = await clone.fetch()
    monkeypatch.setattr("sgm_tui.gitops.git_process.tempfile.TemporaryFile", full)
    with pytest.raises(UnreachableError, match="/tmp/x: No space left on device"):
        clone.messages(head, ())
    with pytest.raises(UnreachableError, match="/tmp/x: No space left on device"):
        await clone.fetch()
