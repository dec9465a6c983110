"""Configuration as frozen values.

The team's `sgm.yaml` lives in the GitOps repository; the user file has contexts, theme and key bindings of one person.
Order of precedence: flags, environment (`SGM_*`), user, team, defaults. `config.file.load` is the only reader; every
other module is passed a `Config`. `config.keys` declares every key of the files, `docs/configuration.md` shows each in
an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sgm_tui.fleet.policy import Policy


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """`stages[].clusters[]`."""

    name: str
    stage: str
    location: str = ""
    context: str = ""
    """Context of the kubeconfig; the cluster's name when not set."""
    prometheus: str = ""
    """Base URL of this cluster's Prometheus; "" means no metrics."""
    server: str = ""
    """API server URL as Argo CD knows it, where `destination` uses URLs instead of names."""


@dataclass(frozen=True, slots=True)
class StageConfig:
    """`stages[]`, in order."""

    name: str
    clusters: tuple[ClusterConfig, ...]
    protected: bool = False


@dataclass(frozen=True, slots=True)
class LayoutConfig:
    """`layout`: where a cell's version is written."""

    values: tuple[str, ...] = (
        "{stage}/{cluster}/app-service/{service}/values.yaml",
        "{stage}/app-service/{service}/values.yaml",
    )
    """Path templates, the most specific first; the first that exists for a cell is its file."""
    image_key: str = "image.tag"
    """Dotted key of the version; `images[name=x].newTag` selects from a list."""


@dataclass(frozen=True, slots=True)
class RepositoryConfig:
    """`repository`: the GitOps repository."""

    url: str
    branch: str = "main"
    name: str = ""
    """What people call it, e.g. "acme/gitops"; derived from the URL when not set."""
    web: str = ""
    """Base of links to commits and files; derived from `github` when not set."""


@dataclass(frozen=True, slots=True)
class HubConfig:
    """`argocd.hubs[]`: a cluster that runs Argo CD."""

    context: str
    namespace: str = "argocd"


@dataclass(frozen=True, slots=True)
class ArgoConfig:
    """`argocd`: hubs, and how an Application belongs to a cell."""

    hubs: tuple[HubConfig, ...] = ()
    application: str = "{cluster}-{service}"
    """Name template of an Application; labels `service` and destination decide where it does not match."""
    url: str = ""
    """Base URL of the Argo CD UI, for links."""


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """`rollouts`: where a service's Rollout lives in its cluster."""

    namespace: str = "app-{service}"
    name: str = "{service}"


QUERIES = ("requests_per_second", "error_ratio", "latency_p99_seconds", "error_budget_remaining", "healthy")
"""The names under `prometheus.queries`."""


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """`prometheus`: queries (one per metric, grouped by namespace), interval and credentials."""

    queries: Mapping[str, str] = field(default_factory=dict)
    """Of QUERIES: name → PromQL that yields one series per `label` value."""
    label: str = "namespace"
    """The label whose value is the service's namespace (`rollouts.namespace`)."""
    interval_seconds: float = 15.0
    token_file: Path | None = None
    """A file that holds a bearer token."""
    basic_auth_file: Path | None = None
    """A file that holds `user:password`, for HTTP basic authentication."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every query, such as X-Scope-OrgID of a tenant; none of them is a credential."""
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's; REQUESTS_CA_BUNDLE when not set."""
    credential_hosts: frozenset[str] | None = None
    """The only hosts that the token or password is sent to; None means every Prometheus that is configured."""


@dataclass(frozen=True, slots=True)
class GithubConfig:
    """`github`: the repository of the pull requests."""

    repository: str = ""
    """owner/name; "" means no pull requests."""
    api_url: str = "https://api.github.com"
    interval_seconds: float = 20.0
    token_file: Path | None = None
    """A file that holds the token; that of the environment or of `gh auth token` when not set."""
    auto_merge: tuple[str, ...] = ()
    """Stages whose pull requests auto-merge once checks and owners agree."""
    labels: tuple[str, ...] = ()
    """Labels put on every pull request sgm opens."""
    source: str = ""
    """owner/name of a service's own repository, with {service}: for the commits between two of its versions."""


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """`registry`: where images are looked up before they are promoted."""

    url: str = ""
    """Base URL of an OCI registry; "" means that images are not checked."""
    hosts: tuple[str, ...] = ()
    """Hosts of image names this registry serves, where it is a mirror; the host of `url` when not set."""
    token_file: Path | None = None
    """A file that holds `user:password`, or a token, for the registry's own origin."""


@dataclass(frozen=True, slots=True)
class LintConfig:
    """`lint`: what `sgm lint` checks."""

    exclude: tuple[str, ...] = ()
    """Globs over paths from the root that are left out: skeletons, fixtures; `**` crosses folders."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, merged, with the origin of each value."""

    repository: RepositoryConfig
    stages: tuple[StageConfig, ...]
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    argocd: ArgoConfig = field(default_factory=ArgoConfig)
    rollouts: RolloutConfig = field(default_factory=RolloutConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    github: GithubConfig = field(default_factory=GithubConfig)
    registry: RegistryConfig = field(default_factory=RegistryConfig)
    policy: Policy = field(default_factory=Policy)
    lint: LintConfig = field(default_factory=LintConfig)
    grafana_url: str = ""
    kubeconfig: Path | None = None
    """Explicit kubeconfig; KUBECONFIG or ~/.kube/config when not set. Relative paths count from the config file."""
    state_directory: Path | None = None
    """Where clones, journal and audit log live; XDG_STATE_HOME/sgm when not set."""
    read_only: bool = False
    theme: str = ""
    keymap: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None
    """The team file this came from."""
    trusted_hosts: frozenset[str] = frozenset()
    """Hosts the user's credentials may be sent to, whatever file names them (`trusted_hosts` of the user file)."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Dotted key → the origin of its value ("sgm.yaml:12", "SGM_THEME", "default")."""

    @property
    def repository_urls(self) -> tuple[str, ...]:
        """Every URL of the GitOps repository: to clone it, to browse it, on GitHub."""
        repository, github = self.repository, self.github
        host = urlsplit(github.api_url).hostname or ""
        forge = f"https://{host.removeprefix('api.')}/{github.repository}" if github.repository else ""
        return tuple(filter(None, (repository.url, repository.web, forge)))

    @property
    def clusters(self) -> tuple[ClusterConfig, ...]:
        """Every cluster, in column order."""
        return tuple(cluster for stage in self.stages for cluster in stage.clusters)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that nothing sent to it crosses a network."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
