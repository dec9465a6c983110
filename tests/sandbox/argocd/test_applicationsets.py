"""Expansion of ApplicationSets: every generator, both template languages, and the recorded error text."""

from __future__ import annotations

from typing import Any

import pytest

from sgm_tui.fleet.argo.objects import Cluster
from sgm_tui.sandbox.argocd.expansion import NOWHERE, ExpansionError, expand


class Files:
    """A repository that is a table of files."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def paths(self) -> list[str]:
        return sorted(self._files)

    def read(self, path: str) -> bytes | None:
        return self._files[path].encode() if path in self._files else None


CLUSTERS = [
    Cluster("dev-eu1", "https://dev", {"stage": "dev", "location": "eu1"}, {}, NOWHERE),
    Cluster("prod-eu1", "https://prod-eu1", {"stage": "prod", "location": "eu1"}, {}, NOWHERE),
    Cluster("prod-us1", "https://prod-us1", {"stage": "prod", "location": "us1"}, {}, NOWHERE),
]
FILES = Files(
    {
        "dev/app-service/cart/values.yaml": "",
        "dev/app-service/checkout/values.yaml": "",
        "prod/prod-eu1/app-service/cart/values.yaml": "",
        "prod/prod-us1/app-service/checkout/values.yaml": "",
        "config/one.yaml": "team: {name: a}\nsize: 3\n",
        "config/many.yaml": "- {team: {name: b}}\n- {team: {name: c}}\n",
    }
)
GIT_DEV = {"git": {"directories": [{"path": "{{.metadata.labels.stage}}/app-service/*"}]}}
STAGE_DEV = {"clusters": {"selector": {"matchExpressions": [{"key": "stage", "operator": "In", "values": ["dev"]}]}}}
STAGE_PROD = {"clusters": {"selector": {"matchLabels": {"stage": "prod"}}}}


def application_set(generators: list[Any], name: str, *, go: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "set", "namespace": "argocd", "uid": "u"},
        "spec": {
            "goTemplate": go,
            "goTemplateOptions": ["missingkey=error"] if go else [],
            "generators": generators,
            "template": {"metadata": {"name": name}, "spec": {"project": "acme"}},
            **more,
        },
    }


def names(generators: list[Any], name: str, *, go: bool = True, **more: Any) -> list[str]:
    found = expand(application_set(generators, name, go=go, **more), CLUSTERS, FILES)
    return [one["metadata"]["name"] for one in found]


def test_clusters_times_directories_of_their_stage() -> None:
    prod = {"git": {"directories": [{"path": "prod/{{.name}}/app-service/*"}]}}
    generators = [{"matrix": {"generators": [STAGE_DEV, GIT_DEV]}}, {"matrix": {"generators": [STAGE_PROD, prod]}}]
    assert names(generators, "{{.name}}-{{.path.basename}}") == [
        "dev-eu1-cart",
        "dev-eu1-checkout",
        "prod-eu1-cart",
        "prod-us1-checkout",
    ]


@pytest.mark.parametrize(
    ("generators", "name", "expected"),
    [
        ([{"list": {"elements": [{"a": "x"}, {"a": "y"}]}}], "{{.a}}", ["x", "y"]),
        ([{"list": {"elements": [{"a": {"b": ["k", "l"]}}]}}], "{{ index .a.b 1 }}", ["l"]),
        ([{"clusters": {}}], "{{.name}}", ["dev-eu1", "prod-eu1", "prod-us1", "in-cluster"]),
        ([STAGE_PROD], "{{ .metadata.labels.location | upper }}", ["EU1", "US1"]),
        ([{"git": {"files": [{"path": "config/*.yaml"}]}}], "{{.team.name}}", ["b", "c", "a"]),
        ([{"git": {"files": [{"path": "**/one.yaml"}]}}], "{{.path.filename}}-{{.size}}", ["one.yaml-3"]),
        (
            [{"git": {"directories": [{"path": "dev/app-service/*"}, {"path": "dev/*/cart", "exclude": True}]}}],
            "{{.path.path}}",
            ["dev/app-service/checkout"],
        ),
        (
            [{"clusters": {"selector": {"matchLabels": {"stage": "dev"}}, "values": {"v": "{{.name}}!"}}}],
            "{{.values.v}}",
            ["dev-eu1!"],
        ),
        ([{**STAGE_PROD, "selector": {"matchLabels": {"metadata.labels.location": "us1"}}}], "{{.name}}", ["prod-us1"]),
        (
            [{"git": {"directories": [{"path": "dev/app-service/*"}], "pathParamPrefix": "it"}}],
            "{{ index .it.path.segments 2 }}",
            ["cart", "checkout"],
        ),
        ([{"list": {"elements": [{"a": "x"}]}}], '{{ if eq .a "x" }}yes{{ else }}no{{ end }}', ["yes"]),
        ([{"list": {"elements": [{"a": "My_App"}]}}], '{{ printf "%s-1" .a | normalize }}', ["my-app-1"]),
    ],
)
def test_a_generator_with_go_templates_yields(generators: list[Any], name: str, expected: list[str]) -> None:
    assert names(generators, name) == expected


@pytest.mark.parametrize(
    ("generators", "name", "expected"),
    [
        ([STAGE_PROD], "{{name}}-{{ metadata.labels.location }}", ["prod-eu1-eu1", "prod-us1-us1"]),
        ([{"git": {"directories": [{"path": "dev/app-service/*"}]}}], "{{path[0]}}-{{path.basename}}", ["dev-cart"]),
        ([{"git": {"files": [{"path": "config/one.yaml"}]}}], "{{team.name}}-{{size}}", ["a-3"]),
        ([{"list": {"elements": [{"a": "x"}]}}], "{{a}}-{{unknown}}", ["x-{{unknown}}"]),
    ],
)
def test_a_generator_with_fasttemplate_yields(generators: list[Any], name: str, expected: list[str]) -> None:
    assert names(generators, name, go=False)[: len(expected)] == expected


def test_a_merge_overrides_by_its_keys_and_drops_what_has_no_base() -> None:
    base = {"list": {"elements": [{"k": "1", "v": "base"}, {"k": "2", "v": "base"}]}}
    override = {"list": {"elements": [{"k": "2", "v": "mine"}, {"k": "3", "v": "lost"}]}}
    generators = [{"merge": {"mergeKeys": ["k"], "generators": [base, override]}}]
    assert names(generators, "{{.k}}-{{.v}}") == ["1-base", "2-mine"]


@pytest.mark.parametrize(
    ("template", "reason", "message"),
    [
        (
            "{{.nope.x}}",
            "RenderTemplateParamsError",
            (
                'failed to execute go template {{.nope.x}}: template: base:1:7: executing "base" at <.nope.x>: '
                'map has no entry for key "nope"'
            ),
        ),
        ("{{ nope .x }}", "RenderTemplateParamsError", 'function "nope" not defined'),
        ("same", "ApplicationValidationError", "duplicate name: same"),
    ],
)
def test_a_bad_template_is_told_in_the_words_of_the_controller(template: str, reason: str, message: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        names([STAGE_PROD], template)
    assert (caught.value.reason, message in caught.value.message) == (reason, True)


def test_what_the_sandbox_does_not_support_is_said_in_the_condition() -> None:
    with pytest.raises(ExpansionError, match="the sandbox does not support variables") as caught:
        names([STAGE_PROD], "{{ $x := .name }}")
    assert caught.value.reason == "RenderTemplateParamsError"


def test_elements_may_be_text() -> None:
    assert names([{"list": {"elementsYaml": "- {a: x}\n- {a: z}"}}], "{{.a}}") == ["x", "z"]


@pytest.mark.parametrize(
    ("generators", "go", "message"),
    [
        (
            [{"matrix": {"generators": [{"list": {"elements": [{"a": value}]}} for value in ("x", "y")]}}],
            False,
            "found duplicate key a with different value, a: x ,b: y",
        ),
        ([{"merge": {"mergeKeys": ["a"], "generators": [STAGE_DEV]}}], True, "found less than two generators"),
        ([{"merge": {"generators": [STAGE_DEV, STAGE_DEV]}}], True, "no merge keys were specified"),
        (
            [{"merge": {"mergeKeys": ["a"], "generators": [{"list": {"elements": [{"a": "x"}] * 2}}, STAGE_DEV]}}],
            True,
            "were not unique by the given mergeKeys",
        ),
        (
            [{"clusters": {"selector": {"matchExpressions": [{"key": "stage", "operator": "Is"}]}}}],
            True,
            '"Is" is not a valid label selector operator',
        ),
    ],
)
def test_a_generator_is_refused_in_the_words_of_the_controller(generators: list[Any], go: bool, message: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        names(generators, "x", go=go)
    assert (caught.value.reason, message in caught.value.message) == ("ApplicationParamsGenerationError", True)


def test_a_matrix_of_three_is_refused() -> None:
    with pytest.raises(ExpansionError, match="more or fewer than two"):
        names([{"matrix": {"generators": [STAGE_DEV, GIT_DEV, GIT_DEV]}}], "x")


def test_applications_are_owned_and_clean_up_after_themselves_unless_told_otherwise() -> None:
    (one,) = expand(application_set([STAGE_DEV], "{{.name}}"), CLUSTERS, FILES)
    assert one["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    assert one["metadata"]["ownerReferences"][0]["kind"] == "ApplicationSet"
    kept = application_set([STAGE_DEV], "x", syncPolicy={"preserveResourcesOnDeletion": True})
    assert "finalizers" not in expand(kept, CLUSTERS, FILES)[0]["metadata"]
