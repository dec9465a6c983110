"""Two values files are compared key by key: each is a flat table of dotted keys and one-line texts."""

from __future__ import annotations

import pytest

from sgm_tui.gitops.yaml.values import UnreadableError, flatten_values, read_version
from sgm_tui.sandbox.git.seed import seed


def test_a_values_file_becomes_a_table_of_dotted_keys() -> None:
    text = (
        b"image: {tag: v1, port: 80}\nsteps:\n- setWeight: 10\n- pause: {}\nempty: {}\nnone:\non: true\nratio: 0.5\n"
        b"version: '1.10'\nday: 2026-11-23\ntext: |\n  a\n  b\nexample.com/x: 1\nnothing: ''\n7: x\n"
    )
    assert flatten_values(text) == {
        "image.tag": "v1",
        "image.port": "80",
        "steps": '[{"setWeight": 10}, {"pause": {}}]',
        "empty": "{}",
        "none": "null",
        "on": "true",
        "ratio": "0.5",
        "version": '"1.10"',
        "day": "2026-11-23",
        "text": '"a\\nb\\n"',
        '"example.com/x"': "1",
        "nothing": '""',
        "7": "x",
    }


def test_every_bundled_values_file_is_a_table_of_single_lines() -> None:
    for path, data in seed().items():
        if path.endswith("values.yaml"):
            assert all(value.isprintable() and value for value in flatten_values(data).values())


def test_documents_are_one_table_while_their_keys_differ() -> None:
    assert flatten_values(b"a: 1\n---\nb: 2\n") == {"a": "1", "b": "2"}
    with pytest.raises(UnreadableError, match="a is there more than once"):
        flatten_values(b"a: 1\n---\na: 2\n")


BOMB = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 6)) for n in range(1, 14)
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a: [\n", "line 2"),
        (b"- a\n", "no mapping"),
        (b"a: \xff\n", "UTF-8"),
        (b"a: 1\na: 2\n", "duplicate key"),
        (b"a: !!int x\n", "x is no !!int"),
        (BOMB, "unfolds to more than"),
        (b"a: &a [*a]\n", "contains itself"),
        (b"a: &a {b: *a}\n", "contains itself"),
        (b"x" * (1 << 20) + b": 1", "larger than 1 MB"),
        (b"a: " + b"[" * 5000 + b"]" * 5000, "not YAML|unfolds|deep"),
    ],
    ids=["broken", "list", "encoding", "duplicate", "tag", "bomb", "itself", "itself in a mapping", "large", "deep"],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        flatten_values(data)


def test_an_empty_file_is_an_empty_table() -> None:
    assert flatten_values(b"# nothing\n") == {}


def test_an_anchor_that_is_used_twice_means_the_last_one_and_warns_nobody() -> None:
    data = b"a: &a 1\nb: &a v2\nimage:\n  tag: *a\n"
    assert flatten_values(data)["image.tag"] == "v2"
    assert read_version(data, "image.tag") == "v2"
