"""Corner cases made by hand: each is changed in exactly the bytes shown, or refused for exactly the reason shown.

In the accepted ones the version stands between « and »: what the edit has to replace, and all it may replace. What is
put there is shown behind the arrow where it is not simply `v2`.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.values import UnreadableError, read_version

TAG, HELM, KUSTOMIZE = "image.tag", "spec.values.image.tag", "images[name=shop/x].newTag"
RELEASE = (
    "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec:\n  interval: 5m\n"
    "  values:\n    replicas: 2\n    image:\n      repository: r\n      tag: «v1»\n    note: |\n      image:\n"
    "        tag: v1\n"
)
KUSTOMIZATION = (
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../base\nimages:\n"
    "- name: shop/y\n  newTag: v1\n- name: shop/x # ours\n  newName: registry/x\n  newTag: «v1» # bumped\n"
)

EXACT: dict[str, tuple[str, str]] = {
    "plain": (TAG, "image:\n  tag: «v1»\n"),
    "double quoted": (TAG, 'image:\n  tag: «"v1"»→"v2"\n'),
    "single quoted": (TAG, "image:\n  tag: «'v1'»→'v2'\n"),
    "quoted with an escape": (TAG, 'image:\n  tag: «"v\\x31"»→"v2"\n'),
    "quoted with a doubled quote": (TAG, "image:\n  tag: «'it''s'»→'v2'\n"),
    "comment without room": (TAG, "image:\n  tag: «v1» #c\n"),
    "comment with the same text": (TAG, "image:\n  tag: «v1» # tag: v1\n"),
    "hash within the value": (TAG, "image:\n  tag: «v1#2»\n"),
    "colon within the value": (TAG, "image:\n  tag: «sha256:abc»\n"),
    "comment behind a quote": (TAG, "image:\n  tag: «'v1'»→'v2' # 'x'\n"),
    "comments all around": (TAG, "# a\nimage: # b\n  # c\n  tag: «v1» # d\n  # e\n# f\n"),
    "spaces behind": (TAG, "image:\n  tag: «v1»   \n"),
    "spaces before": (TAG, "image:\n  tag:      «v1»\n"),
    "space before the colon": (TAG, "image :\n  tag : «v1»\n"),
    "windows line ends": (TAG, "a: 1\r\nimage:\r\n  tag: «v1»\r\n"),
    "mixed line ends": (TAG, "a: 1\r\nimage:\n  tag: «v1»\r\nb: 2\n"),
    "old mac line ends": (TAG, "a: 1\rimage:\r  tag: «v1»\rb: 2\r"),
    "byte order mark": (TAG, "\ufeffimage:\n  tag: «v1»\n"),
    "byte order mark and windows": (TAG, "\ufeff# c\r\nimage:\r\n  tag: «v1»\r\n"),
    "no final line end": (TAG, "image:\n  tag: «v1»"),
    "no final line end, comment": (TAG, "image:\n  tag: «v1» # c"),
    "many final line ends": (TAG, "image:\n  tag: «v1»\n\n\n"),
    "one of two documents": (TAG, "image:\n  tag: «v1»\n---\na: 1\n"),
    "the first of three": (TAG, "image:\n  tag: «v1»\n---\n---\nb: 1\n"),
    "markers with comments": (TAG, "--- # one\nimage:\n  tag: «v1»\n--- # two\na: 1\n... # end\n"),
    "a comment before the marker": (TAG, "# licence\n---\nimage:\n  tag: «v1»\n"),
    "version directive 1.1": (TAG, "%YAML 1.1\n---\nimage:\n  tag: «v1»\n"),
    "a list in another document": (TAG, "image:\n  tag: «v1»\n---\n- 1\n- image\n"),
    "flow mapping": (TAG, "image: {repository: r, tag: «v1»}\n"),
    "flow mapping with room": (TAG, "image: { tag: «v1» , a: b }\n"),
    "flow mapping all the way": (TAG, "{image: {tag: «v1»}}\n"),
    "flow mapping over lines": (TAG, "image: {\n  a: b, # c\n  tag: «v1»\n}\n"),
    "json": (TAG, '{"image": {"tag": «"v1"»→"v2", "port": 80}}\n'),
    "json without spaces": (TAG, '{"image":{"tag":«"v1"»→"v2"}}'),
    "a comma at the end": (TAG, "image: {tag: «v1»,}\n"),
    "deep nesting": ("a.b.c.d.e.f.g.h", "a:\n b:\n  c:\n   d:\n    e:\n     f:\n      g:\n       h: «v1»\n"),
    "twenty columns": (TAG, "image:\n                    tag: «v1»\n"),
    "same key deeper": (TAG, "image:\n  x:\n    tag: v1\n  tag: «v1»\n"),
    "same key above": (TAG, "tag: v1\nimage:\n  tag: «v1»\n"),
    "same key in a list": (TAG, "image:\n  xs:\n  - tag: v1\n  - image: {tag: v1}\n  tag: «v1»\n"),
    "same key in a text": (TAG, "note: |\n  image:\n    tag: v1\nimage:\n  tag: «v1»\n"),
    "same key in a folded text": (TAG, "image:\n  note: >-\n    tag: v1\n\n    tag: v1\n  tag: «v1»\n"),
    "a text with an indentation indicator": (TAG, "note: |2\n    x\n  y\nimage:\n  tag: «v1»\n"),
    "a text that keeps its end": (TAG, "image:\n  tag: «v1»\n  note: |+\n    x\n\n\nb: 1\n"),
    "a quoted text over lines beside it": (TAG, 'note: "image:\n  tag: v1"\nimage:\n  tag: «v1»\n'),
    "plain text over lines beside it": (TAG, "note: some\n  words\nimage:\n  tag: «v1»\n"),
    "unicode": (TAG, "name: Zoë→😀\nimage:\n  tag: «v1» # ü\n"),
    "unicode in the value": (TAG, "image:\n  tag: «vé😀»\n"),
    "a space that does not break in a comment": (TAG, "image: # a\u00a0b\n  tag: «v1»\n"),
    "quoted keys": (TAG, "\"image\":\n  'tag': «v1»\n"),
    "a key with an escape": (TAG, '"im\\x61ge":\n  tag: «v1»\n'),
    "complex keys": (TAG, "? image\n: tag: «v1»\n"),
    "number as a key beside it": (TAG, "80: http\nimage:\n  443: x\n  tag: «v1»\n"),
    "null beside it": (TAG, "image:\n  repository:\n  digest: ~\n  tag: «v1»\n"),
    "an anchor elsewhere": (TAG, "a: &a {b: 1}\nc: *a\nimage:\n  tag: «v1»\n"),
    "an anchor used twice elsewhere": (TAG, "a: &a 1\nb: &a 2\nc: *a\nimage:\n  tag: «v1»\n"),
    "a merge elsewhere": (TAG, "a: &a {b: 1}\nc:\n  <<: *a\nimage:\n  tag: «v1»\n"),
    "a tag elsewhere": (TAG, "a: !!binary aGk=\nb: !mine {c: 1}\nimage:\n  tag: «v1»\n"),
    "a duplicate elsewhere": (TAG, "a: 1\na: 2\nimage:\n  tag: «v1»\n"),
    "a very long line": (TAG, f"a: {'word ' * 4000}end\nimage:\n  tag: «v1»\n"),
    "a very long comment": (TAG, f"image:\n  tag: «v1» # {'-' * 20_000}\n"),
    "one that looks like a number": (TAG, "image:\n  tag: «'1.10'»→'v2'\n"),
    "empty quotes": (TAG, "image:\n  tag: «''»→'v2'\n"),
    "sequences flush with their key": (TAG, "xs:\n- a\n-   b\nimage:\n  tag: «v1»\n"),
    "sequences in sequences": (TAG, "xs:\n- - a\n  - b\n-\n  - c\nimage:\n  tag: «v1»\n"),
    "kustomization": (KUSTOMIZE, KUSTOMIZATION),
    "kustomization in flow style": (KUSTOMIZE, "images: [{name: a, newTag: v1}, {name: shop/x, newTag: «v1»}]\n"),
    "kustomization, tag first": (KUSTOMIZE, "images:\n  - newTag: «'1.0'»→'v2'\n    name: shop/x\n"),
    "helm release": (HELM, RELEASE),
    "helm release among others": (HELM, f"kind: Namespace\n---\n{RELEASE}---\nkind: ConfigMap\ndata: {{a: b}}\n"),
    "helm release, windows": (HELM, RELEASE.replace("\n", "\r\n")),
}  # fmt: skip


def _taken_apart(marked: str) -> tuple[bytes, bytes]:
    before, after = (
        re.sub("«(.*?)»(→(\"v2\"|'v2'))?", r"\1", marked),
        re.sub("«(.*?)»(?:→(\"v2\"|'v2'))?", _new, marked),
    )
    return before.encode(), after.encode()


def _new(match: re.Match[str]) -> str:
    return match[2] or "v2"


@pytest.mark.parametrize(("key", "marked"), EXACT.values(), ids=EXACT.keys())
def test_the_version_changes_and_not_one_byte_beside_it(key: str, marked: str) -> None:
    before, after = _taken_apart(marked)
    assert before != after
    assert edit(before, key, "v2") == after
    if key == TAG and "!" not in marked and "? [" not in marked and "b: &a" not in marked:
        for read in (yaml.safe_load_all, _newer):
            holding = [one for one in read(after.decode("utf-8-sig")) if isinstance(one, dict) and "image" in one]
            assert [one["image"]["tag"] for one in holding] == ["v2"]


def _newer(text: str) -> list[Any]:
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True
    return list(reader.load_all(text))


@pytest.mark.parametrize(("key", "marked"), EXACT.values(), ids=EXACT.keys())
def test_what_can_be_changed_can_be_changed_back(key: str, marked: str) -> None:
    before, after = _taken_apart(marked)
    try:
        old = read_version(before, key)
    except UnreadableError:
        return
    if re.fullmatch(r"v\d", old) and "\\" not in marked:
        assert edit(after, key, old, expected="v2") == before


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "anchor on the value": ("image:\n  tag: &t v1\nx: *t\n", "is an anchor or an alias"),
    "alias as the value": ("x: &t v1\nimage:\n  tag: *t\n", "is an anchor or an alias"),
    "anchor on the parent": ("image: &i\n  tag: v1\n", "is under an anchor"),
    "alias as the parent": ("x: &i {tag: v1}\nimage: *i\n", "is under an anchor"),
    "anchor on the document": ("&d\nimage:\n  tag: v1\n", "is under an anchor"),
    "merge key": ("x: &x {tag: v0}\nimage:\n  <<: *x\n  tag: v1\n", "merge key"),
    "merge key above": ("x: &x {image: {}}\n<<: *x\nimage:\n  tag: v1\n", "merge key"),
    "only merged": ("x: &x {tag: v0}\nimage:\n  <<: *x\n", "merge key"),
    "duplicate key": ("image:\n  tag: v1\n  tag: v1\n", "tag occurs twice"),
    "duplicate key, quoted": ("image:\n  tag: v1\n  'tag': v1\n", "tag occurs twice"),
    "duplicate parent": ("image:\n  tag: v1\nx: 1\nimage:\n  a: b\n", "image occurs twice"),
    "duplicate in flow": ("image: {tag: v1, tag: v2}\n", "tag occurs twice"),
    "literal": ("image:\n  tag: |\n    v1\n", "is a block of text"),
    "folded": ("image:\n  tag: >-\n    v1\n", "is a block of text"),
    "plain over lines": ("image:\n  tag: v1\n    beta\n", "runs over several lines"),
    "quoted over lines": ('image:\n  tag: "v1\\\n    beta"\n', "runs over several lines"),
    "helm template": ("image:\n  tag: {{ .Values.tag }}\n", "is a template"),
    "helm template elsewhere": ("{{- if .x }}\nimage:\n  tag: v1\n{{- end }}\n", "is a template"),
    "jinja": ("{% if x %}\nimage:\n  tag: v1\n", "is a template"),
    "sops": ("image:\n  tag: v1\nsops:\n  version: 3.9\n", "is encrypted"),
    "sops in json": ('{"a": 1}\n---\nimage:\n  tag: v1\n---\n"sops": {}\n', "is encrypted"),
    "sops value": ("image:\n  tag: ENC[AES256_GCM,data:x]\n", "is encrypted"),
    "latin-1": (b"# \xe9\nimage:\n  tag: v1\n", "not UTF-8"),
    "utf-16": ("image:\n  tag: v1\n".encode("utf-16"), "not UTF-8"),
    "surrogate": (b"# \xed\xa0\x80\nimage:\n  tag: v1\n", "not UTF-8"),
    "nul": ("image:\n  tag: v1\n# \0\n", "NUL"),
    "next line character": ("image: # a\x85  tag: v1\n", "only some readers take for line ends"),
    "line separator": ("note: 'a\u2028b'\nimage:\n  tag: v1\n", "only some readers take for line ends"),
    "paragraph separator": ("image:\n  tag: v1 # a\u2029b: 1\n", "only some readers take for line ends"),
    "escape": ("# \x1b[2J\nimage:\n  tag: v1\n", "not valid YAML"),
    "null": ("image:\n  tag: null\n", "no string"),
    "tilde": ("image:\n  tag: ~\n", "no string"),
    "nothing": ("image:\n  tag:\n", "no string"),
    "nothing but a comment": ("image:\n  tag: # v1\n", "no string"),
    "number": ("image:\n  tag: 1.10\n", "no string"),
    "integer": ("image:\n  tag: 20261123\n", "no string"),
    "hash that is a number": ("image:\n  tag: 12345e6\n", "no string"),
    "older octal": ("image:\n  tag: 0123\n", "no string"),
    "older boolean": ("image:\n  tag: on\n", "no string"),
    "older clock time": ("image:\n  tag: 12:30:45\n", "no string"),
    "older number": ("image:\n  tag: 1_000\n", "no string"),
    "date": ("image:\n  tag: 2026-11-23\n", "no string"),
    "boolean": ("image:\n  tag: true\n", "no string"),
    "a tag": ("image:\n  tag: !!str v1\n", "carries a tag"),
    "a tag of one's own": ("image:\n  tag: !v v1\n", "carries a tag|no string"),
    "a list": ("image:\n  tag: [v1]\n", "no single value"),
    "a mapping": ("image:\n  tag:\n    a: v1\n", "no single value"),
    "in several documents": ("image: {tag: v1}\n---\nimage: {tag: v1}\n", "several documents"),
    "a scalar on the way": ("image: v1\n", "there is no image.tag"),
    "a list on the way": ("image:\n- tag: v1\n", "there is no image.tag"),
    "other case": ("image:\n  Tag: v1\n", "there is no image.tag"),
    "commented out": ("image:\n  # tag: v1\n  a: b\n", "there is no image.tag"),
    "a key with dots": ("image.tag: v1\n", "there is no image.tag"),
    "a tab": ("image:\n\ttag: v1\n", "not valid YAML"),
    "an open quote": ("image:\n  tag: 'v1\n", "not valid YAML"),
    "an open brace": ("image: {tag: v1\n", "not valid YAML"),
    "an unknown alias": ("x: *nowhere\nimage:\n  tag: v1\n", "not valid YAML"),
    "odd indentation": ("image:\n  a: b\n tag: v1\n", "not valid YAML"),
    "a newer directive": ("%YAML 9.9\n---\nimage:\n  tag: v1\n", "not valid YAML"),
    "a directive Go programs refuse": ("%YAML 1.2\n---\nimage:\n  tag: v1\n", "that Go programs refuse"),
    "a key that is a list": ("? [a, b]\n: c\nimage:\n  tag: v1\n", "a mapping or list where a key has to be"),
    "a key that is null": ("~: c\nimage:\n  tag: v1\n", "a key that is null"),
    "a number by its tag that is none": ("x: !!int v1\nimage:\n  tag: v1\n", "v1 is no !!int"),
    "only in the second document": ("a: 1\n---\nimage:\n  tag: v1\n", "in the first document, and Helm reads no other"),
    "two directives": ("%YAML 1.1\n%YAML 1.1\n---\nimage:\n  tag: v1\n", "not valid YAML"),
    "too deep": ("x: " + "[" * 150 + "]" * 150 + "\nimage:\n  tag: v1\n", "nested deeper"),
    "too deep, hidden by quotes": (f'x: ["{"]" * 400}", {"[" * 150}{"]" * 150}]\nimage:\n  tag: v1\n', "nested deeper"),
    "too large": ("# " + "x" * (1 << 20) + "\nimage:\n  tag: v1\n", "larger than 1 MB"),
    "too much": (f"x: &x [{'a, ' * 6000}]\ny: *x\nimage:\n  tag: v1\n", "unfolds to more than"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_changed_safely_is_refused_for_its_reason(text: str | bytes, why: str) -> None:
    with pytest.raises(EditRefusedError, match=why):
        edit(text if isinstance(text, bytes) else text.encode(), TAG, "v2")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("images:\n- {name: a, newTag: v1}\n", "there is no"),
        ("images:\n- {name: shop/x, newTag: v1}\n- {name: shop/x, newTag: v1}\n", "name=shop/x occurs twice"),
        ("images:\n- {name: shop/x}\n", "there is no"),
        ("images:\n- {name: shop/x, name: y, newTag: v1}\n", "name occurs twice"),
        ("images:\n- &x {name: shop/x, newTag: v1}\n", "under an anchor"),
        ("images: {name: shop/x, newTag: v1}\n", "there is no"),
        ("images:\n- {name: shop/x, newTag: 1.10}\n", "no string"),
    ],
)
def test_a_kustomization_that_is_not_clear_is_refused(text: str, why: str) -> None:
    with pytest.raises(EditRefusedError, match=why):
        edit(text.encode(), KUSTOMIZE, "v2")
