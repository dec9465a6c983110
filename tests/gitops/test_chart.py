"""Which values reach the pods, told from a chart's own templates; what cannot be told is not guessed at."""

from __future__ import annotations

import pytest

from sgm_tui.gitops.chart import filter_keys_read, find_pod_values
from sgm_tui.resources import gitops_repository

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
        - image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
%s
  strategy:
    canary:
      steps: {{ toYaml .Values.rollout.steps | nindent 8 }}
"""
IMAGE = {"image.repository", "image.tag"}


def chart(inside: str = "", **others: str) -> dict[str, bytes]:
    files = {"templates/rollout.yaml": ROLLOUT % inside, "Chart.yaml": "name: x\n"}
    return {path: text.encode() for path, text in (files | others).items()}


def test_the_bundled_chart_reads_for_its_pods_what_one_would_expect() -> None:
    root = gitops_repository() / "charts/microservice"
    files = {one.relative_to(root).as_posix(): one.read_bytes() for one in root.rglob("*") if one.is_file()}
    assert find_pod_values(files) == {
        "env", "image.pullPolicy", "image.repository", "image.tag", "port", "probes.path", "probes.periodSeconds",
        "resources", "team",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "more"),
    [
        ("", set()),
        ('          env: {{ toYaml $.Values.env | nindent 12 }}', {"env"}),
        ('          x: {{ index .Values "a-b" "c" }}', {"a-b.c"}),
        ("          {{- with .Values.probe }}\n          x: {{ .path }}\n          {{- end }}", {"probe"}),
        ("          {{- range $k, $v := .Values.env }}\n          x: {{ $v }}\n          {{- end }}", {"env"}),
        ("          {{- /* .Values.none */ -}}\n          x: {{ .Release.Name }}", set()),
    ],
)  # fmt: skip
def test_what_the_pod_template_reads_is_found_and_what_is_beside_it_is_not(inside: str, more: set[str]) -> None:
    assert find_pod_values(chart(inside)) == IMAGE | more


def test_helpers_are_followed_and_so_are_the_conditions_around_the_template() -> None:
    helpers = '{{- define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}x: {{ .Values.team }}{{ end }}'
    files = chart('          {{- include "a" . | nindent 10 }}', **{"templates/_h.tpl": helpers})
    assert find_pod_values(files) == IMAGE | {"team"}
    text = "{{- if .Values.canary.on }}\n" + ROLLOUT % "" + "{{- end }}\n"
    assert find_pod_values({"templates/rollout.yaml": text.encode()}) == IMAGE | {"canary.on"}


def test_a_variable_set_before_the_template_is_followed() -> None:
    text = "{{- $tag := .Values.other.tag }}\n" + ROLLOUT % "          x: {{ $tag }}"
    assert find_pod_values({"templates/rollout.yaml": text.encode()}) == IMAGE | {"other.tag"}


@pytest.mark.parametrize(
    "inside",
    [
        "          {{- toYaml .Values | nindent 10 }}",
        "          {{- with .Values }}\n          x: {{ .team }}\n          {{- end }}",
        "          x: {{ tpl .Values.text . }}",
        '          x: {{ include "of.a.library" . }}',
        '          x: {{ include (print $.Template.BasePath "/config.yaml") . | sha256sum }}',
        "          x: {{ $unknown }}",
        '          x: {{ (lookup "v1" "Secret" "a" "b").data }}',
    ],
)
def test_what_cannot_be_told_is_not_guessed_at(inside: str) -> None:
    assert find_pod_values(chart(inside)) is None


def test_a_chart_without_a_workload_of_its_own_tells_nothing() -> None:
    assert find_pod_values({"templates/service.yaml": b"kind: Service\n"}) is None
    assert find_pod_values({"templates/x.yaml": b"kind: {{ .Values.kind }}\nspec:\n  template:\n"}) is None
    assert find_pod_values({}) is None
    assert find_pod_values({"templates/x.yaml": b"kind: Rollout\nspec:\n  workloadRef: {name: elsewhere}\n"}) is None


def test_a_rollout_that_refers_to_a_deployment_has_its_pods() -> None:
    rollout = "kind: Rollout\nspec:\n  workloadRef: {kind: Deployment}\n  x: {{ .Values.rollout }}\n"
    deployment = "kind: Deployment\nspec:\n  template:\n    x: {{ .Values.image.tag }}\n"
    files = {"templates/a.yaml": f"{rollout}---\n{deployment}".encode()}
    assert find_pod_values(files) == {"image.tag"}


def test_a_key_reaches_the_pods_when_it_or_something_around_or_inside_of_it_is_read() -> None:
    read = frozenset({"env", "image.tag"})
    assert filter_keys_read(("env.A", "environment", "image", "image.tagged", "rollout.steps"), read) == (
        "env.A",
        "image",
    )
