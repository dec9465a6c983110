"""What is right, or cannot be judged from the files alone, is no finding: it is said to be skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lint_repository import APPLICATION_SET, FILES, PROJECT, TEAM_FILE, brief, changed, findings, report

from sgm_tui.fleet.argo.go_template import render_go
from sgm_tui.fleet.argo.objects import Source, application
from sgm_tui.fleet.argo.values_files import value_paths

SET = "argocd/app.yaml"
OURS = "https://github.com/acme/gitops.git"


def skipped(root: Path, files: dict[str, bytes]) -> str:
    return "\n".join(entry.reason for entry in report(root, files).skipped)


def application_file(
    name: str = "extra", *, project: str = "acme", source: str = "", namespace: str = "argocd"
) -> bytes:
    source = source or f"repoURL: {OURS}\n    path: charts/service"
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: "{name}", namespace: argocd}}
spec:
  project: {project}
  source:
    {source}
  destination: {{name: dev-1, namespace: app-cart}}
""".encode()


def set_file(generators: str, *, name: str = "app") -> str:
    """The ApplicationSet of the small repository with other generators."""
    head, _, rest = APPLICATION_SET.partition("  generators:\n")
    template = rest.partition("  template:\n")[2]
    return f"{head.replace('name: app,', f'name: {name},')}  generators:\n{generators}  template:\n{template}"


def test_an_override_of_a_merge_that_finds_nothing_is_ordinary(tmp_path: Path) -> None:
    generators = """\
    - merge:
        mergeKeys: [name]
        generators:
          - clusters: {selector: {matchLabels: {stage: dev}}}
          - clusters: {selector: {matchLabels: {special: 'yes'}}, values: {size: large}}
          - list: {elements: []}
"""
    text = set_file(generators).replace("{{.path.basename}}", "cart").replace("{{.path.path}}", "dev/app/cart")
    files = {**FILES, SET: text.encode()}
    assert not brief(tmp_path, files, only=["applicationset-empty", "applicationset-generator"])
    assert [entry.name for entry in report(tmp_path, files).applications] == ["dev-1-cart"]


@pytest.mark.parametrize("revision", ["release-1", "v1.2.3", "0123456789abcdef0123456789abcdef01234567"])
def test_what_is_read_at_another_revision_is_not_judged(tmp_path: Path, revision: str) -> None:
    generator = changed(
        SET, "directories: [{path: dev/app/*}]", f"revision: {revision}\n              directories: [{{path: x/*}}]"
    )
    assert not findings(tmp_path, generator)
    assert f"git at another revision ({revision})" in skipped(tmp_path, generator)
    helm = "helm: {valueFiles: [/gone.yaml]}"
    source = f"repoURL: {OURS}\n    targetRevision: {revision}\n    path: charts/gone\n    {helm}"
    files = {**FILES, "argocd/extra.yaml": application_file(source=source)}
    assert not findings(tmp_path, files)
    assert f"extra: this repository is read at {revision}" in skipped(tmp_path, files)


@pytest.mark.parametrize("revision", ["", "HEAD", "main", "refs/heads/main"])
def test_the_branch_of_sgm_yaml_is_judged_however_it_is_written(tmp_path: Path, revision: str) -> None:
    source = f"repoURL: {OURS}\n    targetRevision: '{revision}'\n    path: charts/gone"
    files = {**FILES, "argocd/extra.yaml": application_file(source=source)}
    assert [entry.rule for entry in findings(tmp_path, files)] == ["application-path"]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/apps/$ARGOCD_APP_NAME.yaml", "apps/extra.yaml"),
        ("/apps/${ARGOCD_APP_NAME}.yaml", "apps/extra.yaml"),
        ("/apps/$ARGOCD_APP_PROJECT_NAME.yaml", "apps/acme.yaml"),
        ("/apps/$ARGOCD_APP_REVISION.yaml", ""),
        ("$values/apps/$ARGOCD_APP_NAME.yaml", "apps/extra.yaml"),
        ("$nobody/apps/x.yaml", ""),
    ],
)
def test_variables_of_the_build_environment_are_filled_in_or_the_file_is_not_judged(written: str, path: str) -> None:
    data: dict[str, Any] = {
        "metadata": {"name": "extra"},
        "spec": {
            "project": "acme",
            "sources": [
                {"repoURL": OURS, "path": "charts/service", "helm": {"valueFiles": [written]}},
                {"repoURL": OURS, "ref": "values"},
            ],
        },
    }

    def ours(source: Source) -> bool:
        return source.repo_url == OURS

    assert [entry for _, entry in value_paths(application(data, "x.yaml"), ours)] == ([path] if path else [])


def test_a_glob_of_values_files_is_every_file_it_matches(tmp_path: Path) -> None:
    files = changed(SET, '"/{{.path.path}}/values.yaml"', '"/{{.path.path}}/*.yaml", "/none-of-these/*.yaml"')
    assert not brief(tmp_path, files)


@pytest.mark.parametrize("elements", ["[]", "[patch-me-see-overlays]", "{}"])
def test_a_set_that_kustomize_fills_in_is_not_expanded(tmp_path: Path, elements: str) -> None:
    text = set_file(f"    - list: {{elements: {elements}}}\n", name="filled")
    files = {
        **FILES,
        "base/sets.yaml": text.encode(),
        "base/kustomization.yaml": b"resources: [sets.yaml]\n",
        "overlay/kustomization.yaml": b"resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "overlay/patch.yaml": b"[]\n",
    }
    assert not brief(tmp_path, files)
    assert "filled is not expanded: overlay/kustomization.yaml changes it" in skipped(tmp_path, files)


@pytest.mark.parametrize("name", ["${{ values.name }}", "${NAME}", "<CLUSTER_NAME>-apps", "{{ cookiecutter.name }}"])
def test_a_skeleton_is_not_judged(tmp_path: Path, name: str) -> None:
    files = {**FILES, "skeleton/app.yaml": application_file(name, project="nobody-knows")}
    assert not brief(tmp_path, files)
    assert "skeleton/app.yaml: names are still to be filled in" in skipped(tmp_path, files)


@pytest.mark.parametrize("text", ["host: web.<DOMAIN>\n<ANNOTATIONS>\n", "a: {{ .Values.x }}\n  b: 1\n", "x: [${A}\n"])
def test_a_template_of_another_program_is_no_broken_yaml(tmp_path: Path, text: str) -> None:
    files = {**FILES, "skeleton/x.yaml": text.encode()}
    assert not brief(tmp_path, files)
    assert "skeleton/x.yaml: a template of another program" in skipped(tmp_path, files)


@pytest.mark.parametrize("glob", ["skeleton", "skeleton/", "skeleton/**", "**/x.yaml", "skel*/x.yaml"])
def test_what_sgm_yaml_excludes_is_not_looked_at(tmp_path: Path, glob: str) -> None:
    files = {**FILES, "skeleton/x.yaml": b"a: [\n", "sgm.yaml": f"{TEAM_FILE}lint: {{exclude: ['{glob}']}}\n".encode()}
    assert not brief(tmp_path, files)


def test_the_same_name_in_folders_of_two_hubs_is_no_clash_and_in_one_folder_it_is(tmp_path: Path) -> None:
    apart = {**FILES, "hub-a/extra.yaml": application_file(), "hub-b/extra.yaml": application_file()}
    assert not brief(tmp_path, apart)
    together = {**FILES, "hub-a/extra.yaml": application_file(), "hub-a/again.yaml": application_file()}
    assert [entry.rule for entry in findings(tmp_path, together)] == ["application-clash"]


def test_a_flat_list_of_clusters_is_one_set_of_parameters(tmp_path: Path) -> None:
    generators = "  generators:\n    - clusters: {selector: {matchLabels: {stage: prod}}, flatList: true}\n"
    text = (
        APPLICATION_SET.split("  generators:")[0] + generators + "  template:" + APPLICATION_SET.split("  template:")[1]
    )
    text = text.replace("{{.name}}-{{.path.basename}}", "all-{{len .clusters}}").replace(
        'name: "{{.name}}"', 'name: "{{(index .clusters 0).name}}"'
    )
    text = text.replace("{{.path.path}}", "prod/prod-1/app/cart").replace("{{.path.basename}}", "cart")
    files = {**FILES, SET: text.encode()}
    assert not brief(tmp_path, files, only=["applicationset-template", "applicationset-generator"])
    made = report(tmp_path, files).applications
    assert [(entry.name, entry.destination_name) for entry in made] == [("all-2", "prod-1")]


def test_the_project_of_a_cluster_comes_from_its_declaration(tmp_path: Path) -> None:
    text = APPLICATION_SET.replace("project: acme", 'project: "{{.project}}"')
    declared = {
        path: data.replace("stringData: {", "stringData: {project: acme, ")
        for path, data in FILES.items()
        if "stringData" in data
    }
    assert declared
    assert not brief(tmp_path, {**FILES, **declared, SET: text.encode()})


def test_a_project_of_another_hub_is_not_the_one_that_is_meant(tmp_path: Path) -> None:
    other = PROJECT.replace("namespace: argocd", "namespace: argocd-two").replace("app-*", "nothing")
    files = {**FILES, "two/project.yaml": other.encode()}
    assert not brief(tmp_path, files, only=["project-namespace", "project-destination", "project-source"])


def test_a_project_that_may_be_made_elsewhere_is_not_called_unknown(tmp_path: Path) -> None:
    files = {
        **FILES,
        "argocd/extra.yaml": application_file(project="made-by-a-chart"),
        "charts/tenants/Chart.yaml": b"name: tenants\nversion: 0.1.0\n",
        "charts/tenants/templates/project.yaml": b"kind: AppProject\nmetadata: {name: {{ .Values.name }}}\n",
    }
    assert not brief(tmp_path, files, only=["project-unknown"])
    assert "made-by-a-chart is not declared here" in skipped(tmp_path, files)


def test_many_selectors_that_fit_no_declared_cluster_are_one_note(tmp_path: Path) -> None:
    entry = "    - clusters: {selector: {matchLabels: {addon: 'nobody'}}}\n"
    files = dict(FILES)
    for number in range(9):
        text = APPLICATION_SET.split("  generators:")[0].replace("name: app,", f"name: addon-{number},")
        files[f"addons/{number}.yaml"] = (
            f"{text}  generators:\n{entry}  template:{APPLICATION_SET.split('  template:')[1]}".encode()
        )
    (note,) = findings(tmp_path, files)
    assert (note.rule, note.severity) == ("applicationset-empty", "note")
    assert note.message.startswith("9 selectors fit none of the 3 clusters")
    assert len(note.related) == 9


def test_many_versions_outside_the_layout_are_one_finding(tmp_path: Path) -> None:
    files = {**FILES, **{f"other/{number}/values.yaml": b"image: {tag: v1}\n" for number in range(12)}}
    (entry,) = findings(tmp_path, files, only=["layout-unmatched"])
    assert entry.message.startswith("12 files hold image.tag")
    assert len(entry.related) == 11


def test_dependencies_of_a_helm_2_chart_own_their_values(tmp_path: Path) -> None:
    files = {
        **FILES,
        "charts/umbrella/Chart.yaml": b"name: umbrella\nversion: 0.1.0\n",
        "charts/umbrella/requirements.yaml": b"dependencies: [{name: redis, version: 1.0.0}]\n",
        "charts/umbrella/values.yaml": b"redis: {replicas: 3}\n",
    }
    assert not brief(tmp_path, files)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ printf "%03d" .n }}', "007"),
        ('{{ printf "%-5s|" .s }}', "ab   |"),
        ('{{ printf "%5s|" .s }}', "   ab|"),
        ('{{ printf "%q" .s }}', '"ab"'),
        ('{{ printf "%v-%v" .s .b }}', "ab-true"),
        ('{{ printf "100%%" }}', "100%"),
        ('{{ printf "%.1f" .f }}', "2.5"),
        ('{{ printf "%x" .n }}', "7"),
        ('{{ printf "%x" .s }}', "6162"),
        ('{{ printf "%+d" .n }}', "+7"),
        ('{{ printf "%t" .b }}', "true"),
        ('{{ printf "%.1s" .s }}', "a"),
        ('{{ printf "%d" .s }}', "%!d(string=ab)"),
        ('{{ printf "%s" .n }}', "%!s(int=7)"),
        ('{{ printf "%s-%s" .s }}', "ab-%!s(MISSING)"),
        ('{{ printf "%s" .s .n }}', "ab%!(EXTRA int=7)"),
    ],
)
def test_printf_formats_as_go_does(template: str, text: str) -> None:
    assert render_go(template, {"n": 7, "s": "ab", "b": True, "f": 2.5}, strict=True) == text
