"""A small platform repository without a mistake, and what `sgm lint` says of it after a change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgm_tui.config.file import load
from sgm_tui.errors import ConfigError
from sgm_tui.gitops.parsed_repository import Checkout
from sgm_tui.lint.findings import Finding, Report
from sgm_tui.lint.run import lint

TEAM_FILE = """\
repository: {url: https://github.com/acme/gitops.git}
layout:
  values:
    - "{stage}/{cluster}/app/{service}/values.yaml"
    - "{stage}/app/{service}/values.yaml"
stages:
  - name: dev
    clusters:
      - name: dev-1
  - name: prod
    protected: true
    clusters:
      - name: prod-1
      - name: prod-2
"""

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: acme, namespace: argocd}
spec:
  sourceRepos: [https://github.com/acme/gitops.git]
  destinations:
    - {name: dev-*, namespace: app-*}
    - {name: prod-*, namespace: app-*}
  syncWindows:
    - {kind: deny, schedule: 0 22 * * *, duration: 8h, timeZone: Europe/Berlin, clusters: [prod-*]}
"""

APPLICATION_SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: app, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
    - matrix:
        generators:
          - clusters: {selector: {matchLabels: {stage: dev}}}
          - git:
              repoURL: https://github.com/acme/gitops.git
              directories: [{path: dev/app/*}]
    - matrix:
        generators:
          - clusters: {selector: {matchLabels: {stage: prod}}}
          - git:
              repoURL: https://github.com/acme/gitops.git
              directories: [{path: "prod/{{.name}}/app/*"}]
  template:
    metadata:
      name: "{{.name}}-{{.path.basename}}"
    spec:
      project: acme
      source:
        repoURL: git@github.com:acme/gitops.git
        path: charts/service
        helm:
          valueFiles: ["/{{.path.path}}/values.yaml"]
      destination:
        name: "{{.name}}"
        namespace: "app-{{.path.basename}}"
"""
PROJECT = PROJECT.replace("sourceRepos: [", "sourceRepos: [git@github.com:acme/gitops.git, ")

VALUES = """\
team: shop
image:
  repository: ghcr.io/acme/cart
  tag: v1.4.2
"""

CHART_VALUES = "team: ''\nimage: {repository: '', tag: ''}\nreplicas: 1\nresources: {}\n"
TEMPLATE = """\
image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
team: {{ .Values.team }}
replicas: {{ .Values.replicas }}
resources: {{ toYaml .Values.resources }}
"""


def cluster(name: str, stage: str) -> str:
    """A declared cluster."""
    return (
        "apiVersion: v1\nkind: Secret\nmetadata:\n"
        f"  name: cluster-{name}\n  labels: {{argocd.argoproj.io/secret-type: cluster, stage: {stage}}}\n"
        f"stringData: {{name: {name}, server: 'https://{name}.example'}}\n"
    )


FILES: Mapping[str, str] = {
    "sgm.yaml": TEAM_FILE,
    "CODEOWNERS": "* @acme/platform\n/dev/ @acme/shop\n/prod/ @acme/sre\n",
    "argocd/project.yaml": PROJECT,
    "argocd/app.yaml": APPLICATION_SET,
    "argocd/dev-1.yaml": cluster("dev-1", "dev"),
    "argocd/prod-1.yaml": cluster("prod-1", "prod"),
    "argocd/prod-2.yaml": cluster("prod-2", "prod"),
    "charts/service/Chart.yaml": "apiVersion: v2\nname: service\nversion: 1.0.0\n",
    "charts/service/values.yaml": CHART_VALUES,
    "charts/service/templates/rollout.yaml": TEMPLATE,
    "dev/app/cart/values.yaml": VALUES,
    "prod/prod-1/app/cart/values.yaml": VALUES,
    "prod/prod-2/app/cart/values.yaml": VALUES,
}
DEV, PROD_1, PROD_2 = (path for path in FILES if path.endswith("app/cart/values.yaml"))


def changed(path: str, old: str, new: str) -> dict[str, str]:
    """The repository with one passage of one file written otherwise."""
    assert old in FILES[path], f"{old} is not in {path}"
    return {**FILES, path: FILES[path].replace(old, new, 1)}


def without(*prefixes: str) -> dict[str, str]:
    """The repository without some of its files."""
    return {path: text for path, text in FILES.items() if not path.startswith(prefixes)}


def report(folder: Path, files: Mapping[str, str | bytes], **options: Any) -> Report:
    """What lint says of some files; `folder` only holds the sgm.yaml, which is read from a disk."""
    data = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    (folder / "sgm.yaml").write_bytes(data["sgm.yaml"])
    links = options.pop("links", frozenset())
    try:
        config = load(folder / "sgm.yaml", flags={}, environ={"XDG_CONFIG_HOME": str(folder / "nobody")})
    except ConfigError as error:
        return lint(Checkout(data, links), ConfigError(error.message.removeprefix(f"{folder}/"), error.hint), **options)
    return lint(Checkout(data, links), config, **options)


def findings(folder: Path, files: Mapping[str, str | bytes], **options: Any) -> list[Finding]:
    """The findings of a report."""
    return list(report(folder, files, **options).findings)


def brief(folder: Path, files: Mapping[str, str | bytes], **options: Any) -> list[str]:
    """The findings as `path:line rule`."""
    return [f"{one.place.path}:{one.place.line} {one.rule}" for one in findings(folder, files, **options)]
