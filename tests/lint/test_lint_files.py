"""sgm lint on single files: YAML, versions, places; each on a small repository with one thing wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_repository import DEV, FILES, PROD_1, TEAM_FILE, VALUES, brief, changed, findings, report, without


def test_a_repository_without_a_mistake_has_no_findings(tmp_path: Path) -> None:
    whole = report(tmp_path, FILES)
    assert whole.findings == ()
    assert whole.skipped == ()
    assert whole.files == len(FILES)


VERSIONS = {
    "latest": ("latest", "version-mutable", "a name that moves"),
    "branch": ("main", "version-mutable", "a name that moves"),
    "quoted latest": ('"latest"', "version-mutable", "a name that moves"),
    "snapshot": ("1.4.2-SNAPSHOT", "version-mutable", "a name that moves"),
    "floating major": ("v1", "version-mutable", "moves with every release"),
    "quoted floating major": ("'2'", "version-mutable", "moves with every release"),
    "range": ("^1.2.0", "version-mutable", "range"),
    "wildcard": ("1.2.x", "version-mutable", "range"),
    "empty": ('""', "version-missing", "empty"),
    "nothing": ("", "version-missing", "empty"),
    "number": ("1.10", "version-not-a-string", "a number to YAML and becomes 1.1"),
    "exponent": ("1e3", "version-not-a-string", "becomes 1000"),
    "commit of digits": ("12345678", "version-not-a-string", "a number"),
    "commit with an e": ("123e4567", "version-not-a-string", "a number"),
    "octal": ("0o17", "version-not-a-string", "a number"),
    "sexagesimal": ("12:30", "version-not-a-string", "a number"),
    "boolean": ("on", "version-not-a-string", "a boolean"),
    "null": ("~", "version-not-a-string", "nothing"),
    "date": ("2026-11-23", "version-not-a-string", "a date"),
}


@pytest.mark.parametrize(("written", "rule", "words"), VERSIONS.values(), ids=VERSIONS.keys())
def test_a_version_that_moves_or_is_no_string_is_an_error_at_its_place(
    tmp_path: Path, written: str, rule: str, words: str
) -> None:
    (entry,) = findings(tmp_path, changed(DEV, "tag: v1.4.2", f"tag: {written}"))
    assert (entry.rule, entry.severity, entry.place.path, entry.place.line) == (rule, "error", DEV, 4)
    assert words in entry.message


GOOD = ["v1.4.2", '"1.10"', "1.4.2", "v1.2", "sha256:abc", "abc1234", "2026.11.23-3", "v1.4.2-rc.1", "'1e3'", "v10.x86"]


@pytest.mark.parametrize("written", GOOD)
def test_a_version_that_stays_is_fine(tmp_path: Path, written: str) -> None:
    assert findings(tmp_path, changed(DEV, "tag: v1.4.2", f"tag: {written}"), only=["version-mutable"]) == []
    assert findings(tmp_path, changed(DEV, "tag: v1.4.2", f"tag: {written}"), only=["version-not-a-string"]) == []


def test_a_version_at_another_key_is_missing_and_the_nearest_key_is_named(tmp_path: Path) -> None:
    (entry,) = findings(tmp_path, changed(DEV, "tag: v1.4.2", "tga: v1.4.2"), only=["image-key-missing"])
    assert entry.message == "there is no image.tag; did you mean tag where tga stands?"
    assert entry.place.line == 3


def test_a_version_that_is_a_mapping_is_no_version(tmp_path: Path) -> None:
    assert brief(tmp_path, changed(DEV, "tag: v1.4.2", "tag: {a: b}"), only=["image-key-missing"]) == [
        f"{DEV}:4 image-key-missing"
    ]


UNEDITABLE = {
    "anchor on the value": ("tag: v1.4.2", "tag: &v v1.4.2\nother: *v"),
    "anchor above": ("image:\n", "image: &image\n"),
    "merge key": ("image:\n", "base: &base {repository: r, tag: v1.0.0}\nimage:\n  <<: *base\n"),
    "only by merge key": (
        "image:\n  repository: ghcr.io/acme/cart\n  tag: v1.4.2",
        "base: &b {tag: v1}\nimage: {<<: *b}",
    ),
    "block of text": ("tag: v1.4.2", "tag: |-\n    v1.4.2"),
    "a template": ("tag: v1.4.2", "tag: '{{ .Values.tag }}'"),
    "a space that does not break": ("tag: v1.4.2", "tag: v1.4.2\u00a0"),
    "zero width": ("tag: v1.4.2", 'tag: "v1.4.2\\u200b"'),
    "encrypted": ("team: shop", "team: shop\nsops: {mac: x}"),
    "a tag": ("tag: v1.4.2", "tag: !!str v1.4.2"),
}


@pytest.mark.parametrize(("old", "new"), UNEDITABLE.values(), ids=UNEDITABLE.keys())
def test_a_version_a_promotion_could_not_change_is_a_warning_with_the_reason(
    tmp_path: Path, old: str, new: str
) -> None:
    (entry,) = findings(tmp_path, changed(DEV, old, new), only=["image-key-uneditable"])
    assert entry.severity == "warning"
    assert entry.place.path == DEV
    assert entry.message


def test_an_anchor_far_from_the_version_is_nobodys_business(tmp_path: Path) -> None:
    files = changed(DEV, "team: shop", "a: &a {x: 1}\nb: *a\nteam: shop")
    assert findings(tmp_path, files, only=["image-key-uneditable"]) == []


BROKEN: dict[str, tuple[bytes, str, int]] = {
    "open bracket": (b"image: [\ntag: v1\n", "yaml-invalid", 3),
    "unquoted template": (b"image:\n  tag: {{ version }}\n", "yaml-invalid", 2),
    "tab": (b"image:\n\ttag: v1.4.2\n", "yaml-tab", 2),
    "latin 1": (b"team: shop\n# \xfc\nimage: {}\n", "yaml-encoding", 2),
    "too large": (b"# " + b"x" * (1 << 20) + b"\n", "yaml-too-large", 1),
    "alias that contains itself": (b"a: &a\n  b: *a\n", "yaml-invalid", 1),
}


@pytest.mark.parametrize(("data", "rule", "line"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_no_parser_takes_is_named_with_its_line(tmp_path: Path, data: bytes, rule: str, line: int) -> None:
    assert f"{DEV}:{line} {rule}" in brief(tmp_path, {**FILES, DEV: data})


def test_an_alias_bomb_is_refused_and_not_unfolded(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert f"{DEV}:1 yaml-invalid" in brief(tmp_path, {**FILES, DEV: bomb + VALUES})


def test_a_tab_behind_a_value_is_white_space(tmp_path: Path) -> None:
    assert findings(tmp_path, changed("argocd/dev-1.yaml", "kind: Secret", "kind: Secret\t")) == []


def test_a_key_that_is_there_twice_names_both_lines(tmp_path: Path) -> None:
    (entry,) = findings(tmp_path, {**FILES, DEV: VALUES + "team: other\n"}, only=["yaml-duplicate-key"])
    assert (entry.place.line, entry.message) == (5, "team is there twice: first in line 1")


def test_templates_of_a_chart_are_no_yaml_and_not_looked_at(tmp_path: Path) -> None:
    assert findings(tmp_path, {**FILES, "charts/service/templates/x.yaml": "{{- if }}\n\t: :\n"}) == []


def test_a_file_outside_the_layout_that_holds_a_version_is_not_seen_and_said(tmp_path: Path) -> None:
    assert brief(tmp_path, {**FILES, "extra/cart/values.yaml": VALUES}) == ["extra/cart/values.yaml:1 layout-unmatched"]


def test_values_of_a_platform_component_are_no_stray(tmp_path: Path) -> None:
    assert findings(tmp_path, {**FILES, "dev/platform/loki/values.yaml": "loki: {replicas: 1}\n"}) == []


def test_folders_of_unknown_stages_and_clusters_are_one_finding_each(tmp_path: Path) -> None:
    strays = {f"qa/app/{name}/values.yaml": VALUES for name in ("cart", "search")}
    strays |= {"prod/prod-3/app/cart/values.yaml": VALUES, "dev/prod-1/app/cart/values.yaml": VALUES}
    rules = ["layout-unknown-stage", "layout-unknown-cluster"]
    messages = [entry.message for entry in findings(tmp_path, {**FILES, **strays}, only=rules)]
    assert messages == [
        "prod-1 is a cluster of prod, not of dev: a values file under dev/prod-1/",
        "there is no cluster prod-3 of prod (did you mean prod-2?): a values file under prod/prod-3/",
        "there is no stage qa: 2 values files under qa/",
    ]


def test_a_file_every_cluster_overrides_is_used_by_nobody(tmp_path: Path) -> None:
    assert brief(tmp_path, {**FILES, "prod/app/cart/values.yaml": VALUES}) == [
        "prod/app/cart/values.yaml:1 layout-shadowed"
    ]


def test_a_service_name_kubernetes_would_not_take_is_not_seen(tmp_path: Path) -> None:
    files = {**FILES, "dev/app/Cart_2/values.yaml": VALUES}
    (entry,) = findings(tmp_path, files, only=["layout-unmatched"])
    assert entry.message == "Cart_2 is not a valid Kubernetes name for a service"


def test_a_service_that_stops_before_prod_is_a_note(tmp_path: Path) -> None:
    files = {**FILES, "dev/app/search/values.yaml": VALUES, "prod/prod-1/app/pay/values.yaml": VALUES}
    gaps = findings(tmp_path, files, only=["service-gap"])
    assert [entry.message for entry in gaps] == ["search is not in prod", "pay is not in dev, prod-2"]
    assert {entry.severity for entry in gaps} == {"note"}


def test_a_values_file_that_is_a_link_cannot_be_promoted(tmp_path: Path) -> None:
    assert f"{PROD_1}:1 values-symlink" in brief(tmp_path, without(PROD_1), links=frozenset({PROD_1}))


def test_a_mistake_in_sgm_yaml_is_a_finding_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    files = {**FILES, "sgm.yaml": TEAM_FILE + "stage: []\n", DEV: "a: [\n"}
    whole = report(tmp_path, files)
    assert [(entry.rule, entry.place.path, entry.place.line) for entry in whole.findings] == [
        ("yaml-invalid", DEV, 2),
        ("config", "sgm.yaml", 15),
    ]
    assert whole.findings[1].fix == "Did you mean stages?"
    assert any("sgm.yaml cannot be used" in entry.reason for entry in whole.skipped)


def test_a_repository_with_nothing_but_sgm_yaml_has_no_findings_and_says_what_was_skipped(tmp_path: Path) -> None:
    whole = report(tmp_path, {"sgm.yaml": TEAM_FILE})
    assert whole.findings == ()
    reasons = {entry.reason for entry in whole.skipped}
    assert {"there is no CODEOWNERS", "no AppProject is in this repository"} <= reasons


def test_rules_can_be_chosen_and_left_out(tmp_path: Path) -> None:
    files = changed(DEV, "tag: v1.4.2", "tag: latest") | {"qa/app/cart/values.yaml": VALUES}
    assert len(findings(tmp_path, files)) == 2
    assert [entry.rule for entry in findings(tmp_path, files, only=["version-mutable"])] == ["version-mutable"]
    assert [entry.rule for entry in findings(tmp_path, files, ignore=["version-mutable"])] == ["layout-unknown-stage"]


def test_hostile_text_of_a_file_comes_out_harmless(tmp_path: Path) -> None:
    (entry,) = findings(tmp_path, changed(DEV, "tag: v1.4.2", 'tag: "\\e[31m^1"'), only=["version-mutable"])
    assert "\x1b" not in entry.message


def test_values_that_should_be_equal_in_every_stage_and_are_not(tmp_path: Path) -> None:
    files = changed(DEV, "team: shop", "team: pay")
    (entry,) = findings(tmp_path, files)
    assert (entry.rule, entry.place.path, entry.place.line) == ("stage-drift", DEV, 1)
    assert entry.message == "team is pay in dev, and shop in prod"
    files = changed(PROD_1, "ghcr.io/acme/cart", "ghcr.io/acme/chart")
    assert [entry.message for entry in findings(tmp_path, files)] == [
        "image.repository is ghcr.io/acme/chart in prod, and ghcr.io/acme/cart in dev, prod"
    ]


KUSTOMIZE = TEAM_FILE.replace("{stage}/{cluster}/app/{service}/values.yaml", "apps/{service}/{stage}.yaml").replace(
    "layout:", 'layout:\n  image_key: "images[name=acme/cart].newTag"'
)
OVERLAY = "images:\n  - name: acme/cart\n    newTag: v1.4.2\n"


def test_another_layout_and_another_key_are_followed(tmp_path: Path) -> None:
    files = {"sgm.yaml": KUSTOMIZE, "apps/cart/dev.yaml": OVERLAY, "apps/cart/prod.yaml": OVERLAY}
    assert findings(tmp_path, files) == []
    files |= {"apps/cart/dev.yaml": OVERLAY.replace("v1.4.2", "latest"), "apps/cart/prd.yaml": OVERLAY}
    assert [(entry.place.path, entry.place.line, entry.message) for entry in findings(tmp_path, files)] == [
        ("apps/cart/dev.yaml", 3, "latest is a name that moves"),
        ("apps/cart/prd.yaml", 1, "there is no stage prd (did you mean prod?): a values file under apps/cart/prd.yaml"),
    ]
    files = {"sgm.yaml": KUSTOMIZE, "apps/cart/dev.yaml": OVERLAY.replace("acme/cart", "acme/x")}
    (entry,) = findings(tmp_path, files, only=["image-key-missing"])
    assert entry.message == "there is no images[name=acme/cart].newTag"
