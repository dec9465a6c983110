"""What an ApplicationSet makes, generator by generator, in both template languages; and what a project allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sgm_tui.fleet.argo.application_sets.context import GeneratorInputs
from sgm_tui.fleet.argo.application_sets.expansion import Expansion, expand
from sgm_tui.fleet.argo.application_sets.rendering import render_plain
from sgm_tui.fleet.argo.globs import matches
from sgm_tui.fleet.argo.go_functions import normalize
from sgm_tui.fleet.argo.go_template import render_go
from sgm_tui.fleet.argo.go_values import TemplateError, UnsupportedError
from sgm_tui.fleet.argo.objects import Application, AppProject, ArgoObjects, Cluster, read_object
from sgm_tui.fleet.argo.values_files import value_paths
from sgm_tui.fleet.git_urls import is_same_repository
from sgm_tui.resources import gitops_repository
from sgm_tui.sandbox.argocd import expansion as sandbox_sets
from sgm_tui.yaml_reader.marked import Marked, MarkedYamlError, Place, documents

HERE = Place("set.yaml")
OURS = "https://github.com/acme/gitops.git"
CLUSTERS = [
    Cluster("dev-1", "https://dev-1", {"stage": "dev", "region": "eu"}, {"note": "small"}, HERE),
    Cluster("prod-1", "https://prod-1", {"stage": "prod", "region": "eu"}, {}, HERE),
    Cluster("prod-2", "https://prod-2", {"stage": "prod"}, {}, HERE),
]
FILES = {
    "dev/app/cart/values.yaml": b"",
    "dev/app/pay/values.yaml": b"",
    "dev/app/pay/more/values.yaml": b"",
    ".github/app/x/values.yaml": b"",
    "teams/shop.yaml": b"team: {name: shop, size: 3}\nservices: [cart, pay]\n",
    "teams/many.json": b'[{"team": {"name": "one"}}, {"team": {"name": "two"}}]',
    "teams/deep/er.yaml": b"team: {name: deep}\n",
}
INPUTS = GeneratorInputs(CLUSTERS, sorted(FILES), FILES.get, lambda url: is_same_repository(url, OURS))


def made(generators: str, name: str, *, go: bool, more: str = "") -> Expansion:
    """The expansion of a set with these generators and this name template."""
    head = f"spec:\n  goTemplate: {str(go).lower()}\n  goTemplateOptions: [missingkey=error]\n{more}"
    template = f"  template:\n    metadata: {{name: '{name}'}}\n    spec: {{project: default}}\n"
    text = f"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: s}}\n{head}{template}"
    text += "  generators:\n" + "".join(f"    {line}\n" for line in generators.strip().splitlines())
    objects = ArgoObjects()
    for document in documents(text):
        read_object(document, "set.yaml", objects)
    assert objects.malformed == []
    return expand(objects.sets[0], INPUTS)


GIT = f"git: {{repoURL: {OURS}, "
MERGE = """
- merge:
    mergeKeys: [name]
    generators:
      - clusters: {selector: {matchLabels: {stage: prod}}, values: {size: s}}
      - list: {elements: [{name: prod-2, values: {size: xl}}, {name: gone, values: {size: m}}]}
"""
MATRIX = f"""
- matrix:
    generators:
      - list: {{elements: [{{stage: dev}}]}}
      - {GIT}directories: [{{path: "STAGE/app/*"}}]}}
"""
EXPANSIONS = {
    "list": ("- list: {elements: [{a: x}, {a: y}]}", "{{.a}}", "{{a}}", ["x", "y"]),
    "clusters by label": (
        "- clusters: {selector: {matchLabels: {stage: prod}}}",
        "{{.name}}-{{.metadata.labels.stage}}",
        "{{name}}-{{metadata.labels.stage}}",
        ["prod-1-prod", "prod-2-prod"],
    ),
    "clusters by expression": (
        "- clusters: {selector: {matchExpressions: [{key: region, operator: DoesNotExist}]}}",
        "{{.name}}",
        "{{name}}",
        ["prod-2"],
    ),
    "not in": (
        "- clusters: {selector: {matchExpressions: [{key: stage, operator: NotIn, values: [prod]}]}}",
        "{{.nameNormalized}}",
        "{{nameNormalized}}",
        ["dev-1"],
    ),
    "all clusters and the hub": (
        "- clusters: {}",
        "{{.name}}",
        "{{name}}",
        ["dev-1", "prod-1", "prod-2", "in-cluster"],
    ),
    "values of a generator": (
        "- clusters: {selector: {matchLabels: {stage: dev}}, values: {short: d}}",
        "{{.values.short}}-{{.metadata.annotations.note}}",
        "{{values.short}}-{{metadata.annotations.note}}",
        ["d-small"],
    ),
    "directories": (
        f"- {GIT}directories: [{{path: dev/app/*}}]}}",
        "{{.path.basename}}-{{index .path.segments 0}}",
        "{{path.basename}}-{{path[0]}}",
        ["cart-dev", "pay-dev"],
    ),
    "directories without some": (
        f"- {GIT}directories: [{{path: dev/app/*}}, {{path: dev/app/pay, exclude: true}}]}}",
        "{{.path.path}}",
        "{{path}}",
        ["dev/app/cart"],
    ),
    "files": (
        f"- {GIT}files: [{{path: teams/*.yaml}}]}}",
        "{{.team.name}}-{{.team.size}}-{{.path.filename}}",
        "{{team.name}}-{{team.size}}-{{path.filename}}",
        ["shop-3-shop.yaml"],
    ),
    "files at any depth": (
        f"- {GIT}files: [{{path: 'teams/**/*.yaml'}}]}}",
        "{{.team.name}}",
        "{{team.name}}",
        ["deep", "shop"],
    ),
    "a file with a list": (
        f"- {GIT}files: [{{path: teams/many.json}}]}}",
        "{{.team.name}}",
        "{{team.name}}",
        ["one", "two"],
    ),
    "prefix of path parameters": (
        f"- {GIT}directories: [{{path: dev/app/*}}], pathParamPrefix: app}}",
        "{{.app.path.basename}}",
        "{{app.path.basename}}",
        ["cart", "pay"],
    ),
    "matrix": (
        MATRIX,
        "{{.stage}}-{{.path.basename}}",
        "{{stage}}-{{path.basename}}",
        ["dev-cart", "dev-pay"],
    ),
    "merge": (
        MERGE,
        "{{.name}}-{{.values.size}}",
        "{{name}}-{{values.size}}",
        ["prod-1-s", "prod-2-xl"],
    ),
    "a selector behind a generator": (
        "- list: {elements: [{a: x, b: c}, {a: y, b: d}]}\n  selector: {matchLabels: {b: d}}",
        "{{.a}}",
        "{{a}}",
        ["y"],
    ),
    "two generators": ("- list: {elements: [{a: x}]}\n- list: {elements: [{a: y}]}", "{{.a}}", "{{a}}", ["x", "y"]),
}


@pytest.mark.parametrize(("generators", "go", "plain", "names"), EXPANSIONS.values(), ids=EXPANSIONS.keys())
def test_generators_yield_what_argo_cd_would_make(generators: str, go: str, plain: str, names: list[str]) -> None:
    for is_go, template, stage in ((True, go, "{{.stage}}"), (False, plain, "{{stage}}")):
        expansion = made(generators.replace("STAGE", stage), template, go=is_go)
        assert expansion.problems == ()
        assert [one.name for one in expansion.applications] == names


PROBLEMS = {
    "both set a key": (
        "- matrix: {generators: [{list: {elements: [{a: x}]}}, {list: {elements: [{a: y}]}}]}",
        False,
        "both generators of the matrix set a",
    ),
    "merge of one": ("- merge: {mergeKeys: [a], generators: [{list: {elements: []}}]}", True, "two or more generators"),
    "merge keys twice": (
        "- merge: {mergeKeys: [a], generators: [{list: {elements: [{a: x}, {a: x}]}}, {list: {elements: [{a: x}]}}]}",
        True,
        "x is there twice by mergeKeys",
    ),
    "git of nothing": (f"- {GIT}}}", True, "git needs directories or files"),
    "two kinds": ("- {list: {elements: [{a: x}]}, clusters: {}}", True, "of exactly one kind"),
    "empty list": ("- list: {elements: []}", True, "the list has no elements"),
    "file that is no mapping": (f"- {GIT}files: [{{path: dev/app/cart/values.yaml}}]}}", True, "no entry for key"),
    "wrong elements": ("- list: {elements: [x]}", True, "a list of mappings is expected"),
    "no such parameter": ("- list: {elements: [{b: x}]}", False, "there is no such parameter"),
    "no such key": ("- list: {elements: [{b: x}]}", True, 'map has no entry for key "a"'),
}


@pytest.mark.parametrize(("generators", "go", "words"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_generator_that_cannot_work_says_why(generators: str, go: bool, words: str) -> None:
    expansion = made(generators, "{{.a}}" if go else "{{a}}", go=go)
    assert expansion.applications == ()
    assert words in expansion.problems[0].message


UNSUPPORTED = {
    "another repository": ("- git: {repoURL: https://x/y, directories: [{path: a}]}", "", "on another repository"),
    "pull requests": ("- pullRequest: {}", "", "the generator pullRequest"),
    "plugin in a matrix": ("- matrix: {generators: [{plugin: {}}, {clusters: {}}]}", "", "the generator plugin"),
    "patch": ("- clusters: {}", "  templatePatch: 'x'\n", "templatePatch"),
    "own template": ("- clusters: {template: 1}\n  template: {}", "", "a template of a generator's own"),
    "elements as text": ("- list: {elementsYaml: '[]'}", "", "elementsYaml"),
}


@pytest.mark.parametrize(("generators", "more", "words"), UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_lies_outside_the_repository_is_not_guessed(generators: str, more: str, words: str) -> None:
    expansion = made(generators, "{{.name}}", go=True, more=more)
    assert (expansion.applications, expansion.problems) == ((), ())
    assert words in expansion.unsupported[0]


PARAMETERS: Mapping[str, Any] = {
    "name": "Prod_EU.1",
    "n": 3,
    "on": True,
    "list": ["a", "b"],
    "map": {"x-y": "z", "inner": {"k": "v"}},
    "empty": "",
}
TEMPLATES = {
    "{{ .name }}/{{.n}}/{{.on}}": "Prod_EU.1/3/true",
    "a {{- .n -}} b": "a3b",
    "{{/* nothing */}}x": "x",
    '{{ index .map "x-y" }}': "z",
    "{{ .map.inner.k }}": "v",
    "{{ (index .map `inner`).k }}": "v",
    "{{ $.n }}": "3",
    "{{ .name | lower | replace `_` `-` }}": "prod-eu.1",
    "{{ normalize .name }}": "prod-eu.1",
    "{{ if eq .n 3 }}yes{{ else }}no{{ end }}": "yes",
    "{{ if .empty }}a{{ else if .on }}b{{ else }}c{{ end }}": "b",
    "{{ with .map.inner }}{{ .k }}{{ end }}": "v",
    "{{ range .list }}[{{ . }}]{{ end }}": "[a][b]",
    '{{ default "d" .empty }}': "d",
    '{{ printf "%s-%d-%q" .name .n "x" }}': 'Prod_EU.1-3-"x"',
    "{{ if and .on (not .empty) }}x{{ end }}": "x",
    '{{ if or .empty (hasPrefix "Prod" .name) }}x{{ end }}': "x",
    '{{ join "," .list }}{{ len .list }}': "a,b2",
    '{{ ternary "y" "n" .on }}{{ trunc 2 .name }}': "yPr",
    "{{ .list }} {{ .map.inner }}": "[a b] map[k:v]",
}


@pytest.mark.parametrize(("text", "expected"), TEMPLATES.items(), ids=TEMPLATES.keys())
def test_go_templates_render_as_go_does(text: str, expected: str) -> None:
    assert render_go(text, PARAMETERS, strict=True) == expected


FAILING = {
    "{{ .nme }}": 'map has no entry for key "nme"',
    "{{ .name.x }}": "can't evaluate field x in type string",
    "{{ if .on }}": "unexpected EOF",
    "{{ end }}": "unexpected {{end}}",
    "{{ .name ! }}": 'unexpected "!" in operand',
    "{{ index .list 7 }}": "error calling index",
    "{{ (.n }}": "unclosed left paren",
    "{{ .n | }}": "missing value for command",
}


@pytest.mark.parametrize(("text", "words"), FAILING.items(), ids=FAILING.keys())
def test_go_templates_fail_in_the_words_of_go(text: str, words: str) -> None:
    with pytest.raises(TemplateError) as failure:
        render_go(text, PARAMETERS, strict=True)
    assert words in str(failure.value)


@pytest.mark.parametrize("text", ["{{ $x := .n }}", "{{ sha256sum .name }}", '{{ template "x" }}'])
def test_what_is_not_known_of_go_templates_is_said_and_not_called_a_mistake(text: str) -> None:
    with pytest.raises(UnsupportedError):
        render_go(text, PARAMETERS, strict=True)


def test_without_missingkey_error_go_prints_no_value_but_not_below_it() -> None:
    assert render_go("{{ .nme }}", PARAMETERS, strict=False) == "<no value>"
    with pytest.raises(TemplateError):
        render_go("{{ .nme.x }}", PARAMETERS, strict=False)


def test_plain_templates_leave_what_they_do_not_know() -> None:
    assert render_plain("{{a}}-{{ b.c }}-{{d}}", {"a": "1", "b.c": "2"}) == "1-2-{{d}}"


def test_names_are_normalized_as_argo_cd_does() -> None:
    assert normalize("-Prod_EU/1.") == "prod-eu-1"


class BundledTree:
    """The bundled GitOps repository, as the sandbox reads it."""

    def paths(self) -> list[str]:
        root = gitops_repository()
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

    def read(self, path: str) -> bytes | None:
        return (gitops_repository() / path).read_bytes()


def folder_of(cluster: Cluster) -> str:
    """Return the folder a cluster deploys from: stages share one, each prod cluster has its own."""
    stage = cluster.labels["stage"]
    return f"prod/{cluster.name}" if stage == "prod" else stage


def names_by_layout(set_name: str, clusters: Sequence[Cluster]) -> set[str]:
    """Return the names of the Applications of a bundled ApplicationSet, derived from the folders alone."""
    infix = {"app-service": "", "platform": "platform-"}[set_name]
    return {
        f"{cluster.name}-{infix}{folder.name}"
        for cluster in clusters
        if set_name == "app-service" or cluster.labels.get("platform") == "true"
        for folder in (gitops_repository() / folder_of(cluster) / set_name).iterdir()
        if folder.is_dir()
    }


def test_sgm_and_the_sandbox_expand_the_bundled_sets_as_their_folders_require() -> None:
    tree, objects = BundledTree(), ArgoObjects()
    for path in tree.paths():
        if path.startswith("argocd/"):
            for document in documents((tree.read(path) or b"").decode()):
                read_object(document, path, objects)
    inputs = GeneratorInputs(objects.clusters, tree.paths(), tree.read, lambda url: is_same_repository(url, OURS))
    assert objects.sets
    for application_set in objects.sets:
        expected = names_by_layout(application_set.name, objects.clusters)
        manifest = {"metadata": {"name": application_set.name}, "spec": application_set.spec}
        simulated = sandbox_sets.expand(manifest, objects.clusters, tree)
        expansion = expand(application_set, inputs)
        assert expected
        assert (expansion.problems, expansion.unsupported) == ((), ())
        assert {each.name for each in expansion.applications} == expected
        assert {each["metadata"]["name"] for each in simulated} == expected


def project(spec: str) -> AppProject:
    """A project from its spec."""
    objects = ArgoObjects()
    data = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "p"}}
    read_object({**data, "spec": documents(spec)[0]}, "p.yaml", objects)
    return objects.projects[0]


SOURCES = [
    ("['*']", "https://any/where.git", True),
    ("['https://github.com/acme/*']", "https://github.com/acme/gitops.git", True),
    ("['https://github.com/*']", "https://github.com/acme/gitops", False),
    ("['https://github.com/**']", "https://github.com/acme/gitops", True),
    ("['https://github.com/Acme/GitOps']", "https://github.com/acme/gitops.git", True),
    ("['git@github.com:acme/gitops.git']", "ssh://git@github.com/acme/gitops", True),
    ("['!https://github.com/acme/secret']", "https://github.com/acme/gitops", True),
    ("['*', '!https://github.com/acme/secret']", "https://github.com/acme/secret.git", False),
    ("[]", "https://github.com/acme/gitops", False),
]


@pytest.mark.parametrize(("patterns", "url", "allowed"), SOURCES)
def test_a_project_allows_repositories_by_argo_cds_rules(patterns: str, url: str, allowed: bool) -> None:
    assert project(f"sourceRepos: {patterns}").allows_source(url) is allowed


DESTINATIONS = [
    ("{name: prod-*, namespace: app-*}", "prod-1", "app-cart", True),
    ("{name: prod-*, namespace: app-*}", "prod-1", "kube-system", False),
    ("{name: prod-*, namespace: app-*}", "dev-1", "app-cart", False),
    ("{server: 'https://*', namespace: '*'}", "dev-1", "x", True),
    ("{name: '{dev,test}-*', namespace: '*'}", "dev-1", "x", True),
    ("{name: '*', namespace: '!kube-system'}", "dev-1", "x", True),
    ("{name: '*', namespace: '*'}, {name: '*', namespace: '!kube-system'}", "dev-1", "kube-system", False),
    ("{name: '*', namespace: '*'}, {name: '!prod-*', namespace: '*'}", "prod-1", "x", False),
]


@pytest.mark.parametrize(("rules", "name", "namespace", "allowed"), DESTINATIONS)
def test_a_project_allows_destinations_by_argo_cds_rules(rules: str, name: str, namespace: str, allowed: bool) -> None:
    found = project(f"destinations: [{rules}]").allows_destination(name, f"https://{name}", namespace)
    assert found is allowed


def test_a_project_allows_kinds_by_its_four_lists() -> None:
    one = project(
        "{clusterResourceWhitelist: [{group: '', kind: Namespace}], namespaceResourceBlacklist: "
        "[{group: '', kind: ResourceQuota}]}"
    )
    assert one.allows_kind("", "Namespace", namespaced=False)
    assert not one.allows_kind("rbac.authorization.k8s.io", "ClusterRole", namespaced=False)
    assert one.allows_kind("argoproj.io", "Rollout", namespaced=True)
    assert not one.allows_kind("", "ResourceQuota", namespaced=True)
    assert not project("namespaceResourceWhitelist: []").allows_kind("", "Pod", namespaced=True)


def application(spec: str) -> Application:
    """An Application from its spec."""
    objects = ArgoObjects()
    data = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}}
    read_object({**data, "spec": documents(spec)[0]}, "a.yaml", objects)
    return objects.applications[0]


def test_values_files_are_found_from_the_root_the_path_and_another_source() -> None:
    one = application(
        f"sources:\n  - repoURL: {OURS}\n    ref: mine\n"
        "  - repoURL: https://charts\n    chart: x\n    helm: {valueFiles: [$mine/dev/values.yaml, own.yaml]}\n"
        f"  - repoURL: {OURS}\n    path: charts/x\n    helm: {{valueFiles: [/a.yaml, ../b.yaml, 'https://c/d.yaml']}}\n"
    )
    paths = [path for _, path in value_paths(one, lambda source: source.repo_url == OURS)]
    assert paths == ["dev/values.yaml", "a.yaml", "charts/b.yaml"]


def test_a_cluster_may_be_declared_in_data_and_its_credentials_are_only_noticed() -> None:
    objects = ArgoObjects()
    labels = {"argocd.argoproj.io/secret-type": "cluster"}
    data = {"name": "ZGV2LTE=", "server": "aHR0cHM6Ly9k", "config": "e30="}
    read_object({"kind": "Secret", "metadata": {"name": "s", "labels": labels}, "data": data}, "c.yaml", objects)
    (one,) = objects.clusters
    assert (one.name, one.server, one.credentials) == ("dev-1", "https://d", True)


GLOBS = [
    ("a*", "abc", False, True),
    ("a*", "a/c", False, True),
    ("a*", "a/c", True, False),
    ("a/**", "a/b/c", True, True),
    ("**/c", "a/b/c", True, True),
    ("**/c", "c", True, True),
    ("a?c", "abc", True, True),
    ("[ab]c", "bc", True, True),
    ("[!ab]c", "bc", True, False),
    ("{a,b}-x", "b-x", True, True),
    ("a,b", "a,b", True, True),
    ("[z-a]", "[z-a]", True, True),
]


@pytest.mark.parametrize(("pattern", "text", "separated", "expected"), GLOBS)
def test_globs_match_as_in_argo_cd(pattern: str, text: str, separated: bool, expected: bool) -> None:
    assert matches(pattern, text, separated=separated) is expected


def test_values_know_where_they_are_written() -> None:
    (found,) = documents("# first\na:\n  - b: c\n    1: 2.5\n    d: 2026-11-23\n    e:\n    f: yes\n    g: true\n")
    (entry,) = found["a"]
    assert entry == {"b": "c", "1": 2.5, "d": "2026-11-23", "e": None, "f": "yes", "g": True}
    assert isinstance(entry["b"], Marked)
    assert (entry["b"].line, entry["b"].column) == (3, 8)
    assert [key.line for key in entry] == [3, 4, 5, 6, 7, 8]


def test_merge_keys_are_followed_and_own_keys_win() -> None:
    (found,) = documents("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\n")
    assert found["mine"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("text", ["a: [", "{a: b}: c\n", "a: &a [*a]\n"])
def test_what_is_no_yaml_says_where(text: str) -> None:
    with pytest.raises(MarkedYamlError) as failure:
        documents(text)
    assert failure.value.line >= 1
