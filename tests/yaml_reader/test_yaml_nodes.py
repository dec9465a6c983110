"""The reader of YAML: the rules of Go programs, and bounds on what any text may cost."""

from __future__ import annotations

import contextlib
import json
from time import process_time
from typing import Any

import pytest

from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.values import UnreadableError, flatten_values, read_value, read_version
from sgm_tui.sandbox.helm.render import RenderError, render
from sgm_tui.yaml_reader.marked import MarkedYamlError
from sgm_tui.yaml_reader.marked import documents as marked_documents
from sgm_tui.yaml_reader.nodes import (
    LARGEST,
    MOST_NODES,
    MOST_UNFOLDED,
    MOST_VALUES,
    TooLargeError,
    Work,
    YamlError,
    compose,
    load,
    load_all,
)
from sgm_tui.yaml_reader.scalars import ScalarError, format_scalar, type_of, value_of

BOMB = "b0: &b0 {x: 1}\n" + "".join(f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 10)}]}}\n" for n in range(1, 10))
LISTS = "b0: &b0 [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 10))
DIRECT = "b0: &b0 {x: 1}\n" + "".join(
    f"b{n}:\n{''.join(f'  k{at}: {{<<: *b{n - 1}}}' + chr(10) for at in range(10))}".replace(":", f": &b{n}", 1)
    for n in range(1, 10)
)
EXPENSIVE = {
    "merge keys of lists, nested": BOMB,
    "aliases, nested": LISTS,
    "merge keys, nested": DIRECT,
    "a flood of merge keys": "x: &x {a: 1}\n" + "".join(f"y{n}: {{<<: *x}}\n" for n in range(50_000)),
    "a merge of many": f"x: &x {{a: 1}}\ny: {{<<: [{'*x,' * 300_000}]}}\n",
    "a large mapping, merged": "x: &x {" + ", ".join(f"k{n}: 1" for n in range(6_000)) + "}\ny: {<<: *x}\n",
    "a long text, repeated": f"x: &x '{'x' * 100_000}'\ny: [{'*x,' * 1_000}]\n",
    "a list in brackets": f"a: [{'a,' * 520_000}]\n",
    "empty lists in brackets": f"a: [{'[],' * 340_000}]\n",
    "many keys": "".join(f"k{n}: v\n" for n in range(90_000)),
    "many anchors": "".join(f"a{n}: &x{n} v\n" for n in range(60_000)),
    "many documents": "---\na\n" * 170_000,
    "deep in brackets": "a: " + "[" * 500_000,
    "deep in braces": "{a: " * 250_000,
    "deep in blocks": "".join(" " * n + "a:\n" for n in range(1_400)),
    "deep in dashes": "- " * 500_000,
    "deep in questions": "? " * 500_000,
    "many directives": "".join(f"%TAG !a{n}! tag:x\n" for n in range(50_000)) + "---\na: b\n",
    "an alias of itself": "a: &a [*a]\n",
}
CHEAP = {
    "a long text": "a: " + "x " * 500_000,
    "a long text over lines": "a: " + "x\n  " * 260_000,
    "a long text in quotes": 'a: "' + "\\n" * 500_000 + '"',
    "a block of text": "a: |\n" + "  x\n" * 260_000,
    "comments": "# x\n" * 250_000,
    "blanks": "a:" + " " * 1_000_000 + "b",
    "a long number": "a: " + "9" * 1_000_000,
}
LIMIT = 3.0
"""Seconds of processor time: several times what the slowest takes, so that no machine fails by its speed."""


@pytest.mark.parametrize("text", EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_no_text_costs_more_than_is_counted(text: str) -> None:
    assert len(text) <= LARGEST * 2
    for path in (None, ["image", "tag"]):
        work = Work()
        started = process_time()
        with contextlib.suppress(YamlError):
            compose(text[:LARGEST], path, work=work)
        assert process_time() - started < LIMIT
        assert work.values <= MOST_VALUES + 1
        assert work.nodes <= MOST_NODES + 1
        assert work.unfolded <= MOST_UNFOLDED + MOST_NODES


@pytest.mark.parametrize("text", CHEAP.values(), ids=CHEAP.keys())
def test_what_is_only_large_is_read(text: str) -> None:
    work = Work()
    started = process_time()
    compose(text[:LARGEST], work=work)
    assert process_time() - started < LIMIT
    assert work.values <= 3


@pytest.mark.parametrize("bomb", [BOMB, LISTS, DIRECT], ids=["merged lists", "lists", "merged"])
def test_no_reader_unfolds_a_bomb(bomb: str) -> None:
    data = f"{bomb}image:\n  tag: v1\n".encode()
    reason = "unfolds to more than"
    with pytest.raises(UnreadableError, match=reason):
        read_version(data, "image.tag")
    with pytest.raises(UnreadableError, match=reason):
        flatten_values(data)
    with pytest.raises(UnreadableError, match=reason):
        read_value(data, "b9")
    with pytest.raises(EditRefusedError, match=reason):
        edit(data, "image.tag", "v2")
    with pytest.raises(MarkedYamlError, match=reason):
        marked_documents(data.decode())
    with pytest.raises(RenderError, match=reason):
        render({"c/values.yaml": b"", "v.yaml": data}.get, "c", "cart", "app-cart", ["/v.yaml"])


NEIGHBOURS = {
    "a list in brackets": f"a: [{'a, ' * 45_000}]\n",
    "mappings in brackets": f"a: [{'{b: c}, ' * 30_000}]\n",
    "texts over lines": "".join(f"k{n}: 'over\n  lines'\n" for n in range(30_000)),
    "plain texts over lines": "".join(f"k{n}: over\n  lines\n" for n in range(30_000)),
    "merge keys": "x: &x {a: 1}\n" + "".join(f"y{n}: {{<<: *x}}\n" for n in range(1_600)),
    "blocks": "".join(f"k{n}: |\n  x\n" for n in range(40_000)),
    "comments": "# x\n" * 200_000,
}


@pytest.mark.parametrize("above", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_an_edit_beside_a_large_neighbour_takes_a_moment(above: str) -> None:
    before = f"{above}image:\n  tag: v1\n".encode()
    started = process_time()
    assert read_version(before, "image.tag") == "v1"
    after = edit(before, "image.tag", "v2", expected="v1")
    assert process_time() - started < LIMIT
    assert after == before.replace(b"tag: v1", b"tag: v2")


GO: dict[str, Any] = {
    "yes": True, "Yes": True, "y": True, "on": True, "ON": True, "true": True, "no": False, "N": False, "Off": False,
    "yEs": "yEs", "tRue": "tRue", "oN": "oN", "~": None, "null": None, "NULL": None, "": None, "nUll": "nUll",
    "010": 8, "0o10": 8, "0O7": 7, "0x1F": 31, "-0b11": -3, "0B1": 1, "08": 8.0, "0888": 888.0, "00": 0, "+1": 1,
    "1_000": 1000, "0_1": 1, "1__0": 10, "0_": 0, "_1": "_1", "0x": "0x", "0b2": "0b2", "0o9": "0o9",
    "18446744073709551615": 18446744073709551615, "99999999999999999999": 1e20,
    "-9223372036854775809": -9.223372036854776e18,
    "1.10": 1.1, "1e3": 1000.0, "1E+3": 1000.0, "1e_3": 1000.0, ".5": 0.5, "+.5": 0.5, "1.": 1.0, ".1_0": 0.1,
    "1_0.5": 10.5, "1.0e-7": 1e-7, "123e4567": "123e4567", "1e400": "1e400", "0x1p4": "0x1p4", ".": ".", "+": "+",
    "2026-11-23": "2026-11-23", "2026-11-23T10:00:00Z": "2026-11-23T10:00:00Z", "12:30:45": "12:30:45",
    "190:20:30.15": "190:20:30.15", "=": "=", "v1\u00a0": "v1\u00a0", "١٢": "١٢", "1e3.5": "1e3.5", "._1": "._1",
}  # fmt: skip
"""As sigs.k8s.io/yaml 1.6 with go.yaml.in/yaml/v2 2.4 reads them, recorded."""


@pytest.mark.parametrize(("text", "value"), GO.items(), ids=map(repr, GO))
def test_a_scalar_is_what_a_go_program_reads(text: str, value: Any) -> None:
    found = value_of(text, "", is_plain=True)
    assert (type(found), found) == (type(value), value)
    assert value_of(text, "", is_plain=False) == text
    assert not type_of(text, "", is_plain=False)
    assert load(f"a: {text}\n") == {"a": value}


@pytest.mark.parametrize("text", ["2026-11-23", "12:30:45", "123e4567", "1_", "Oui", "v1", "1.2.3", "sha-1f2e"])
def test_what_only_some_readers_take_for_a_string_is_none(text: str) -> None:
    assert bool(type_of(text, "", is_plain=True)) == (text not in {"Oui", "v1", "1.2.3", "sha-1f2e"})


def test_tags_say_what_a_go_program_makes_of_a_value() -> None:
    text = "a: !!str 1\nb: !vault 5\nc: !!int 5\nd: !!float 1\ne: ! 5\nf: !!bool yes\ng: !mine {x: !other [1]}\n"
    assert load(text) == {"a": "1", "b": "5", "c": 5, "d": 1.0, "e": "5", "f": True, "g": {"x": [1]}}
    for wrong in ("!!int v1", "!!bool x", "!!null x", "!!float x", "!!int 1.5", "!!timestamp x"):
        with pytest.raises(YamlError, match="is no !!"):
            load(f"a: {wrong}\n")
    with pytest.raises(ScalarError):
        value_of("x", "tag:yaml.org,2002:int", is_plain=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\n<<: {a: 2}\n", {"a": 2}),
        ("<<: {a: 2}\na: 1\n", {"a": 1}),
        ("<<: [{a: 1}, {a: 2, b: 3}]\n", {"a": 1, "b": 3}),
        ("<<: {a: 2}\n<<: {a: 3}\n", {"a": 3}),
        ("'<<': {a: 2}\n", {"<<": {"a": 2}}),
        ("!!merge <<: {a: 2}\n", {"a": 2}),
        ("x: &x {<<: {q: 1}, r: 2}\na:\n  <<: *x\n", {"x": {"q": 1, "r": 2}, "a": {"q": 1, "r": 2}}),
        ("a: 1\na: 2\n", {"a": 2}),
        ("a: &x 1\nb: &x v2\nc: *x\n", {"a": 1, "b": "v2", "c": "v2"}),
        ("&k a: 1\nb: *k\n", {"a": 1, "b": "a"}),
        ("a: v1\t# c\n", {"a": "v1"}),
        ("a:\tv1\n", {"a": "v1"}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: 1\n---\nb: 2\n", {"a": 1}),
        ("---\n---\na: 1\n", None),
        ("# nothing\n", None),
        ("", None),
    ],
)
def test_a_file_is_read_as_a_go_program_reads_it(text: str, value: Any) -> None:
    assert load(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        ("a: 1\nb: [\n", "did not find", 3),
        ("\ta: 1\n", "cannot start any token", 1),
        ("a: 1\n? [a]\n: b\n", "a mapping or list where a key", 2),
        ("a: {{ x }}\n", "a mapping or list where a key", 1),
        ("~: b\n", "a key that is null", 1),
        ("a: b\n<<: 1\n", "a merge key", 2),
        ("a: *x\n", "an alias without its anchor", 1),
        ("x: &x 1\n---\na: *x\n", "an alias without its anchor", 3),
        ("a: &a\n  b: *a\n", "contains itself", 1),
        ("%YAML 1.2\n---\na: b\n", "that Go programs refuse", 1),
        ("a: !x!y b\n", "undefined tag handle", 1),
        ("a: b\nc: \x07\n", "control character", 2),
        ("a: \ud800\n", "half of a character", 1),
        ("a: @x\n", "cannot start any token", 1),
    ],
)
def test_what_a_go_program_refuses_is_refused_with_its_line(text: str, why: str, line: int) -> None:
    with pytest.raises(YamlError, match=why) as caught:
        load_all(text)
    assert caught.value.line == line


def test_a_file_larger_than_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLargeError, match="larger than 1 MB"):
        load(b"#" * (LARGEST + 1))
    with pytest.raises(YamlError, match="not UTF-8") as caught:
        load(b"a: 1\nb: \xff\n")
    assert caught.value.line == 2


def test_numbers_are_shown_as_a_chart_prints_them() -> None:
    assert [format_scalar(value) for value in (1.1, 1000.0, 8, True, None, 1e-7, "v1")] == [
        "1.1", "1000", "8", "true", "null", "1e-07", "v1",
    ]  # fmt: skip
    assert json.loads(format_scalar(0.5)) == 0.5
