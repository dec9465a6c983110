"""Lists and mappings are written as the file writes its own; nothing outside the key changes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sgm_tui.gitops.yaml.edits import EditRefusedError
from sgm_tui.gitops.yaml.structured import remove_key, set_value
from sgm_tui.gitops.yaml.style import Value
from sgm_tui.sandbox.git.seed import seed

STEPS: Value = [{"setWeight": 10}, {"pause": {"duration": "1m"}}, {"analysis": {}}]
KEY = "rollout.steps"

WRITTEN: dict[str, tuple[str, Value, str, str]] = {
    "steps over steps": (
        KEY, STEPS,
        "rollout:\n  steps: # x\n    - setWeight: 5 # x\n    # gate\n    - a: {}\n    # e\n # z\n",
        "rollout:\n  steps: # x\n    - setWeight: 10\n    - pause: {duration: 1m}\n    - analysis: {}\n    # e\n # z\n",
    ),
    "flush with the key": (
        KEY, STEPS,
        "rollout:\n  steps:\n  - setWeight: 5\nb: 1\n",
        "rollout:\n  steps:\n  - setWeight: 10\n  - pause: {duration: 1m}\n  - analysis: {}\nb: 1\n",
    ),
    "indented by four": (
        KEY, STEPS,
        "rollout:\n    steps:\n        - x\n",
        "rollout:\n    steps:\n        - setWeight: 10\n        - pause: {duration: 1m}\n        - analysis: {}\n",
    ),
    "windows line ends": (
        KEY, STEPS,
        "rollout:\r\n  steps:\r\n  - x\r\nb: 1\r\n",
        "rollout:\r\n  steps:\r\n  - setWeight: 10\r\n  - pause: {duration: 1m}\r\n  - analysis: {}\r\nb: 1\r\n",
    ),
    "byte order mark, no final line end": (
        KEY, ["a"], "\ufeffrollout:\n  steps:\n    - b", "\ufeffrollout:\n  steps:\n    - a",
    ),
    "brackets stay brackets": (
        KEY, STEPS,
        "rollout: {strategy: canary, steps: [a, b]} # c\n",
        "rollout: {strategy: canary, steps: [{setWeight: 10}, {pause: {duration: 1m}}, {analysis: {}}]} # c\n",
    ),
    "brackets over lines": (KEY, ["x"], "rollout:\n  steps: [a,\n    b] # c\n", "rollout:\n  steps: [x] # c\n"),
    "a scalar over a list": (
        KEY, "none", "rollout:\n  steps: # c\n    - a\n    - b\n", "rollout:\n  steps: none # c\n",
    ),
    "no steps": (KEY, [], "rollout:\n  steps:\n    - a\n  x: 1\n", "rollout:\n  steps: []\n  x: 1\n"),
    "a list over a scalar": (
        KEY, ["a"], "rollout:\n  steps: x  # c\nb: 1\n", "rollout:\n  steps:  # c\n    - a\nb: 1\n",
    ),
    "a list over nothing": (KEY, ["a"], "rollout:\n  steps:\nb: 1\n", "rollout:\n  steps:\n    - a\nb: 1\n"),
    "a list over nothing, comment": (KEY, ["a"], "rollout:\n  steps: # c\n", "rollout:\n  steps: # c\n    - a\n"),
    "a number over nothing": (KEY, 5, "rollout:\n  steps: # c\n", "rollout:\n  steps: 5 # c\n"),
    "a number over a number": ("a.b", 7, "a:\n  b:   6   # c\n", "a:\n  b:   7   # c\n"),
    "a boolean": ("a", True, "a: false\n", "a: true\n"),
    "a float every reader takes for one": ("a", 1e-7, "a: 1\n", "a: 1.0e-07\n"),
    "a float": ("a", 0.5, "a: 1\n", "a: 0.5\n"),
    "a string that looks like a number": ("a", "1.10", "a: b\n", 'a: "1.10"\n'),
    "as the file indents elsewhere": (
        KEY, ["a"], "xs:\n- b\nys:\n- c\nrollout:\n  x: 1\n", "xs:\n- b\nys:\n- c\nrollout:\n  x: 1\n  steps:\n  - a\n",
    ),
    "inserted last": (
        KEY, ["a"],
        "rollout:\n  strategy: canary # c\n  # about nothing\n\nb: 1\n",
        "rollout:\n  strategy: canary # c\n  steps:\n    - a\n  # about nothing\n\nb: 1\n",
    ),
    "inserted behind a list": (
        "rollout.max", 1, "rollout:\n  steps:\n    - a:\n      b: # c\nz: 1\n",
        "rollout:\n  steps:\n    - a:\n      b: # c\n  max: 1\nz: 1\n",
    ),
    "inserted behind a text": (
        KEY, ["a"],
        "rollout:\n  x: |\n    t\n\nb: 1\n", "rollout:\n  x: |\n    t\n  steps:\n    - a\n\nb: 1\n",
    ),
    "inserted where no line end is": (KEY, ["a"], "rollout:\n  x: 1", "rollout:\n  x: 1\n  steps:\n    - a"),
    "inserted at the top": ("new", {"a": "b"}, "x: 1\n# end\n", "x: 1\nnew:\n  a: b\n# end\n"),
    "inserted into the right document": (
        "b.c", 1, "kind: A\n---\nb:\n  d: 1\n---\nc: 1\n", "kind: A\n---\nb:\n  d: 1\n  c: 1\n---\nc: 1\n",
    ),
    "a mapping over a mapping": (
        "resources", {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}, "m": 1},
        "resources:\n   requests: {cpu: 1}\nb: 1\n",
        "resources:\n   requests: {cpu: 250m, memory: 256Mi}\n   limits: {memory: 1Gi}\n   m: 1\nb: 1\n",
    ),
    "items of several keys": (
        "xs", [{"a": 1, "b": [{"c": None}]}, ["d", []]],
        "xs:\n- q\n", "xs:\n- a: 1\n  b:\n  - c: null\n- [d, []]\n",
    ),
    "keys that need quotes": ("a", {"on": "yes", "1": "~"}, "a:\n  x: y\n", 'a:\n  "on": "yes"\n  "1": "~"\n'),
    "anchors elsewhere": ("c", ["a"], "x: &x 1\ny: *x\nc:\n- b\n", "x: &x 1\ny: *x\nc:\n- a\n"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "value", "before", "after"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_value_is_written_in_the_style_of_the_file(key: str, value: Value, before: str, after: str) -> None:
    assert set_value(before.encode(), key, value).decode() == after


REFUSED: dict[str, tuple[str, str, Value, str]] = {
    "no parent": ("a.b", "x: 1\n", 1, "no mapping to put a.b in"),
    "parent is a scalar": ("a.b", "a: 1\n", 1, "no mapping to put a.b in"),
    "parent is empty": ("a.b", "a:\n", 1, "no mapping to put a.b in"),
    "parent in braces": ("a.b", "a: {c: 1}\n", 1, "written in braces"),
    "empty parent in braces": ("a.b", "a: {}\n", 1, "written in braces"),
    "anchor": ("a", "a: &a [1]\nb: *a\n", [2], "anchor"),
    "anchor above": ("a.b", "a: &a\n  b: 1\n", [2], "anchor"),
    "alias": ("b", "a: &a [1]\nb: *a\n", [2], "anchor"),
    "alias inside that loses its anchor": ("a", "a:\n- &x 1\nb: *x\n", [2], "not valid YAML"),
    "merge key": ("a.b", "x: &x {b: 1}\na:\n  <<: *x\n", [2], "merge key"),
    "duplicate": ("a", "a: 1\na: 2\n", [2], "occurs twice"),
    "tag": ("a", "a: !mine\n- 1\n", [2], "tag"),
    "scalar tag": ("a", "a: !!str 1\n", [2], "tag"),
    "text": ("a", "a: |\n  x\n", [2], "block of text"),
    "over lines": ("a", "a: x\n  y\n", [2], "several lines"),
    "template": ("a", "a: {{ x }}\n", [2], "template"),
    "sops": ("a", "a: 1\nsops: {}\n", [2], "encrypted"),
    "several documents": ("a", "a: 1\n---\na: 2\n", [2], "several documents"),
    "only in the second document": ("b", "a: 1\n---\nb: 1\n", [2], "in the first document, and Helm reads no other"),
    "parent in the second document": ("b.c", "a: 1\n---\nb:\n  d: 1\n", [2], "in the first document, and Helm"),
    "parent in several documents": ("a.b", "a:\n  x: 1\n---\na:\n  y: 2\n", [2], "several documents"),
    "first key of a list item": ("xs[n=a].n", "xs:\n- n: a\n  m: 1\n", ["b"], "shares its line"),
    "entry of a list": ("xs[n=a]", "xs:\n- n: a\n", ["b"], "entry of a list"),
    "text that keeps its end": ("a.c", "a:\n  b: |+\n    x\n\n\nz: 1\n", 1, "something else"),
    "a hostile string": ("a", "a:\n- b\n", ["x\n- y"], "new value"),
    "a hostile key": ("a", "a:\n- b\n", {"x\ny": 1}, "new value"),
    "not a number": ("a", "a: 1\n", float("nan"), "would not be read back"),
    "not utf-8": ("a", "a: \udcff\n", [1], "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "text", "value", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_written_safely_is_refused(key: str, text: str, value: Value, why: str) -> None:
    with pytest.raises(EditRefusedError, match=why):
        set_value(text.encode("utf-8", "surrogateescape"), key, value)


def test_a_value_nested_without_end_is_refused() -> None:
    value: Value = []
    for _ in range(40):
        value = [value]
    with pytest.raises(EditRefusedError, match="nested deeper"):
        set_value(b"a: 1\n", "a", value)


REMOVED = {
    "a list": (
        KEY,
        "rollout:\n  a: 1\n  steps: # c\n    - x\n    - y # d\n  # e\n  b: 2\n",
        "rollout:\n  a: 1\n  # e\n  b: 2\n",
    ),
    "the first": ("a", "# x\na: 1 # c\nb: 2\n", "# x\nb: 2\n"),
    "the last": ("b", "a: 1\nb:\n- c\n", "a: 1\n"),
    "the last without a line end": ("b", "a: 1\nb: 2", "a: 1\n"),
    "nothing": ("b", "a: 1\nb: # c\nd: 1\n", "a: 1\nd: 1\n"),
    "a text": ("b", "a: 1\nb: |\n  x\n\n  y\n\nd: 1\n", "a: 1\n\nd: 1\n"),
    "windows": ("a.b", "a:\r\n  b:\r\n    c: 1\r\n  d: 2\r\n", "a:\r\n  d: 2\r\n"),
    "in the second document": ("b", "kind: A\n---\nb: 1\nc: 2\n", "kind: A\n---\nc: 2\n"),
    "in a list's mapping": ("xs[n=a].m", "xs:\n- n: a\n  m: 1\n- n: b\n", "xs:\n- n: a\n- n: b\n"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "before", "after"), REMOVED.values(), ids=REMOVED.keys())
def test_a_key_leaves_with_its_lines_and_nothing_else(key: str, before: str, after: str) -> None:
    assert remove_key(before.encode(), key).decode() == after
    assert set_value(before.encode(), key, None).decode() == after


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("a.b", "a:\n  b: 1\n", "alone in its mapping"),
        ("a.b", "a: {b: 1, c: 2}\n", "written in braces"),
        ("b", "a: 1\n", "there is no b"),
        ("a", "a: &x 1\nb: *x\n", "anchor"),
        ("a", "a:\n- &x 1\nb: *x\n", "not valid YAML"),
        ("xs[n=a].n", "xs:\n- n: a\n  m: 1\n", "shares its line"),
        ("a", "a: |+\n  x\n\n\nb: 1\n", None),
    ],
)
def test_a_key_that_cannot_leave_alone_stays(key: str, text: str, why: str | None) -> None:
    if why is None:
        assert remove_key(text.encode(), key) == b"\n\nb: 1\n"
        return
    with pytest.raises(EditRefusedError, match=why):
        remove_key(text.encode(), key)


def test_the_steps_of_every_bundled_service_can_be_written_and_read_back() -> None:
    for path, data in seed().items():
        if path.endswith("values.yaml") and "/app-service/" in path and b"  steps:" in data:
            old = yaml.safe_load(data)["rollout"]["steps"]
            changed = set_value(data, KEY, STEPS)
            assert yaml.safe_load(changed)["rollout"]["steps"] == STEPS
            if b"# gate" not in data:
                assert set_value(changed, KEY, old) == data


words = st.one_of(
    st.sampled_from(["a", "yes", "1.10", "x: y", "# c", "it's", "10m", "~", "- a"]), st.text("abc", min_size=1)
)
leaves = st.one_of(words, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)  # fmt: skip
OLD = (
    "v",
    "",
    " # c",
    "5",
    "[a, b]",
    "{a: b}",
    "\n@- a\n@- b: c\n@  d: e",
    "\n@- a: # x",
    "\n@b: c\n@# x\n@d:",
    "'q' # c",
)


@settings(max_examples=100, deadline=None)
@given(
    values,
    st.sampled_from(OLD),
    st.integers(1, 4),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "z: 1", "# z"]),
)
def test_whatever_is_written_is_read_back_and_all_else_stays(
    value: Any, old: str, step: int, end: str, tail: str
) -> None:
    indent = " " * step
    head = f"# head{end}a: 1{end}b:{end}{indent}c: d  # x{end}{indent}e:"
    lines = old.replace("@", indent * 2).replace("\n", end)
    rest = f"{end}{indent}# y{end}{indent}f: 'g'{end}{tail}"
    before = head + (lines if lines.startswith((" ", "\r", "\n")) or not lines else f" {lines}") + rest
    after = set_value(before.encode(), "b.e", value).decode()
    for read in (yaml.safe_load, YAML(typ="safe", pure=True).load):
        expected = read(before)
        if value is None:
            del expected["b"]["e"]
            assert after == before.replace(f"{indent}e:", "\0")[: len(head) - len(indent) - 2] + rest.removeprefix(end)
        else:
            expected["b"]["e"] = value
            assert after.startswith(head)
            assert after.endswith(rest)
        assert read(after) == expected
    assert ("\r" in after) == ("\r" in before)
    assert after.count("\n") == after.count(end)
