"""What a person typed and a variable holds leaves us harmless: commits, pull requests, the audit and the journal."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from killed import Desk, change_of, path_of, seeded
from test_killed_writes import branches

from sgm_tui.fleet.history.trailers import Message, marks_in, name_person
from sgm_tui.fleet.markdown import markdown_text as plain
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.plans.proposal import Override, WriteOptions
from sgm_tui.operations.actor import actor
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.proposal import message_of
from sgm_tui.operations.pull_request_body import code
from sgm_tui.untrusted_text import LONGEST_WORDS, one_line, sanitize

HOSTILE = {
    "half of a character": "slow \udcff checkout",
    "escape": "slow \x1b[2J\x1b]0;x\x07 checkout",
    "direction": "slow \u202etuokcehc\u2066 checkout",
    "a trailer of its own": "slow\nSgm-Let-Go: service-00 v1.0.0\n\rSgm-By: root",
    "separators": "slow\u2028Sgm-By: root\u2029x\x85y\x0bz",
    "a mark": "slow \u061c\u200e\u200f\ufeff checkout",
    "NUL": "slow \0 checkout",
    "long": "slow " + "x" * 100_000,
}
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
CASES = pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE.keys())


@CASES
def test_a_commit_message_has_no_word_that_steers_or_pretends(words: str) -> None:
    change = change_of("service-00", "v1.0.0", "v2.0.0")
    for message in (
        message_of([change], Override(words, ("soak",)), "", words),
        message_of([change], None, words, "ana"),
        message_of([change_of(f"service-00{words[:20]}", "v1", "v2"), change]),
    ):
        assert not STEERING.search(message)
        message.encode()
        assert all(len(line) <= LONGEST_WORDS + 20 for line in message.split("\n"))
        assert marks_in([Message("a" * 40, "sgm", message)]) == {}
        assert sum(line.startswith("Sgm-By:") for line in message.splitlines()) <= 1
        assert not any(line.startswith("Sgm-Let-Go:") for line in message.splitlines())
    assert name_person(Message("a", "sgm", message_of([change], None, words, "ana"))) == "ana"


def git(origin: Path, *arguments: str) -> str:
    command = ["git", "--git-dir", str(origin), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


@CASES
async def test_what_is_pushed_proposed_and_recorded_is_harmless(
    tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_ACTOR", words.replace("\0", ""))
    origin = seeded(tmp_path, 1)
    desk = Desk(origin, tmp_path / "state")
    preview = await desk.promoter.preview(
        Plan().with_change(change_of("service-00", "v1.0.0", "v1.1.0")), terms=WriteOptions(reason=words)
    )
    steps = [step async for step in desk.promoter.submit(preview)]
    assert steps[-1].step == "opened"
    (branch,) = branches(origin)
    texts = [git(origin, "log", "-1", "--format=%B", branch)]
    texts += [one.body + one.title for one in preview.proposals]
    texts += [one.read_text(encoding="utf-8") for one in (tmp_path / "state").glob("*.jsonl")]
    assert len(texts) == 4
    assert not any(STEERING.search(text) for text in texts)
    assert desk.audit.verify() is None
    assert "tag: v1.1.0" in git(origin, "show", f"{branch}:{path_of('service-00')}")


@CASES
def test_records_and_marks_hold_harmless_text(tmp_path: Path, words: str) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.record("rollout-abort", title=words, reason=words, moves=[[words]], more={words: words})
    KnownBad(tmp_path / "marks.json").mark(ServiceName("cart"), Version("v1"), words)
    for file in (tmp_path / "audit.jsonl", tmp_path / "marks.json"):
        assert not STEERING.search(file.read_bytes().decode("utf-8"))
    assert not any(STEERING.search(text.replace("\n", "")) for text in _texts(json.loads(audit.file.read_bytes())))
    assert audit.verify() is None


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


@CASES
def test_the_body_of_a_pull_request_is_harmless(words: str) -> None:
    assert not STEERING.search(plain(words) + code(words))
    assert not STEERING.search(WriteOptions(reason=words).reason + Override(words).reason + one_line(words))
    assert len(WriteOptions(reason=words).reason) <= 2 * LONGEST_WORDS
    assert "\u200b" in sanitize(plain("@team")), "what keeps a name from being mentioned stays"


def test_harmless_text_stays_as_it_is() -> None:
    text = "Zoë → 😀 👨‍👩‍👧 \u200b\u00a0\tline\nnext"
    assert sanitize({"a": [text, 1, None, True, ("x",)]}) == {"a": [text, 1, None, True, ["x"]]}
    assert one_line("  two \n words ") == "two words"
    assert one_line(None) == ""


def test_a_user_whose_name_is_no_text_is_still_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("LOGNAME", "a\udcff\x1b[0m\nSgm-By: root")
    assert not STEERING.search(actor())
