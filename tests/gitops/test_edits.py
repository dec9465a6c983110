"""One scalar changes, every other byte stays; what cannot be changed safely is refused with its reason."""

from __future__ import annotations

from time import process_time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.values import UnreadableError, read_version
from sgm_tui.sandbox.git.seed import seed

KEPT = {
    "plain": ("image:\n  tag: v1\n", "image:\n  tag: v2\n"),
    "comment behind": ("image:\n  tag: v1   # bumped by CI\n", "image:\n  tag: v2   # bumped by CI\n"),
    "comment above": ("# a\nimage:\n  # b\n  tag: v1\n", "# a\nimage:\n  # b\n  tag: v2\n"),
    "double quotes": ('image:\n  tag: "v1"\n', 'image:\n  tag: "v2"\n'),
    "single quotes": ("image:\n  tag: 'v1'\n", "image:\n  tag: 'v2'\n"),
    "windows line ends": ("image:\r\n  tag: v1\r\nb: 1\r\n", "image:\r\n  tag: v2\r\nb: 1\r\n"),
    "no line end": ("image:\n  tag: v1", "image:\n  tag: v2"),
    "byte order mark": ("\ufeffimage:\n  tag: v1\n", "\ufeffimage:\n  tag: v2\n"),
    "flow mapping": ("image: {repository: r, tag: v1}\n", "image: {repository: r, tag: v2}\n"),
    "flow mapping over lines": ("image: {\n  tag: v1,\n  b: c }\n", "image: {\n  tag: v2,\n  b: c }\n"),
    "odd indentation": ("image:\n      tag:   v1  \nb:  2\n", "image:\n      tag:   v2  \nb:  2\n"),
    "sequence flush": ("a:\n- x\n-   y\nimage:\n  tag: v1\n", "a:\n- x\n-   y\nimage:\n  tag: v2\n"),
    "same word elsewhere": ("tag: v1\nimage:\n  tag: v1\nz: v1\n", "tag: v1\nimage:\n  tag: v2\nz: v1\n"),
    "quoted key": ('"image":\n  "tag": v1\n', '"image":\n  "tag": v2\n'),
    "a second document": ("image:\n  tag: v1\n---\na: 1\n", "image:\n  tag: v2\n---\na: 1\n"),
    "the second object of a manifest": (
        "kind: A\n---\nkind: B\nimage:\n  tag: v1\n",
        "kind: A\n---\nkind: B\nimage:\n  tag: v2\n",
    ),
    "a quoted template elsewhere": (
        'title: "{{ .Title }}"\nimage:\n  tag: v1\n# {{ x }}\n',
        'title: "{{ .Title }}"\nimage:\n  tag: v2\n# {{ x }}\n',
    ),
    "a quoted jinja elsewhere": ("b: '{% x %}'\nimage:\n  tag: v1\n", "b: '{% x %}'\nimage:\n  tag: v2\n"),
    "a tab before a comment": ("image:\n  tag: v1\t# c\n", "image:\n  tag: v2\t# c\n"),
    "a tab behind a neighbour": ("a: b\t\nimage:\n  tag: v1\n", "a: b\t\nimage:\n  tag: v2\n"),
    "a neighbour with a tag": ("a: !vault |\n  x\nimage:\n  tag: v1\n", "a: !vault |\n  x\nimage:\n  tag: v2\n"),
    "long line": (f"image:\n  tag: v1\nb: {'x ' * 100}y\n", f"image:\n  tag: v2\nb: {'x ' * 100}y\n"),
    "unicode": ("a: ü→😀\nimage:\n  tag: v1 # ü\n", "a: ü→😀\nimage:\n  tag: v2 # ü\n"),
    "anchor elsewhere": ("a: &x 1\nb: *x\nimage:\n  tag: v1\n", "a: &x 1\nb: *x\nimage:\n  tag: v2\n"),
    "block scalar elsewhere": ("a: |\n  tag: v1\nimage:\n  tag: v1\n", "a: |\n  tag: v1\nimage:\n  tag: v2\n"),
    "document start": ("---\nimage:\n  tag: v1\n...\n", "---\nimage:\n  tag: v2\n...\n"),
    "quoted number": ('image:\n  tag: "1.10"\n', 'image:\n  tag: "v2"\n'),
    "digest": ("image:\n  tag: sha256:abc\n", "image:\n  tag: v2\n"),
}


@pytest.mark.parametrize(("before", "after"), KEPT.values(), ids=KEPT.keys())
def test_exactly_the_scalar_changes(before: str, after: str) -> None:
    assert edit(before.encode(), "image.tag", "v2") == after.encode()


REFUSED = {
    "number": ("image:\n  tag: 1.10\n", "no string"),
    "boolean": ("image:\n  tag: true\n", "no string"),
    "null": ("image:\n  tag:\n", "no string"),
    "anchor on the value": ("image:\n  tag: &t v1\nb: *t\n", "anchor"),
    "alias on the value": ("a: &t v1\nimage:\n  tag: *t\n", "anchor"),
    "anchor above": ("image: &i\n  tag: v1\nb: *i\n", "anchor"),
    "merge key": ("base: &b {x: 1}\nimage:\n  <<: *b\n  tag: v1\n", "merge key"),
    "duplicate key": ("image:\n  tag: v1\n  tag: v2\n", "twice"),
    "duplicate parent": ("image:\n  tag: v1\nimage:\n  tag: v2\n", "twice"),
    "block literal": ("image:\n  tag: |\n    v1\n", "block of text"),
    "block folded": ("image:\n  tag: >-\n    v1\n", "block of text"),
    "over lines": ('image:\n  tag: "v\n    1"\n', "several lines"),
    "template": ("image:\n  tag: {{ .Values.x }}\n", "template"),
    "quoted template": ("image:\n  tag: '{{ .Values.x }}'\n", "template"),
    "template elsewhere": ("image:\n  tag: v1\nb: {{ x }}\n", "template"),
    "second document": ("a: 1\n---\nimage:\n  tag: v1\n", "no image.tag in the first document, and Helm reads no"),
    "empty first document": ("---\n---\nimage:\n  tag: v1\n", "no image.tag in the first document"),
    "a space that does not break": ("image:\n  tag: v1\u00a0\n", r"no version has \(U\+00A0\)"),
    "zero width": ("image:\n  tag: v1\u200b\n", r"no version has \(U\+200B\)"),
    "yes": ("image:\n  tag: yes\n", r"no string but a boolean \(True\)"),
    "y": ("image:\n  tag: y\n", "no string but a boolean"),
    "octal": ("image:\n  tag: 010\n", r"no string but a number \(8\)"),
    "thousand": ("image:\n  tag: 1e3\n", r"no string but a number \(1000\)"),
    "underscores": ("image:\n  tag: 1_000\n", r"no string but a number \(1000\)"),
    "sops": ("image:\n  tag: v1\nsops:\n  mac: x\n", "encrypted"),
    "two documents": ("image:\n  tag: v1\n---\nimage:\n  tag: v1\n", "several documents"),
    "missing": ("image:\n  repository: r\n", "there is no image.tag"),
    "missing parent": ("a: 1\n", "there is no image.tag"),
    "empty file": ("", "there is no image.tag"),
    "a list": ("- image\n", "there is no image.tag"),
    "a mapping": ("image:\n  tag: {a: b}\n", "no single value"),
    "own tag": ("image:\n  tag: !!str v1\n", "tag or an anchor"),
    "python tag": ("image:\n  tag: !!python/object:os.system v1\n", "tag or an anchor|no string"),
    "not yaml": ("image: [\n", "not valid YAML"),
    "tabs": ("image:\n\ttag: v1\n", "not valid YAML"),
    "deep flow": ("a: " + "[" * 200 + "]" * 200 + "\nimage:\n  tag: v1\n", "nested deeper"),
    "nul": ("image:\n  tag: v1\0\n", "NUL"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_safe_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(EditRefusedError, match=why):
        edit(text.encode(), "image.tag", "v2")


@pytest.mark.parametrize("data", [b"\xff\xfei\x00", b"image:\n  tag: \xe9\n"], ids=["utf-16", "latin-1"])
def test_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(EditRefusedError, match="not UTF-8"):
        edit(data, "image.tag", "v2")


def test_a_value_somebody_else_changed_is_not_overwritten() -> None:
    with pytest.raises(EditRefusedError, match="v3 now, not v1"):
        edit(b"image:\n  tag: v3\n", "image.tag", "v2", expected="v1")


def test_a_kustomization_is_edited_by_the_name_of_the_image() -> None:
    before = b"images:\n  - name: a\n    newTag: v1\n  - newTag: v1 # b\n    name: b\n"
    after = b"images:\n  - name: a\n    newTag: v1\n  - newTag: v2 # b\n    name: b\n"
    assert edit(before, "images[name=b].newTag", "v2") == after
    with pytest.raises(EditRefusedError, match="there is no"):
        edit(before, "images[name=c].newTag", "v2")


HOSTILE = [
    "yes", "no", "on", "off", "true", "null", "~", "1.10", "012", "0x1f", "1e3", "1:20", ".5", "-1", "2026-11-23",
    "v1: x", "v1 # x", "*a", "&a", "!a", "{a}", "[a]", "a, b", "'", '"', "\\n", "%x", "@x", "`x", "=", "<<", "- a",
    "? a", "v1:", "a.", "v1.2.3+build.5", "sha256:" + "a" * 64, ".nan", "Inf", "1_000", "0o17", "n", "Y",
    "0x1f", "12:30:45", "a: b", "#x", "- x", "-", "--", "---", "...", "?", ":", ":x", ",", "!!int 3", "!!str x", "&a b",
    "*", "{{x}}", "{% x %}", "{", "}", "[", "]", "|", ">", "|-", "%", "%YAML 1.1", "`x`", " x", "x ", "  ", "=", "+1",
    "+.inf", "-.INF", ".NaN", "0b101", "0o", "1.", "1e", "1E+3", "6.02e23", "08", "0777", "00", "١٢", "NULL", "Null",
    "TRUE", "False", "OFF", "oN", "No", "ÿ", "🚀", "🚀 v1", "ﬁ", "v１", "a\\", "\\x41", "a''b", 'a""b', "'a'", '"a"',
    "2001-12-14t21:59:43.10-05:00", "1h", "10ms", "256Mi", "1k", "1d", "0d", "12e", "12E5", "3M", "v1:2", "a:", "a #b",
    "x" * 256, "_", "__", "1__0", "1_0.0", "190:20:30.15", "$x", "${x}", "$(x)",
]  # fmt: skip


OLDER = YAML(typ="safe", pure=True)
OLDER.version = (1, 1)
NEWER = YAML(typ="safe", pure=True)


@pytest.mark.parametrize("value", dict.fromkeys(HOSTILE))
def test_every_reader_sees_exactly_the_new_string(value: str) -> None:
    for style in ("v1", '"v1"', "'v1'"):
        for frame in ("image:\n  tag: {}\nb: 1\n", "image: {{a: b, tag: {}}}\nb: 1\n", "b: 1\nimage:\n  tag: {}"):
            changed = edit(frame.format(style).encode(), "image.tag", value).decode()
            for read in (yaml.safe_load, OLDER.load, NEWER.load):
                found = read(changed)
                assert found["image"]["tag"] == value
                assert found["b"] == 1


@pytest.mark.parametrize("value", ["", "a\nb", "a\tb", "\x1b[2J", "x" * 300, "a\u2028b", "a\x85b", "\ufeffa", "a\u200b",
    "\ud800", "\u202eabc", "a\u00a0", "a\rb", "\0", "\ufffe"])  # fmt: skip
def test_what_no_version_is_called_is_refused(value: str) -> None:
    with pytest.raises(EditRefusedError, match="new value"):
        edit(b"image:\n  tag: v1\n", "image.tag", value)


def test_every_bundled_values_file_survives_there_and_back() -> None:
    for path, data in seed().items():
        if path.endswith("values.yaml") and "/app-service/" in path:
            old = read_version(data, "image.tag")
            changed = edit(data, "image.tag", "v99.0.0", expected=old)
            assert edit(changed, "image.tag", old) == data
            assert sum(a != b for a, b in zip(data.split(b"\n"), changed.split(b"\n"), strict=True)) == 1


words = st.text("abcdefgh", min_size=1, max_size=6)
scalars = st.one_of(words, st.integers(-9, 99).map(str), words.map(lambda text: f"'{text}'"), words.map('"{}"'.format))
comments = st.sampled_from(["", "  # note", " # tag: v1"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str]:
    """A values file of any look with exactly one image.tag, and the line that holds it."""
    indent = " " * draw(st.integers(1, 6))
    others = [
        f"{indent}{key}: {draw(scalars)}{draw(comments)}" for key in draw(st.lists(words, unique=True, max_size=4))
    ]
    quote = draw(st.sampled_from(["", "'", '"']))
    line = f"{indent}tag: {quote}v1.0.{draw(st.integers(0, 99))}{quote}{draw(comments)}"
    others.insert(draw(st.integers(0, len(others))), line)
    around = [f"k{index}: {draw(scalars)}{draw(comments)}" for index in range(draw(st.integers(0, 5)))]
    position = draw(st.integers(0, len(around)))
    lines = [*around[:position], "image:" + draw(comments), *others, *around[position:]]
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return ending.join(lines) + draw(st.sampled_from(["", ending])), line


@settings(max_examples=100, deadline=None)
@given(files(), st.sampled_from(["v2.0.0", "yes", "1.10", "sha-1f2e"]))
def test_in_a_generated_file_exactly_one_line_differs(file: tuple[str, str], new: str) -> None:
    text, line = file
    changed = edit(text.encode(), "image.tag", new).decode()
    old_lines, new_lines = text.split("\n"), changed.split("\n")
    different = [index for index, (a, b) in enumerate(zip(old_lines, new_lines, strict=True)) if a != b]
    assert len(different) == 1
    assert old_lines[different[0]].rstrip("\r") == line
    assert read_version(changed.encode(), "image.tag") == new


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 14)
)


def test_an_alias_bomb_is_refused_at_once() -> None:
    with pytest.raises(EditRefusedError, match="unfolds to more than"):
        edit(f"{BOMB}image:\n  tag: v1\n".encode(), "image.tag", "v2")
    with pytest.raises(EditRefusedError, match="contains itself"):
        edit(b"l: &l [*l]\nimage:\n  tag: v1\n", "image.tag", "v2")


def test_a_bomb_where_the_version_should_be_is_told_without_unfolding_it() -> None:
    with pytest.raises(UnreadableError, match="unfolds to more than"):
        read_version(f"{BOMB}image:\n  tag: *a13\n".encode(), "image.tag")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("image:\n  example.com/x:\n    tag: v9\n  tag: v1\n", "v1"),
        ("image:\n  'note': |\n    tag: v9\n  tag: v1\n", "v1"),
        ("image:\n  note: |\n      tag: v9\n  tag: v1\n", "v1"),
        ("image: # c\n\n  tag: 'v1' # tag: v9\n", "v1"),
        ("steps:\n  - setWeight: 5\n  - tag: v9\nimage:\n  tag: v1\n", "v1"),
        ("image: {repository: r,\n  tag: v1}\n", "v1"),
    ],
)
def test_the_fast_way_reads_what_the_parser_reads(text: str, version: str) -> None:
    assert read_version(text.encode(), "image.tag") == version


def test_a_parent_that_is_there_twice_is_told() -> None:
    with pytest.raises(UnreadableError, match="duplicate key"):
        read_version(b"image:\n  tag: v1\nb: 1\nimage:\n  tag: v2\n", "image.tag")


def test_a_version_in_a_file_near_the_limit_changes_in_a_moment() -> None:
    body = b"".join(b"k%d:\n  a: v%d # c\n  b: 'x'\n  c: {d: 1}\n" % (number, number) for number in range(950))
    for above in (b"", b"x: &x 1\ny: *x\nz: 'over\n  lines'\n"):
        start = process_time()
        changed = edit(above + b"image:\n  tag: v1\n" + body, "image.tag", "v2")
        assert process_time() - start < 0.3
        assert changed == above + b"image:\n  tag: v2\n" + body
