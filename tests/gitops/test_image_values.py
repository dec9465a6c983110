"""An image key may point at a whole image reference: the image stays, its tag or digest is the version."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_repository import DEV, PROD_1, changed, findings

from sgm_tui.gitops.yaml.edits import EditRefusedError, edit
from sgm_tui.gitops.yaml.image_values import image_in
from sgm_tui.gitops.yaml.values import UnreadableError, read_version

SHA = "sha256:" + "0a" * 32
OTHER = "sha256:" + "1b" * 32

REFERENCES = {
    "a tag": ("docker.io/acme/app:3.0", "3.0", "1.11", "docker.io/acme/app:1.11"),
    "a registry with a port": ("localhost:5000/acme/app:3.0", "3.0", "1.11", "localhost:5000/acme/app:1.11"),
    "a port and no folder": ("localhost:5000/app:3.0", "3.0", "1.11", "localhost:5000/app:1.11"),
    "a port and no tag": ("localhost:5000/app", "latest", "1.11", "localhost:5000/app:1.11"),
    "an address": ("10.0.0.1:5000/a/b/c:v1", "v1", "v2", "10.0.0.1:5000/a/b/c:v2"),
    "a digest": (f"ghcr.io/acme/app@{SHA}", SHA, OTHER, f"ghcr.io/acme/app@{OTHER}"),
    "a digest to a tag": (f"ghcr.io/acme/app@{SHA}", SHA, "v2", "ghcr.io/acme/app:v2"),
    "a tag to a digest": ("ghcr.io/acme/app:v1", "v1", SHA, f"ghcr.io/acme/app@{SHA}"),
    "a tag and a digest": (f"acme/app:v1@{SHA}", f"v1@{SHA}", f"v2@{OTHER}", f"acme/app:v2@{OTHER}"),
    "a port, a tag and a digest": (f"h:1/app:v1@{SHA}", f"v1@{SHA}", "v2", "h:1/app:v2"),
    "no tag": ("docker.io/acme/app", "latest", "1.11", "docker.io/acme/app:1.11"),
    "no folder": ("nginx:1.25", "1.25", "1.26", "nginx:1.26"),
    "one word": ("nginx", "latest", "1.26", "nginx:1.26"),
    "one word and a digest": (f"nginx@{SHA}", SHA, "1.26", "nginx:1.26"),
    "upper case": ("ghcr.io/Acme/App:V1", "V1", "V2", "ghcr.io/Acme/App:V2"),
}
VERSIONS = ["v1.2.3", "1.11", "20261123-1", "0a1b2c3d4e", SHA, f"v1@{SHA}"]
FORMS = [
    "image: {}\n",
    "image: '{}'\n",
    'image: "{}" # c\n',
    "image:   {}   # nginx:1\nb: 1\n",
    "{{image: {}, a: b}}\n",
]


def bare(text: str) -> str:
    """A text without its quotes: a reference without a slash is put in some."""
    return text.replace('"', "").replace("'", "")


@pytest.mark.parametrize(("value", "version", "new", "after"), REFERENCES.values(), ids=REFERENCES.keys())
def test_of_a_reference_only_the_version_is_read_and_changed(value: str, version: str, new: str, after: str) -> None:
    for form in FORMS:
        data = form.format(value).encode()
        assert read_version(data, "image") == version
        changed = edit(data, "image", new, expected=version)
        assert read_version(changed, "image") == new
        assert bare(changed.decode()) == bare(form.format(after))
        with pytest.raises(EditRefusedError, match="it was changed meanwhile"):
            edit(data, "image", new, expected="v0")


@pytest.mark.parametrize("value", VERSIONS)
@pytest.mark.parametrize("key", ["image", "tag"])
def test_a_bare_version_is_replaced_as_a_whole(value: str, key: str) -> None:
    assert read_version(f"{key}: {value!r}\n".encode(), key) == value
    assert edit(f"{key}: {value!r}\n".encode(), key, "v9") == f"{key}: 'v9'\n".encode()


def test_a_word_at_a_key_of_tags_is_a_tag() -> None:
    assert read_version(b"image:\n  tag: nginx\n", "image.tag") == "nginx"
    assert read_version(b"image:\n  tag: acme/app:3.0\n", "image.tag") == "3.0"
    assert edit(b"image:\n  tag: acme/app:3.0\n", "image.tag", "4.0") == b"image:\n  tag: acme/app:4.0\n"
    assert image_in("acme/app:3.0", "image") == "acme/app"
    assert not image_in("3.0", "image")


@pytest.mark.parametrize(
    "value",
    [
        "https://ghcr.io/acme/app:1",
        "acme/app:",
        "acme//app:1",
        "acme/app:1:2",
        "acme/app@v1",
        "acme/app 1",
        "/a:1",
        "a/b@",
    ],
)
def test_what_looks_like_a_reference_and_is_none_is_refused(value: str, tmp_path: Path) -> None:
    data = f"image: '{value}'\n".encode()
    with pytest.raises(UnreadableError, match="neither a version nor an image reference"):
        read_version(data, "image")
    with pytest.raises(EditRefusedError, match="neither a version nor an image reference"):
        edit(data, "image", "v2")
    (one,) = findings(tmp_path, changed(DEV, "tag: v1.4.2", f"tag: '{value}'"), only=["image-key-uneditable"])
    assert "neither a version nor an image reference" in one.message


@pytest.mark.parametrize("new", ["a/b:1", "v1 2", "v1:2:3", "@x", "-", "v1@"])
def test_a_version_that_fits_into_no_reference_is_refused(new: str) -> None:
    with pytest.raises(EditRefusedError):
        edit(b"image: acme/app:3.0\n", "image", new)


LINTED = {
    "a version": ("ghcr.io/acme/cart:v1.4.2", None, ""),
    "a digest": (f"ghcr.io/acme/cart@{SHA}", None, ""),
    "latest": ("ghcr.io/acme/cart:latest", "version-mutable", "latest is a name that moves"),
    "major": ("localhost:5000/cart:v1", "version-mutable", "v1 moves with every release"),
    "no tag": ("ghcr.io/acme/cart", "version-missing", "names no tag: what runs is latest"),
}


@pytest.mark.parametrize(("value", "rule", "words"), LINTED.values(), ids=LINTED.keys())
def test_lint_judges_the_version_of_a_reference(tmp_path: Path, value: str, rule: str | None, words: str) -> None:
    rules = ["version-mutable", "version-missing", "image-key-uneditable", "version-not-a-string"]
    found = findings(tmp_path, changed(DEV, "tag: v1.4.2", f"tag: {value}"), only=rules)
    assert [one.rule for one in found] == ([rule] if rule else [])
    assert all(words in one.message for one in found)


def test_lint_compares_the_image_of_references_between_stages(tmp_path: Path) -> None:
    team = "layout:\n  image_key: image\n"
    files = dict(changed(DEV, "", ""))
    files["sgm.yaml"] = files["sgm.yaml"].replace("layout:\n", team) if "sgm.yaml" in files else team
    files[DEV] = "team: shop\nimage: ghcr.io/acme/cart:v2.0.0\n"
    files[PROD_1] = "team: shop\nimage: ghcr.io/acme/fork:v1.0.0\n"
    drift = [one.message for one in findings(tmp_path, files, only=["stage-drift"])]
    assert any("ghcr.io/acme/fork" in one and "ghcr.io/acme/cart" in one for one in drift)
    files[PROD_1] = "team: shop\nimage: ghcr.io/acme/cart:v1.0.0\n"
    assert findings(tmp_path, files, only=["stage-drift"]) == []
