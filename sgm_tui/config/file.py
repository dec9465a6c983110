"""Reading the configuration: files, environment and flags become one `Config`.

Order of precedence: flags, `SGM_*`, the user file, the team's `sgm.yaml`, defaults. An unknown key or a wrong type is
an error with file, line and the nearest valid name. Nothing is loaded from the current directory unless it is named: a
stranger's checkout must not choose clusters or commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from sgm_tui.config.keys import TEAM_FILE, USER_FILE
from sgm_tui.config.policy import read_policy
from sgm_tui.config.reading import Override, Reader, Section
from sgm_tui.config.schema import (
    QUERIES,
    ArgoConfig,
    ClusterConfig,
    Config,
    GithubConfig,
    HubConfig,
    LayoutConfig,
    LintConfig,
    MetricsConfig,
    RegistryConfig,
    RepositoryConfig,
    RolloutConfig,
    StageConfig,
    is_loopback,
)
from sgm_tui.config.team_file import find_team_file
from sgm_tui.config.yaml_file import mapping_of
from sgm_tui.errors import ConfigError
from sgm_tui.user_directories import user_file

Value = TypeVar("Value")

_FLAGS = {"repository.url": "--repo", "read_only": "--read-only"}
"""Keys, each with the global option that overrides it."""
_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class UserConfig:
    """The user file of a person: names of their kubeconfig, credentials, theme and key bindings."""

    contexts: Mapping[str, str] = field(default_factory=dict)
    """Cluster or hub context of the team file → context of the user's kubeconfig."""
    theme: str = ""
    keymap: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    kubeconfig: Path | None = None
    state_directory: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    """Dotted key of a credential or certificate file → the user's file that replaces it."""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts that the user's credentials may be sent to, whatever configuration names them."""


_USER_FILES: Mapping[str, tuple[str, ...]] = {
    "github": ("token_file",),
    "prometheus": ("token_file", "basic_auth_file", "ca_file"),
    "registry": ("token_file",),
}
"""Files that the user file may name, because a team file must not name files of the user."""


def load(path: Path | None, *, flags: Mapping[str, str], environ: Mapping[str, str]) -> Config:
    """Read the team file and everything that overrides it.

    Args:
        path: the team file (`--config`); None uses `SGM_CONFIG` or the `sgm.yaml` of a local `--repo`.
        flags: global options by dotted key, e.g. `repository.url`.
        environ: the environment.

    Raises:
        ConfigError: there is no file, or it cannot be used; says where and what to do.
    """
    repository = flags.get("repository.url", "")
    file = find_team_file(path, repository, environ)
    if file is None:
        raise _complain_of_no_file(repository)
    user = load_user(environ)
    overrides = [
        *((key, value, _FLAGS.get(key, f"--{key}")) for key, value in flags.items()),
        *_environment_overrides(environ),
        *_user_overrides(user),
    ]
    reader = Reader(file, overrides, (file.absolute().parent, user_file(environ).parent))
    root = reader.root(TEAM_FILE)
    reader.folders += _embedded_folders(root)
    config = _read_config(root, user, file)
    config = replace(config, trusted_hosts=frozenset(user.trusted_hosts))
    is_trusted = path is not None or bool(environ.get("SGM_CONFIG"))
    return config if is_trusted else _restrict_checkout(config)


def load_user(environ: Mapping[str, str]) -> UserConfig:
    """Read `sgm/config.yaml` under the XDG configuration directory, with the overrides of the environment."""
    file = user_file(environ)
    reader = Reader(file, _environment_overrides(environ))
    root = Section(reader, mapping_of(file) if file.is_file() else {}, "", USER_FILE)
    user = UserConfig(
        contexts=root.texts_by_name("contexts"),
        theme=root.text("theme"),
        keymap=root.texts_by_name("keymap"),
        read_only=root.flag("read_only"),
        kubeconfig=root.path("kubeconfig"),
        state_directory=root.path("state_directory"),
        files=_read_user_files(root),
        trusted_hosts=root.texts("trusted_hosts"),
    )
    root.finish()
    return user


def _read_user_files(root: Section) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, keys in _USER_FILES.items():
        section = root.section(name)
        files |= {f"{name}.{key}": path for key in keys if (path := section.path(key)) is not None}
        section.finish()
    return files


def _environment_overrides(environ: Mapping[str, str]) -> list[Override]:
    """Return the overrides of `SGM_*`; `SGM_GITHUB_API_URL` is `github.api_url`, as dots and underscores are equal."""
    return [(name[4:].lower(), value, name) for name, value in environ.items() if name.startswith("SGM_")]


def _user_overrides(user: UserConfig) -> list[Override]:
    values = {
        "theme": user.theme,
        "read_only": "true" if user.read_only else "",
        "kubeconfig": str(user.kubeconfig or ""),
        "state_directory": str(user.state_directory or ""),
        **{key: str(path) for key, path in user.files.items()},
    }
    return [(key, value, "user file") for key, value in values.items() if value]


def _complain_of_no_file(repository: str) -> ConfigError:
    is_local = repository and "://" not in repository
    return ConfigError(
        f"{repository} has no sgm.yaml" if is_local else "no configuration found",
        "Give --config PATH, set SGM_CONFIG, or name a checkout that holds sgm.yaml: --repo PATH. "
        "To look around without one: sgm demo",
    )


def _read_config(root: Section, user: UserConfig, file: Path) -> Config:
    stages = _read_stages(root, user.contexts)

    def read(key: str, read_values: Callable[[Section], Value]) -> Value:
        section = root.section(key)
        value = read_values(section)
        section.finish()
        return value

    config = Config(
        repository=read("repository", _read_repository),
        stages=stages,
        policy=read("policy", lambda section: read_policy(section, stages)),
        layout=read("layout", _read_layout),
        argocd=read("argocd", lambda section: _read_argocd(section, user.contexts)),
        rollouts=read("rollouts", lambda section: RolloutConfig(section.text("namespace"), section.text("name"))),
        metrics=read("prometheus", _read_metrics),
        github=read("github", _read_github),
        grafana_url=read("grafana", lambda section: section.url("url")),
        registry=read("registry", _read_registry),
        lint=read("lint", lambda section: LintConfig(section.texts("exclude"))),
        kubeconfig=root.path("kubeconfig"),
        state_directory=root.path("state_directory"),
        read_only=root.flag("read_only"),
        theme=root.text("theme"),
        keymap=user.keymap,
        source=file,
    )
    root.finish()
    return replace(config, origins=root.origins())


def _embedded_folders(root: Section) -> tuple[Path, ...]:
    """Return the folder of an embedded fleet, so that a copy of its configuration works from anywhere.

    The credentials of a configuration whose addresses are all on this machine never leave it: they may lie beside the
    kubeconfig that it names.
    """
    clusters = [cluster for stage in root.sections("stages") for cluster in stage.sections("clusters")]
    addresses = [cluster.text("prometheus") for cluster in clusters]
    addresses += [root.section("github").text("api_url"), root.section("registry").text("url")]
    kubeconfig = root.path("kubeconfig")
    is_embedded = all(is_loopback(urlsplit(address).hostname or "") for address in addresses if address)
    return (kubeconfig.parent,) if kubeconfig is not None and is_embedded else ()


def _restrict_checkout(config: Config) -> Config:
    """Restrict the configuration of a checkout that `--repo` names: anybody may have written its sgm.yaml.

    The user's credentials are sent to no host it names, except those in `trusted_hosts` of the user file.

    Raises:
        ConfigError: it names a kubeconfig, whose programs would be run, or a state directory, which would be written.
    """
    for key in ("kubeconfig", "state_directory"):
        origin = config.origins.get(key, "default")
        if origin.startswith(f"{config.source}:"):
            raise ConfigError(
                f"{origin}: {key}: the sgm.yaml of a checkout (--repo) cannot name it",
                f"Name the file as the configuration you trust: --config {config.source}",
            )

    def file_for(url: str, key: str, file: Path | None) -> Path | None:
        is_of_checkout = config.origins.get(key, "default").startswith(f"{config.source}:")
        return file if is_of_checkout or urlsplit(url).hostname in config.trusted_hosts else None

    github, registry = config.github, config.registry
    return replace(
        config,
        metrics=replace(config.metrics, credential_hosts=config.trusted_hosts),
        github=replace(github, token_file=file_for(github.api_url, "github.token_file", github.token_file)),
        registry=replace(registry, token_file=file_for(registry.url, "registry.token_file", registry.token_file)),
    )


def _read_repository(section: Section) -> RepositoryConfig:
    url = section.text("url")
    section.refuse_credentials("url", url)
    local = Path(url).expanduser()
    if "://" not in url and local.exists():
        url = local.absolute().as_uri()
    name = section.text("name") or "/".join(url.removesuffix(".git").rstrip("/").replace(":", "/").split("/")[-2:])
    return RepositoryConfig(url, section.text("branch"), name, section.url("web"))


def _read_stages(root: Section, contexts: Mapping[str, str]) -> tuple[StageConfig, ...]:
    stages: list[StageConfig] = []
    for section in root.sections("stages"):
        name = section.text("name")
        clusters = tuple(_read_cluster(cluster, name, contexts) for cluster in section.sections("clusters"))
        stages.append(StageConfig(name, clusters, section.flag("protected")))
        section.finish()
    if not stages:
        why = "List the stages in order, each with its clusters. See: sgm help configuration."
        raise root.refuse("stages", "it is empty", why) if root.data("stages") == [] else root.missing("stages", why)
    names = [stage.name for stage in stages] + [cluster.name for stage in stages for cluster in stage.clusters]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise root.refuse(
            "stages", f"{', '.join(duplicates)} is named twice", "Stage and cluster names must be unique."
        )
    return tuple(stages)


def _read_cluster(section: Section, stage: str, contexts: Mapping[str, str]) -> ClusterConfig:
    name = section.text("name")
    context = section.text("context", name)
    cluster = ClusterConfig(
        name=name,
        stage=stage,
        location=section.text("location"),
        context=contexts.get(name) or contexts.get(context, context),
        prometheus=section.url("prometheus"),
        server=section.url("server"),
    )
    section.finish()
    return cluster


def _read_layout(section: Section) -> LayoutConfig:
    values = section.texts("values")
    for template in values:
        parts = template.split("/")
        if "{service}" not in template or template.startswith("/") or ".." in parts or "\0" in template:
            hint = "Write a path inside the repository with {service}, {stage} and, for one cluster, {cluster}."
            raise section.refuse("values", f"{template} is not a path template", hint)
    return LayoutConfig(values, section.text("image_key"))


def _read_argocd(section: Section, contexts: Mapping[str, str]) -> ArgoConfig:
    hubs: list[HubConfig] = []
    for hub in section.sections("hubs"):
        context = hub.text("context")
        hubs.append(HubConfig(contexts.get(context, context), hub.text("namespace")))
        hub.finish()
    return ArgoConfig(tuple(hubs), section.text("application"), section.url("url"))


def _read_metrics(section: Section) -> MetricsConfig:
    texts = section.section("queries")
    queries = {name: query for name in QUERIES if (query := texts.text(name))}
    texts.finish()
    return MetricsConfig(
        queries=queries,
        label=section.text("label"),
        interval_seconds=section.number("interval_seconds"),
        token_file=section.file("token_file"),
        basic_auth_file=section.file("basic_auth_file"),
        headers=_read_headers(section),
        ca_file=section.file("ca_file"),
    )


def _read_headers(section: Section) -> dict[str, str]:
    headers = section.texts_by_name("headers")
    for name, value in headers.items():
        if name.lower() in _CREDENTIAL_HEADERS:
            raise section.refuse("headers", f"{name} is a credential", "Use token_file or basic_auth_file.")
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise section.refuse(
                "headers", f"{name!r} is not a valid header", "Names are letters, digits and -; values ASCII."
            )
    return headers


def _read_api_url(section: Section) -> str:
    url = section.url("api_url")
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise section.refuse("api_url", "http would send the token in the clear", "Use https.")
    return url


def _read_github(section: Section) -> GithubConfig:
    return GithubConfig(
        repository=section.text("repository"),
        api_url=_read_api_url(section),
        interval_seconds=section.number("interval_seconds"),
        token_file=section.file("token_file"),
        auto_merge=section.texts("auto_merge"),
        labels=section.texts("labels"),
        source=section.text("source"),
    )


def _read_registry(section: Section) -> RegistryConfig:
    return RegistryConfig(section.url("url"), section.texts("hosts"), section.file("token_file"))
