"""Whatever a file of ours holds, reading it ends in a value or in a refusal, never in a crash."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.json_reader import read_json
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.drift_log import DriftLog
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.known_bad import KnownBad
from sgm_tui.operations.plan_file import PlanFile

READERS: Mapping[str, Callable[[Path], object]] = {
    "audit": lambda file: Audit(file).records(),
    "audit chain": lambda file: Audit(file).verify(),
    "audit, next record": lambda file: Audit(file).record("promote"),
    "journal": lambda file: Journal(file).unfinished(),
    "plan": lambda file: PlanFile(file).reload(),
    "known bad": lambda file: KnownBad(file).reason(ServiceName("cart"), Version("v1")),
    "known bad, all of a service": lambda file: KnownBad(file).of(ServiceName("cart")),
    "drift": lambda file: DriftLog(file).read(),
}
DAMAGED = [
    b"",
    b"\0" * 4096,
    b"\x00\xff\xfe{{",
    b"null",
    b"5",
    b'"text"',
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b'{"at": "2026-12-01T00:00:00+00:00", "operation": "x", "st',
    b"9" * 5_000,
    b'{"marks": {"cart": 5}}',
    b'{"marks": {"cart": {"v1": 5}}}',
    b'{"marks": {"cart": {"v1": {"reason": null}}}}',
    b'{"schema": 1, "changes": [5], "before": {}}',
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["marks", "changes", "schema", "before", "cart", "v1", "hash", "previous", "operation", "step"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def read(reader: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.json"
        file.write_bytes(content)
        with contextlib.suppress(RefusedError):
            READERS[reader](file)


@pytest.mark.parametrize("content", DAMAGED, ids=[repr(one[:12]) for one in DAMAGED])
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_refused_or_read(reader: str, content: bytes) -> None:
    read(reader, content)


@pytest.mark.parametrize("reader", READERS)
@given(value=JSON)
def test_any_document_is_refused_or_read(reader: str, value: object) -> None:
    read(reader, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("line", "is_damaged"),
    [
        (b"", False),
        (b"{", False),
        (b'{"at": "2026-12-01T', False),
        (b'{"at": "\xc3', False),
        (b"\0" * 512, True),
        (b"null", True),
        (b"garbage", True),
        (b"[" * 100_000, True),
    ],
)
def test_a_line_that_a_crash_truncated_is_not_taken_for_damage(tmp_path: Path, line: bytes, is_damaged: bool) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file)
    journal.note("one", "commit")
    with file.open("ab") as handle:
        handle.write(line + b"\n")
    journal.note("two", "commit")
    assert list(journal.unfinished()) == ["one", "two"]
    assert journal.count_damaged_lines() == int(is_damaged)


def test_records_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.record("promote")
    assert audit.count_unreadable_lines() == 0
    with audit.file.open("ab") as handle:
        handle.write(b"\0\0\0\nnull\n")
    assert audit.count_unreadable_lines() == 2


def test_a_seal_that_is_no_text_breaks_the_chain(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.record("promote")
    (tmp_path / "audit.newest").write_bytes(b"\x00\xff\xfe")
    assert audit.verify() == 2


def test_nesting_is_an_error_of_reading() -> None:
    assert read_json('{"a": [1]}') == {"a": [1]}
    for text in ("[" * 100_000, b"[" * 100_000, "{", b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            read_json(text)
