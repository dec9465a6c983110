"""Whatever answers in GitHub's place: an answer that cannot be read is not "none", and no write goes out on it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from origin import STAGING
from test_github import BRANCH, Lab, _lab, nothing, proposal
from test_supersede import FIRST, Desk, KilledError, _desk

from sgm_tui.errors import UnreachableError

HTML = "<!DOCTYPE html><html><body>Sign in to continue</body></html>"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with _lab(tmp_path) as lab_here:
        yield lab_here


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with _desk(tmp_path) as desk_here:
        yield desk_here


def cut(document: Any) -> str:
    """The first two thirds of what GitHub would have answered."""
    text = json.dumps(document)
    return text[: len(text) * 2 // 3]


def wrong(document: Any) -> str:
    """The same document with every value that decides anything of another type."""
    if isinstance(document, list):
        return json.dumps([json.loads(wrong(one)) for one in document] or [{"number": "7"}])
    return json.dumps({name: {"not": "this"} for name in document})


STRANGE: Mapping[str, Callable[[Any], str]] = {
    "a page": lambda _: HTML,
    "an object": lambda _: "{}",
    "null": lambda _: "null",
    "nothing": lambda _: "",
    "a word": lambda _: '"ok"',
    "an error with status 200": lambda _: '{"message": "Not Found"}',
    "a list in its place": lambda document: "[]" if isinstance(document, dict) else '{"items": []}',
    "a list of nothing": lambda _: "[null]",
    "cut short": cut,
    "wrong types": wrong,
    "brackets": lambda _: "[" * 200_000 + "]" * 200_000,
    "brackets in a field": lambda _: '{"extra": ' + "[" * 200_000 + "]" * 200_000 + "}",
}

Operation = Callable[[Lab, int, str], Awaitable[object]]

READS: Mapping[str, tuple[str, Operation]] = {
    "find": ("pulls", lambda lab, _number, _head: lab.forge.find_open(BRANCH)),
    "ended": ("pulls", lambda lab, _number, _head: lab.forge.find_ended(BRANCH)),
    "opened": ("pulls", lambda lab, _number, _head: lab.forge.list_open()),
    "opened, by whom": ("user", lambda lab, _number, _head: lab.forge.list_open()),
    "list": ("pulls", lambda lab, _number, _head: lab.forge.list_recent(nothing)),
    "list, checks": ("check-runs", lambda lab, _number, _head: lab.forge.list_recent(nothing)),
    "list, statuses": ("status", lambda lab, _number, _head: lab.forge.list_recent(nothing)),
    "list, reviews": ("reviews", lambda lab, _number, _head: lab.forge.list_recent(nothing)),
    "list, one": ("{number}", lambda lab, _number, _head: lab.forge.list_recent(nothing)),
    "standing": ("{number}", lambda lab, number, _head: lab.forge.fetch(number)),
    "standing, reviews": ("reviews", lambda lab, number, _head: lab.forge.fetch(number)),
    "standing, me": ("user", lambda lab, number, _head: lab.forge.fetch(number)),
    "marks": ("{number}", lambda lab, number, head: lab.forge.fetch_marks(number, head)),
    "number": ("pulls", lambda lab, _number, head: lab.forge.find_merged(head)),
    "open": ("pulls", lambda lab, _number, head: lab.forge.open(proposal(), head)),
    "approve": ("{number}", lambda lab, number, head: lab.forge.approve(number, head)),
    "merge": ("{number}", lambda lab, number, head: lab.forge.merge(number, head)),
    "let merge": ("{number}", lambda lab, number, head: lab.forge.enable_auto_merge(number, head)),
    "auto-merge": ("{number}", lambda lab, number, head: lab.forge.try_auto_merge(number, head)),
    "stop auto-merge": ("{number}", lambda lab, number, _head: lab.forge.disable_auto_merge(number)),
    "update": ("{number}", lambda lab, number, head: lab.forge.update_branch(number, head)),
    "close": ("{number}", lambda lab, number, _head: lab.forge.close(number)),
    "supersede": ("{number}", lambda lab, number, head: lab.forge.supersede(number, head, "#99")),
    "supersede, me": ("user", lambda lab, number, head: lab.forge.supersede(number, head, "#99")),
    "supersede, comments": ("comments", lambda lab, number, head: lab.forge.supersede(number, head, "#99")),
}
"""Every read of ours by the last part of its path, and an operation that stands on it."""


async def answer_of(lab: Lab, last: str, number: int, head: str) -> Any:
    """What the embedded GitHub answers there."""
    root = "/repos/acme/gitops"
    path = {
        "pulls": f"{root}/pulls?state=open",
        "user": "/user",
        "check-runs": f"{root}/commits/{head}/check-runs",
        "status": f"{root}/commits/{head}/status",
        "reviews": f"{root}/pulls/{number}/reviews",
        "comments": f"{root}/issues/{number}/comments",
    }.get(last, f"{root}/pulls/{number}")
    answer = await lab.forge._read(lambda: lab.forge._client.get_if_changed(path, ""))
    assert answer is not None
    lab.forge._client._login = None
    return json.loads(answer.text)


def strange(lab: Lab, last: str, text: str) -> None:
    lab.answers["GET", last] = [web.Response(text=text, content_type="application/json") for _ in range(20)]
    lab.requests.clear()


@pytest.mark.parametrize("name", READS)
async def test_what_cannot_be_read_is_refused_and_nothing_is_written(lab: Lab, name: str) -> None:
    head = lab.push()
    number = lab.state.pulls.open(BRANCH, "feat(cart): dev -> v9.0.0", login="operator").number
    lab.pass_time(90)
    last, operation = READS[name]
    last = last.format(number=number)
    document = await answer_of(lab, last, number, head)
    for kind, write in STRANGE.items():
        text = write(document)
        if isinstance(document, list) and text == "[]":
            continue  # an empty list is an answer
        strange(lab, last, text)
        with pytest.raises(UnreachableError) as refused:
            await operation(lab, number, head)
        assert refused.value.exit_code == 3
        assert "GitHub's answer to /" in refused.value.message, kind
        assert {method for method, _ in lab.requests} == {"GET"}, kind
        assert lab.state.pulls[number].state == "open", kind
        assert BRANCH in lab.origin.heads(), kind


async def test_discard_keeps_the_branch_of_an_open_pull_request(desk: Desk) -> None:
    desk.journal.point = "before done"
    with pytest.raises(KilledError):
        await desk.promote(FIRST)
    desk.journal.point = ""
    (unfinished,) = await desk.recovery.list_unfinished()
    for kind, write in STRANGE.items():
        strange(desk.lab, "pulls", write([{"number": 1}]))
        with pytest.raises(UnreachableError):
            await desk.recovery.discard(unfinished.operation)
        assert unfinished.branch in desk.lab.origin.heads(), kind
        assert desk.journal.unfinished(), kind


async def test_no_second_pull_request_is_opened(desk: Desk) -> None:
    preview = await desk.preview(FIRST)
    for kind, write in STRANGE.items():
        strange(desk.lab, "pulls", write([{"number": 1}]))
        last = [one async for one in desk.promoter.submit(preview, lambda: desk.snapshot)][-1]
        assert last.step == "failed", kind
        assert {method for method, _ in desk.lab.requests} == {"GET"}, kind
        assert not any(one.startswith("sgm/") for one in desk.lab.origin.heads()), kind


def listed(lab: Lab, pages: Mapping[int, str], links: Mapping[int, str]) -> None:
    """Answer the list of pull requests with these pages, in the order they are asked for."""
    lab.answers["GET", "pulls"] = [
        web.Response(text=text, content_type="application/json", headers={"Link": links[page]} if page in links else {})
        for page, text in sorted(pages.items())
    ]


async def rows(lab: Lab, count: int) -> list[dict[str, Any]]:
    """So many pull requests, each with a number of its own."""
    head = lab.push()
    number = lab.state.pulls.open(BRANCH, "feat").number
    one = await answer_of(lab, f"{number}", number, head)
    return [{**one, "number": at, "head": {**one["head"], "ref": f"feature/{at}"}} for at in range(1, count + 1)]


async def test_a_page_that_links_another_is_not_the_last_though_it_is_not_full(lab: Lab) -> None:
    documents = await rows(lab, 40)
    pages = {1: json.dumps(documents[:30]), 2: json.dumps(documents[30:])}
    listed(lab, pages, {1: '<http://elsewhere.example/pulls?page=2>; rel="next"'})
    assert len(await lab.forge.list_open()) == 40
    assert all(path.endswith("/repos/acme/gitops/pulls") for _, path in lab.requests[-2:])


async def test_a_full_page_without_a_link_is_followed_by_the_next(lab: Lab) -> None:
    documents = await rows(lab, 130)
    listed(lab, {1: json.dumps(documents[:100]), 2: json.dumps(documents[100:])}, {})
    assert len(await lab.forge.list_open()) == 130


@pytest.mark.parametrize("count", [30, 100])
async def test_pages_that_repeat_themselves_are_no_list(lab: Lab, count: int) -> None:
    page = json.dumps(await rows(lab, count))
    link = '<http://127.0.0.1/pulls?page=1>; rel="next"'
    listed(lab, dict.fromkeys(range(1, 60), page), dict.fromkeys(range(1, 60), link))
    with pytest.raises(UnreachableError, match="every page of a list with the same rows"):
        await lab.forge.list_open()
    assert [path.rpartition("/")[2] for _, path in lab.requests[-2:]] == ["pulls", "pulls"]


async def test_a_second_page_that_cannot_be_read_leaves_no_half_of_a_list(lab: Lab) -> None:
    listed(lab, {1: json.dumps(await rows(lab, 100)), 2: HTML}, {})
    with pytest.raises(UnreachableError, match="cannot be read"):
        await lab.forge.list_open()


async def test_an_answer_about_other_branches_is_not_none(lab: Lab) -> None:
    listed(lab, {1: json.dumps(await rows(lab, 5))}, {})
    with pytest.raises(UnreachableError, match=f"about the branch {BRANCH} lists #1 of feature/1"):
        await lab.forge.find_open(BRANCH)


async def test_checks_that_were_not_all_listed_do_not_pass(lab: Lab) -> None:
    await lab.forge.open(proposal(), lab.push())
    lab.pass_time(60)
    runs = [{"name": "lint", "status": "completed", "conclusion": "success"}]
    lab.answers["GET", "check-runs"] = [web.json_response({"total_count": 3, "check_runs": runs})]
    (request,) = [one for one in await lab.forge.list_recent(nothing) if one.state == "open"]
    assert request.checks == "pending"


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206])
async def test_another_success_than_200_is_no_answer_to_a_read(lab: Lab, status: int) -> None:
    lab.answers["GET", "pulls"] = [web.Response(status=status, text="" if status == 204 else "[]")]
    with pytest.raises(UnreachableError):
        await lab.forge.find_open(BRANCH)


async def test_an_unreadable_answer_to_a_write_is_looked_up_and_not_sent_again(lab: Lab) -> None:
    head = lab.push(path=STAGING)
    lab.unreadable.add(("POST", "pulls"))
    request, is_new, _ = await lab.forge.open(proposal(), head)
    assert (request.branch, is_new) == (BRANCH, True)
    assert [method for method, path in lab.requests if path.endswith("/pulls")].count("POST") == 1
