"""sgm lint on what Argo CD and GitHub would make of a repository, with one thing wrong at a time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lint_repository import (
    APPLICATION_SET,
    DEV,
    FILES,
    PROD_2,
    TEAM_FILE,
    VALUES,
    brief,
    changed,
    cluster,
    findings,
    report,
    without,
)

from sgm_tui.lint import render, sarif

SET, PROJECT_FILE = "argocd/app.yaml", "argocd/project.yaml"

PROJECTS = {
    "unknown project": ((SET, "project: acme", "project: acne"), "project-unknown", 24, "there is no AppProject acne"),
    "no project": ((SET, "      project: acme\n", ""), "project-unknown", None, "names no project"),
    "repository": (
        (PROJECT_FILE, "git@github.com:acme/gitops.git, ", ""),
        "project-source",
        26,
        "does not allow git@github.com:acme/gitops.git",
    ),
    "cluster": (
        (PROJECT_FILE, "{name: prod-*, ", "{name: prod-1, "),
        "project-destination",
        31,
        "project acme does not allow cluster prod-2 (prod-2-cart)",
    ),
    "namespace": (
        (PROJECT_FILE, "{name: dev-*, namespace: app-*}", "{name: dev-*, namespace: apps}"),
        "project-namespace",
        31,
        "project acme does not allow namespace app-cart on dev-1 (dev-1-cart)",
    ),
    "denied namespace": (
        (PROJECT_FILE, "{name: dev-*, namespace: app-*}", "{name: dev-*, namespace: '!app-cart'}"),
        "project-namespace",
        31,
        "does not allow namespace app-cart",
    ),
    "any repository": (
        (PROJECT_FILE, "git@github.com:acme/gitops.git, ", "'*', "),
        "project-wildcard",
        5,
        "project acme reaches prod from any repository",
    ),
    "every namespace": (
        (PROJECT_FILE, "{name: prod-*, namespace: app-*}", "{name: prod-*, namespace: '*'}"),
        "project-wildcard",
        8,
        "project acme reaches every namespace of prod",
    ),
    "cron": ((PROJECT_FILE, "0 22 * * *", "0 22 * *"), "project-window", 10, "is not five fields of cron"),
    "weekday 7": ((PROJECT_FILE, "0 22 * * *", "0 22 * * 7"), "project-window", 10, "blocks every sync"),
    "descriptor": ((PROJECT_FILE, "0 22 * * *", "'@daily'"), "project-window", 10, "write '0 0 * * *'"),
    "days": ((PROJECT_FILE, "duration: 8h", "duration: 1d"), "project-window", 10, "is not a duration"),
    "duration": ((PROJECT_FILE, "duration: 8h", "duration: 8 hours"), "project-window", 10, "is not a duration"),
    "time zone": ((PROJECT_FILE, "Europe/Berlin", "Berlin"), "project-window", 10, "there is no time zone Berlin"),
    "window kind": ((PROJECT_FILE, "kind: deny", "kind: block"), "project-window", 10, "has to be allow or deny"),
    "window of nothing": ((PROJECT_FILE, ", clusters: [prod-*]", ""), "project-window", 10, "applies to nothing"),
}


@pytest.mark.parametrize(("change", "rule", "line", "words"), PROJECTS.values(), ids=PROJECTS.keys())
def test_what_a_project_does_not_allow_or_allows_too_freely(
    tmp_path: Path, change: tuple[str, str, str], rule: str, line: int | None, words: str
) -> None:
    results = findings(tmp_path, changed(*change), only=[rule])
    assert len(results) == 1
    assert line is None or results[0].place.line == line
    assert words in results[0].message


KINDS = {
    "not listed for the cluster": (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "",
        "ClusterRole.rbac.authorization.k8s.io",
    ),
    "denied": (
        "v1",
        "ResourceQuota",
        "namespaceResourceBlacklist: [{group: '', kind: ResourceQuota}]",
        "ResourceQuota",
    ),
    "not among those listed": ("v1", "Secret", "namespaceResourceWhitelist: [{group: apps, kind: '*'}]", "Secret"),
}


@pytest.mark.parametrize(("version", "kind", "rule", "told"), KINDS.values(), ids=KINDS.keys())
def test_a_kind_that_a_chart_brings_and_the_project_does_not_allow(
    tmp_path: Path, version: str, kind: str, rule: str, told: str
) -> None:
    template = f"{{{{- if .Values.team }}}}\napiVersion: {version}\nkind: {kind} # for all\n{{{{- end }}}}\n"
    files = changed(PROJECT_FILE, "  syncWindows:\n", f"  {rule}\n  syncWindows:\n" if rule else "  syncWindows:\n")
    results = findings(tmp_path, {**files, "charts/service/templates/more.yaml": template})
    assert [(entry.rule, entry.place.path, entry.place.line) for entry in results] == [
        ("project-kind", "charts/service/templates/more.yaml", 3)
    ]
    assert f"project acme does not allow {told} (" in results[0].message


def test_a_kind_that_is_computed_or_allowed_is_not_judged(tmp_path: Path) -> None:
    template = "apiVersion: v1\nkind: {{ .Values.team }}\n---\napiVersion: v1\nkind: ConfigMap\n"
    assert findings(tmp_path, {**FILES, "charts/service/templates/more.yaml": template}) == []


def test_every_namespace_of_dev_is_nobodys_worry(tmp_path: Path) -> None:
    files = changed(PROJECT_FILE, "{name: dev-*, namespace: app-*}", "{name: dev-*, namespace: '*'}")
    assert findings(tmp_path, files) == []


def test_a_destination_may_be_a_server_and_is_compared_by_either(tmp_path: Path) -> None:
    files = changed(SET, 'name: "{{.name}}"\n        namespace', 'server: "{{.server}}"\n        namespace')
    assert findings(tmp_path, files) == []


def test_projects_kept_elsewhere_are_not_judged(tmp_path: Path) -> None:
    whole = report(tmp_path, without(PROJECT_FILE))
    assert whole.findings == ()
    assert any("project-source" in entry.rules for entry in whole.skipped)


SETS = {
    "missing label": (
        (SET, "app-{{.path.basename}}", "app-{{.metadata.labels.tier}}"),
        "applicationset-template",
        '{{.metadata.labels.tier}}: map has no entry for key "tier"',
    ),
    "wrong field": ((SET, "{{.name}}-{{", "{{.nmae}}-{{"), "applicationset-template", 'no entry for key "nmae"'),
    "no value": (
        (SET, "goTemplateOptions: [missingkey=error]", "goTemplateOptions: []"),
        None,
        "",
    ),
    "unknown generator": (
        (SET, "clusters: {selector: {matchLabels: {stage: dev}}}", "cluster: {}"),
        "applicationset-generator",
        "there is no generator cluster; did you mean clusters?",
    ),
    "selector without cluster": (
        (SET, "{stage: dev}", "{stage: development}"),
        "applicationset-empty",
        "the selector fits none of the 3 declared clusters",
    ),
    "no directory": (
        (SET, "[{path: dev/app/*}]", "[{path: dev/apps/*}]"),
        "applicationset-empty",
        "no directory matches dev/apps/* (for dev-1)",
    ),
    "three in a matrix": (
        (SET, "          - clusters: {selector: {matchLabels: {stage: dev}}}\n", "          - list: {}\n" * 2),
        "applicationset-generator",
        "matrix takes two generators, not 3",
    ),
    "operator": (
        (SET, "{matchLabels: {stage: dev}}", "{matchExpressions: [{key: stage, operator: Is, values: [dev]}]}"),
        "applicationset-generator",
        '"Is" is no operator of a selector',
    ),
    "shape of a selector": (
        (SET, "{matchLabels: {stage: dev}}", "{matchLabels: [stage]}"),
        "applicationset-generator",
        "a mapping is expected",
    ),
    "name of two": (
        (SET, '"{{.name}}-{{.path.basename}}"', '"app-{{.path.basename}}"'),
        "application-clash",
        "app-cart: there is more than one",
    ),
    "name Kubernetes refuses": (
        (SET, '"{{.name}}-{{.path.basename}}"', '"{{.name}}_{{.path.basename}}"'),
        "application-name",
        "dev-1_cart is not a valid Kubernetes name",
    ),
    "chart that is not there": (
        (SET, "path: charts/service", "path: charts/servce"),
        "application-path",
        "charts/servce does not exist",
    ),
    "values file that is not there": (
        (SET, "values.yaml", "value.yaml"),
        "application-path",
        "dev/app/cart/value.yaml and 2 more do not exist",
    ),
    "cluster that is not there": (
        (SET, 'name: "{{.name}}"\n        namespace', 'name: "{{.name}}-eu"\n        namespace'),
        "application-cluster",
        "there is no cluster dev-1-eu (dev-1-cart)",
    ),
    "wrong shape": (
        (SET, "valueFiles: [", "valueFiles: x #["),
        "argo-object",
        "valueFiles has to be a list of strings",
    ),
    "wrong shape of a project": (
        (PROJECT_FILE, "sourceRepos: [", "sourceRepos: x #["),
        "argo-object",
        "sourceRepos has to be a list of strings",
    ),
}


@pytest.mark.parametrize(("change", "rule", "words"), SETS.values(), ids=SETS.keys())
def test_what_keeps_an_application_set_from_its_applications(
    tmp_path: Path, change: tuple[str, str, str], rule: str | None, words: str
) -> None:
    results = findings(tmp_path, changed(*change), only=[rule] if rule else ())
    assert bool(results) == bool(rule)
    assert not rule or words in results[0].message


def test_a_mistake_for_many_clusters_is_one_finding_at_the_template(tmp_path: Path) -> None:
    (entry,) = findings(tmp_path, changed(SET, "app-{{.path.basename}}", "{{.x}}"), only=["applicationset-template"])
    assert (entry.place.path, entry.place.line, entry.place.column) == (SET, 32, 20)
    assert entry.message.endswith("(for dev-1 dev/app/cart and 2 more)")


def test_without_missingkey_error_a_hole_in_a_name_is_found_all_the_same(tmp_path: Path) -> None:
    files = changed(SET, "goTemplateOptions: [missingkey=error]", "goTemplateOptions: []")
    files[SET] = files[SET].replace("app-{{.path.basename}}", "app-{{.team}}")
    (entry,) = findings(tmp_path, files, only=["applicationset-template"])
    assert entry.message.startswith("app-{{.team}}: becomes app-<no value>")


def test_two_sets_that_make_one_name_are_found_with_both_places(tmp_path: Path) -> None:
    files = {**FILES, "argocd/second.yaml": APPLICATION_SET.replace("name: app,", "name: second,")}
    (entry,) = findings(tmp_path, files, only=["application-clash"])
    assert entry.place.path == "argocd/second.yaml"
    assert entry.message == "dev-1-cart and 2 more: there is more than one, also made in argocd/app.yaml:22"


def test_what_is_not_understood_is_skipped_and_not_guessed(tmp_path: Path) -> None:
    files = changed(SET, "clusters: {selector: {matchLabels: {stage: dev}}}", "pullRequest: {github: {}}")
    whole = report(tmp_path, files)
    assert whole.findings == ()
    assert "ApplicationSet app is not expanded: the generator pullRequest" in {entry.reason for entry in whole.skipped}


def test_a_values_file_no_application_reads_is_found(tmp_path: Path) -> None:
    files = changed(SET, "[{path: dev/app/*}]", "[{path: dev/app/cart}]") | {"dev/app/pay/values.yaml": VALUES}
    assert f"{'dev/app/pay/values.yaml'}:1 values-unused" in brief(tmp_path, files)


def test_a_missing_values_file_that_may_be_missing_is_fine(tmp_path: Path) -> None:
    files = changed(SET, "helm:\n", "helm:\n          ignoreMissingValueFiles: true\n")
    files["dev/app/pay/Readme.md"] = "nothing yet"
    assert findings(tmp_path, files) == []
    files[SET] = FILES[SET]
    assert [entry.rule for entry in findings(tmp_path, files)] == ["application-path"]


def test_clusters_of_sgm_yaml_and_of_argo_cd_have_to_agree(tmp_path: Path) -> None:
    files = {**FILES, "argocd/prod-2.yaml": cluster("prod-3", "prod"), "argocd/dev-1.yaml": cluster("dev-1", "prod")}
    results = findings(tmp_path, files, only=["cluster-mismatch"])
    assert [(entry.place.path, entry.message) for entry in results] == [
        ("argocd/dev-1.yaml", "dev-1 is declared with stage prod, and sgm.yaml says dev"),
        ("argocd/prod-2.yaml", "prod-3 is declared and not in sgm.yaml"),
        ("sgm.yaml", "prod-2 is not declared; prod-3 is"),
    ]
    assert results[2].place.line == TEAM_FILE.splitlines().index("      - name: prod-2") + 1


def test_credentials_of_a_cluster_in_git_are_an_error(tmp_path: Path) -> None:
    files = changed("argocd/dev-1.yaml", "stringData: {", 'stringData: {config: \'{"bearerToken": "x"}\', ')
    (entry,) = findings(tmp_path, files)
    assert (entry.rule, entry.severity) == ("cluster-credentials", "error")
    assert "bearerToken" not in entry.message


UNREAD = {
    "unknown key": ("team: shop", "team: shop\ntema: x", "does not read tema", "Did you mean team?"),
    "unknown key deep": ("tag: v1.4.2", "tag: v1.4.2\n  pullPolcy: x", "does not read image.pullPolcy", ""),
    "known as a whole": ("team: shop", "team: shop\nresources: {limits: {cpu: 1}}", "", ""),
    "for subcharts": ("team: shop", "team: shop\nglobal: {a: 1}", "", ""),
}


@pytest.mark.parametrize(("old", "new", "message", "fix"), UNREAD.values(), ids=UNREAD.keys())
def test_a_value_no_chart_reads_is_found_with_the_nearest_name(
    tmp_path: Path, old: str, new: str, message: str, fix: str
) -> None:
    results = findings(tmp_path, changed(DEV, old, new))
    assert [entry.rule for entry in results] == (["values-unread"] if message else [])
    assert not message or (message in results[0].message and results[0].severity == "warning")
    assert not fix or results[0].fix == fix


def test_where_the_schema_is_strict_an_unknown_value_is_an_error(tmp_path: Path) -> None:
    image = '{"type": "object", "additionalProperties": false, "properties": {"repository": {}, "tag": {}}}'
    schema = f'{{"additionalProperties": false, "properties": {{"team": {{}}, "image": {image}, "free": {{}}}}}}'
    files = changed(DEV, "team: shop", "team: shop\nreplicas: 2\nfree: {x: 1}")
    (entry,) = findings(tmp_path, {**files, "charts/service/values.schema.json": schema})
    assert (entry.severity, entry.message) == ("error", "chart charts/service does not allow replicas")


SCHEMAS = {
    "anything": '{"properties": {"resources": true}}',
    "wrong shape": '{"properties": []}',
    "no object": "[]",
    "no JSON": "{",
    "elsewhere": '{"properties": {"image": {"$ref": "#/x"}}}',
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_a_schema_that_says_little_forbids_little(tmp_path: Path, schema: str) -> None:
    files = changed(DEV, "team: shop", "team: shop\nresources: {limits: {cpu: 1}}")
    assert findings(tmp_path, {**files, "charts/service/values.schema.json": schema}) == []


def test_a_chart_that_takes_all_values_as_a_whole_reads_everything(tmp_path: Path) -> None:
    files = changed(DEV, "team: shop", "team: shop\nanything: 2")
    files["charts/service/templates/all.yaml"] = "{{ toYaml .Values }}"
    assert findings(tmp_path, files) == []


def test_a_library_that_is_not_here_might_read_anything_but_hardly_a_typing_mistake(tmp_path: Path) -> None:
    files = changed(DEV, "team: shop", "team: shop\ningress: {}\nreplica: 2")
    files["charts/service/Chart.yaml"] += "dependencies: [{name: common, version: 1.0.0, repository: oci://x}]\n"
    (entry,) = findings(tmp_path, files)
    assert entry.fix == "Did you mean replicas?"


def test_values_of_an_umbrella_chart_belong_under_its_dependencies(tmp_path: Path) -> None:
    files = dict(FILES)
    files["dev/platform/loki/Chart.yaml"] = (
        "name: loki\nversion: 1.0.0\ndependencies: [{name: loki, version: 6.0.0, repository: https://x}]\n"
    )
    files["dev/platform/loki/values.yaml"] = "loki: {replicas: 1}\nlokki: {replicas: 1}\n"
    (entry,) = findings(tmp_path, files)
    assert (entry.place.path, entry.place.line, entry.fix) == ("dev/platform/loki/values.yaml", 2, "Did you mean loki?")


OWNERS = {
    "no owner": ("/dev/ @acme/shop", "/dev/", 2, "codeowners-gap", "takes every owner from the values file"),
    "nobody": (
        "* @acme/platform\n/dev/ @acme/shop\n",
        "",
        1,
        "codeowners-gap",
        "no owner for the values file under /dev/",
    ),
    "owner without @": ("@acme/shop", "acme/shop", 2, "codeowners-syntax", "acme/shop is no @user"),
    "negation": ("/dev/ @acme/shop", "!/dev/ @acme/shop", 2, "codeowners-syntax", "no negation"),
    "range": ("/dev/ @acme/shop", "/de[v]/ @acme/shop", 2, "codeowners-syntax", "no character ranges"),
    "hidden": ("/prod/ @acme/sre\n", "/prod/ @acme/sre\n/prod/ @acme/all\n", 3, "codeowners-hidden", "line 4"),
    "hidden by all": ("/prod/ @acme/sre\n", "/prod/ @acme/sre\n* @x\n", 1, "codeowners-hidden", "line 4 (*)"),
    "nothing matches": (
        "/dev/ @acme/shop",
        "/dev/ @acme/shop\n/doc/ @x",
        3,
        "codeowners-stale",
        "/doc/ matches no file",
    ),
}


@pytest.mark.parametrize(("old", "new", "line", "rule", "words"), OWNERS.values(), ids=OWNERS.keys())
def test_lines_of_codeowners_that_do_not_do_what_they_look_like(
    tmp_path: Path, old: str, new: str, line: int, rule: str, words: str
) -> None:
    results = findings(tmp_path, changed("CODEOWNERS", old, new), only=[rule])
    assert [entry.place.line for entry in results[:1]] == [line]
    assert words in results[0].message


def test_a_line_for_files_to_come_is_not_hidden_by_one_for_some_of_them(tmp_path: Path) -> None:
    files = changed(
        "CODEOWNERS", "/dev/ @acme/shop", "/dev/ @acme/shop\n/dev/app/ @acme/shop\n/dev/app/cart/ @acme/cart"
    )
    assert findings(tmp_path, files) == []


def test_a_line_github_skips_owns_nothing(tmp_path: Path) -> None:
    files = {**FILES, "CODEOWNERS": "/dev/ acme/shop\n/prod/ @acme/sre\n/argocd/ @x\n"}
    (entry,) = findings(tmp_path, files, only=["codeowners-gap"])
    assert entry.fix == "Add a line: /dev/ @org/team"


def test_a_second_codeowners_is_never_read(tmp_path: Path) -> None:
    assert brief(tmp_path, {**FILES, ".github/CODEOWNERS": FILES["CODEOWNERS"]}) == ["CODEOWNERS:1 codeowners-ignored"]


def test_no_value_of_an_unparsable_file_is_judged_twice(tmp_path: Path) -> None:
    assert brief(tmp_path, {**FILES, PROD_2: "image: [\n"}) == [f"{PROD_2}:2 yaml-invalid"]


ODD = [
    None,
    [],
    {},
    "",
    0,
    1.5,
    True,
    ["x"],
    {"a": "b"},
    [{"a": 1}],
    "{{.x}}",
    "{{",
    "*",
    "!x",
    "[",
    [[1]],
    "../..",
    "$x/y",
]


def paths_of(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a value."""
    yield above
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from paths_of(item, (*above, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A value with another one at a place inside it."""
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: put(value[path[0]], path[1:], new)}
    return [put(item, path[1:], new) if number == path[0] else item for number, item in enumerate(value)]


@pytest.mark.parametrize("path", [SET, PROJECT_FILE, "argocd/dev-1.yaml", "charts/service/Chart.yaml", DEV])
def test_no_shape_of_a_file_is_a_defect_of_ours(tmp_path: Path, path: str) -> None:
    (content,) = yaml.safe_load_all(FILES[path])
    chosen = random.Random(path)
    for way in paths_of(content):
        odd = json.dumps(put(content, way, chosen.choice(ODD)))
        assert all(entry.message for entry in findings(tmp_path, {**FILES, path: odd}))


def test_one_wrong_rule_of_a_project_is_said_once_with_all_it_hits(tmp_path: Path) -> None:
    files = changed(PROJECT_FILE, "{name: prod-*, namespace: app-*}", "{name: prod-*, namespace: apps}")
    (entry,) = findings(tmp_path, files, only=["project-namespace"])
    assert entry.place.path == PROJECT_FILE
    assert "namespace: apps" in files[PROJECT_FILE].splitlines()[entry.place.line - 1]
    assert entry.message.startswith("project acme allows apps here, which leaves out 2 Applications: app-cart on prod-")
    assert entry.applications == ("prod-1-cart", "prod-2-cart")
    assert {place.path for place in entry.related} == {SET}
    whole = json.loads(render.format_json(report(tmp_path, files, only=["project-namespace"])))["findings"][0]
    assert (whole["applications"], whole["related"][0]["path"]) == (list(entry.applications), SET)
    result = json.loads(sarif.format_sarif(report(tmp_path, files, only=["project-namespace"])))["runs"][0]["results"][
        0
    ]
    assert result["properties"]["applications"] == list(entry.applications)
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == SET
