"""Every key of `sgm.yaml` and of the user file: its type, default and meaning, declared once.

`Section` reads the files by these declarations and refuses every key that is not among them; `json_schema` publishes
them for editors. `docs/configuration.md` shows each key in an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sgm_tui.config.schema import (
    QUERIES,
    ArgoConfig,
    GithubConfig,
    HubConfig,
    LayoutConfig,
    MetricsConfig,
    RolloutConfig,
)
from sgm_tui.fleet.gates.table import GATE_NAMES
from sgm_tui.fleet.policy import GroupBy, Level

Form = Literal[
    "text", "url", "number", "flag", "path", "file", "texts", "texts by name", "duration", "ratio", "waves", "any"
]
"""The type of a value. number: more than 0; file: a credential or certificate file to read; ratio: from 0 to 1;
texts by name: a mapping of free names to texts; any: whatever YAML can say."""

_ARGO, _GITHUB, _LAYOUT, _METRICS, _ROLLOUTS = (
    ArgoConfig(),
    GithubConfig(),
    LayoutConfig(),
    MetricsConfig(),
    RolloutConfig(),
)


@dataclass(frozen=True, slots=True)
class Value:
    """A key with a value."""

    form: Form
    about: str
    default: str | float | bool | tuple[str, ...] | None = None
    """The value where the key is not set; None where that has no value of its own."""
    words: tuple[str, ...] = ()
    """The only texts that are allowed; () allows any."""
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A mapping of declared keys."""

    about: str
    keys: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of mappings."""

    about: str
    item: Group
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class ByName:
    """A mapping of names to declarations of the same kind."""

    about: str
    item: Node
    names: tuple[str, ...] = ()
    """The only names that are allowed; () allows any."""


Node = Value | Group | ListOf | ByName


def _text(about: str, default: str = "", *words: str) -> Value:
    return Value("text", about, default, words)


def _required(about: str) -> Value:
    return Value("text", about, is_required=True)


def _texts(about: str, default: tuple[str, ...] = ()) -> Value:
    return Value("texts", about, default)


_FREEZE = Group(
    "A recurring period in which nothing is promoted.",
    {
        "cron": _required("When it begins: five fields of cron."),
        "duration": _required("How long it lasts, such as 64h."),
        "time_zone": _text("The time zone of `cron`.", "UTC"),
        "reason": _text("Shown while it is active."),
    },
)
_RULES: Mapping[str, Node] = {
    "soak": Value("duration", "How long a version has to be healthy in the previous stage.", ""),
    "error_ratio_max": Value("ratio", "The greatest error ratio, of the previous stage and of the cell itself."),
    "latency_p99_max": Value("duration", "The greatest 99th percentile of the latency.", ""),
    "error_budget_min": Value("ratio", "The least remaining share of the error budget."),
    "severities": _texts("The severities of alerts that count."),
    "waves": Value("waves", "The clusters of a stage, in the order they get a change."),
    "wave_soak": Value("duration", "How long a wave has to be healthy before the next one opens.", ""),
    "freezes": ListOf("Periods in which nothing is promoted.", _FREEZE),
    "gates": ByName(
        "The level of each gate: off, warn, block (can be overridden with a reason) or never.",
        _text("Its level.", "", *get_args(Level)),
        GATE_NAMES,
    ),
}
_STAGE_RULES = ByName("Rules by stage.", Group("The rules of a stage.", _RULES))
_POLICY = Group(
    "What has to hold before a change is written: see docs/gates.md.",
    {
        "group_by": _text("One pull request for each of these.", "stage", *get_args(GroupBy)),
        "direct": _texts("Stages that may be pushed to without a pull request, on request."),
        "travels": _texts("Further keys that are promoted along with the version."),
        "protected": _texts("Keys, or prefixes of keys, that are never promoted."),
        "required_checks": _texts("Names of checks that have to be successful on a pull request."),
        "strategies": ByName(
            "Names for --strategy.",
            ByName("Keys of the values file, each with its new value.", Value("any", "The new value.")),
        ),
        "defaults": Group("The rules of every stage.", {key: node for key, node in _RULES.items() if key != "waves"}),
        "stages": _STAGE_RULES,
        "services": ByName(
            "Rules by service, which replace those of the stage.", Group("A service.", {"stages": _STAGE_RULES})
        ),
    },
)
_CLUSTER = Group(
    "A cluster.",
    {
        "name": _required("Its name, unique in the file."),
        "location": _text("Where it is, for grouping."),
        "context": _text("Its context in the kubeconfig; its name when not set."),
        "prometheus": Value("url", "The base URL of its Prometheus; no metrics when not set.", ""),
        "server": Value("url", "The URL of its API server, where Applications name clusters by URL.", ""),
    },
)
_STAGE = Group(
    "A stage.",
    {
        "name": _required("Its name, unique in the file."),
        "protected": Value("flag", "Whether a change requires its name to be typed.", default=False),
        "clusters": ListOf("Its clusters.", _CLUSTER),
    },
)
_TOKEN_FILES: Mapping[str, Node] = {
    "github.token_file": Value("file", "A file with the token; the environment or `gh auth token` when not set."),
    "prometheus.token_file": Value("file", "A file with a bearer token."),
    "prometheus.basic_auth_file": Value("file", "A file with `user:password` for HTTP basic authentication."),
    "prometheus.ca_file": Value("file", "Certificate authorities to trust instead of the system's."),
    "registry.token_file": Value("file", "A file with `user:password`, or a token, for the registry's own origin."),
}
_COMMON: Mapping[str, Node] = {
    "kubeconfig": Value("path", "The kubeconfig; KUBECONFIG or ~/.kube/config when not set."),
    "state_directory": Value("path", "Where clones, plans and the audit log live; XDG_STATE_HOME/sgm when not set."),
    "read_only": Value("flag", "Whether sgm refuses to change anything.", default=False),
    "theme": _text("The name of the theme."),
}

TEAM_FILE = Group(
    "The sgm.yaml of a GitOps repository: what the fleet is, and what has to hold before it is changed.",
    {
        "repository": Group(
            "The GitOps repository.",
            {
                "url": _required("Any git URL; file:// and ssh work."),
                "branch": _text("The branch that is deployed.", "main"),
                "name": _text("What people call it; derived from the URL when not set."),
                "web": Value("url", "The base of links to commits and files; derived from `github` when not set.", ""),
            },
        ),
        "layout": Group(
            "Where the version of a cell is written.",
            {
                "values": _texts(
                    "Path templates with {service}, {stage} and {cluster}, the most specific first.", _LAYOUT.values
                ),
                "image_key": _text(
                    "The dotted key of the version; images[name=x].newTag selects from a list.", _LAYOUT.image_key
                ),
            },
        ),
        "stages": ListOf("The stages, in order of promotion.", _STAGE, is_required=True),
        "argocd": Group(
            "Argo CD.",
            {
                "hubs": ListOf(
                    "The clusters that run Argo CD.",
                    Group(
                        "A cluster that runs Argo CD.",
                        {
                            "context": _required("Its context in the kubeconfig."),
                            "namespace": _text("The namespace of its Applications.", HubConfig("").namespace),
                        },
                    ),
                ),
                "application": _text("The name of a cell's Application.", _ARGO.application),
                "url": Value("url", "The base URL of its web interface, for links.", ""),
            },
        ),
        "rollouts": Group(
            "Where a service lives in its cluster.",
            {
                "namespace": _text("The namespace of a service.", _ROLLOUTS.namespace),
                "name": _text("The name of a service's Rollout.", _ROLLOUTS.name),
            },
        ),
        "prometheus": Group(
            "How Prometheus is queried.",
            {
                "queries": ByName(
                    "PromQL of each metric, with one series per namespace.", _text("The query."), QUERIES
                ),
                "label": _text("The label whose value is the service's namespace.", _METRICS.label),
                "interval_seconds": Value("number", "Seconds between two polls.", _METRICS.interval_seconds),
                "token_file": _TOKEN_FILES["prometheus.token_file"],
                "basic_auth_file": _TOKEN_FILES["prometheus.basic_auth_file"],
                "headers": Value("texts by name", "Headers of every query; credentials are refused here."),
                "ca_file": _TOKEN_FILES["prometheus.ca_file"],
            },
        ),
        "github": Group(
            "Pull requests; none when not set.",
            {
                "repository": _text("owner/name of the GitOps repository."),
                "api_url": Value("url", "The API; https://HOST/api/v3 of GitHub Enterprise.", _GITHUB.api_url),
                "interval_seconds": Value("number", "Seconds between two polls.", _GITHUB.interval_seconds),
                "token_file": _TOKEN_FILES["github.token_file"],
                "auto_merge": _texts("Stages whose pull requests auto-merge once checks and owners agree."),
                "labels": _texts("Labels of every pull request that sgm opens."),
                "source": _text("owner/name of a service's own repository, with {service}."),
            },
        ),
        "policy": _POLICY,
        "lint": Group("`sgm lint`.", {"exclude": _texts("Globs over paths that are left out.")}),
        "grafana": Group("Grafana.", {"url": Value("url", "The base URL, for links to dashboards.", "")}),
        "registry": Group(
            "The registry in which images are looked up; they are not checked when not set.",
            {
                "url": Value("url", "The base URL of an OCI registry.", ""),
                "hosts": _texts("Hosts of image names that it serves; its own when not set."),
                "token_file": _TOKEN_FILES["registry.token_file"],
            },
        ),
        **_COMMON,
    },
)

USER_FILE = Group(
    "sgm/config.yaml of a person: names of their kubeconfig, credentials, theme and keys.",
    {
        "contexts": Value("texts by name", "A cluster, or a context of the team file → a context of the kubeconfig."),
        "keymap": Value("texts by name", "The id of a key binding → the keys."),
        "trusted_hosts": _texts("Hosts that may be sent your credentials, whatever configuration names them."),
        "github": Group("Credentials for GitHub.", {"token_file": _TOKEN_FILES["github.token_file"]}),
        "prometheus": Group(
            "Credentials for Prometheus.",
            {
                "token_file": _TOKEN_FILES["prometheus.token_file"],
                "basic_auth_file": _TOKEN_FILES["prometheus.basic_auth_file"],
                "ca_file": _TOKEN_FILES["prometheus.ca_file"],
            },
        ),
        "registry": Group("Credentials for the registry.", {"token_file": _TOKEN_FILES["registry.token_file"]}),
        **_COMMON,
    },
)
