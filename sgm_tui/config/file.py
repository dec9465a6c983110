"""Reading configuration: files, environment and flags become one `Config`, and every mistake a place to look.

The strongest wins: flags, `SGM_*`, the user's file, the team's `sgm.yaml`, defaults. An unknown key or a wrong type
is an error with file, line and the nearest valid name. Nothing is ever loaded from the current directory unless it
is named: a stranger's checkout must not choose clusters or commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from sgm_tui.config.policy import policy_of
from sgm_tui.config.reading import Reader, Section, Stronger, mapping_of
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
from sgm_tui.errors import ConfigError
from sgm_tui.resources import user_file

Value = TypeVar("Value")

_FLAGS = {"repository.url": "--repo", "read_only": "--read-only"}
"""Global options by the key they outrank."""
_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class UserConfig:
    """A person's own file: how it looks to them and what their kubeconfig calls things."""

    contexts: Mapping[str, str] = field(default_factory=dict)
    """Cluster or hub context of the team file → context of this person's kubeconfig."""
    theme: str = ""
    keymap: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    kubeconfig: Path | None = None
    state_directory: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    """Dotted key of a credential or certificate file of the team file → this person's."""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts that this person's credentials may be sent to, whatever configuration names them."""


_OWN_FILES: Mapping[str, tuple[str, ...]] = {
    "github": ("token_file",),
    "prometheus": ("token_file", "basic_auth_file", "ca_file"),
    "registry": ("token_file",),
}
"""What a person's own file may name, because a team file may not name files of theirs."""


def load(path: Path | None, *, flags: Mapping[str, str], environ: Mapping[str, str]) -> Config:
    """Read the team file and merge everything that outranks it.

    Args:
        path: the team file (`--config`); `SGM_CONFIG` or the `sgm.yaml` of a local `--repo` when not given.
        flags: global options by dotted key, e.g. `repository.url`.
        environ: the environment.

    Raises:
        ConfigError: there is no file, or it cannot be used; says where and what to do.
    """
    file = path or _named_elsewhere(flags, environ)
    user = load_user(environ)
    stronger = [
        *((key, value, _FLAGS.get(key, f"--{key}")) for key, value in flags.items()),
        *_from_environment(environ),
    ]
    reader = Reader(file, [*stronger, *_from_user(user)], (file.absolute().parent, user_file(environ).parent))
    root = reader.root()
    reader.folders += _embedded_folders(root)
    config = _config(root, user, file)
    config = replace(config, trusted_hosts=frozenset(user.trusted_hosts))
    is_named = path is not None or bool(environ.get("SGM_CONFIG"))
    return config if is_named else of_a_checkout(config)


def load_user(environ: Mapping[str, str]) -> UserConfig:
    """Read `sgm/config.yaml` under the XDG configuration directory, and what the environment says instead."""
    file = user_file(environ)
    root = Section(Reader(file, _from_environment(environ)), mapping_of(file) if file.is_file() else {}, "")
    user = UserConfig(
        contexts=root.texts_by_name("contexts"),
        theme=root.text("theme", ""),
        keymap=root.texts_by_name("keymap"),
        read_only=root.flag("read_only", default=False),
        kubeconfig=root.path("kubeconfig"),
        state_directory=root.path("state_directory"),
        files=_own_files(root),
        trusted_hosts=root.texts("trusted_hosts"),
    )
    root.finish()
    return user


def _own_files(root: Section) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, keys in _OWN_FILES.items():
        section = root.section(name)
        files |= {f"{name}.{key}": path for key in keys if (path := section.path(key)) is not None}
        section.finish()
    return files


def _from_environment(environ: Mapping[str, str]) -> list[Stronger]:
    """`SGM_GITHUB_API_URL` is `github.api_url`: matched without regard to where the dots were."""
    return [(name[4:].lower(), value, name) for name, value in environ.items() if name.startswith("SGM_")]


def _from_user(user: UserConfig) -> list[Stronger]:
    values = {
        "theme": user.theme,
        "read_only": "true" if user.read_only else "",
        "kubeconfig": str(user.kubeconfig or ""),
        "state_directory": str(user.state_directory or ""),
        **{key: str(path) for key, path in user.files.items()},
    }
    return [(key, value, "user file") for key, value in values.items() if value]


def _named_elsewhere(flags: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    if named := environ.get("SGM_CONFIG"):
        return Path(named)
    repository = flags.get("repository.url", "")
    local = Path(repository) / "sgm.yaml"
    if repository and "://" not in repository and local.is_file():
        return local
    is_local = repository and "://" not in repository
    raise ConfigError(
        f"{repository} has no sgm.yaml" if is_local else "no configuration found",
        "Give --config PATH, set SGM_CONFIG, or name a checkout that holds sgm.yaml: --repo PATH. "
        "To look around without one: sgm demo",
    )


def _config(root: Section, user: UserConfig, file: Path) -> Config:
    stages = _stages(root, user.contexts)
    config = Config(
        repository=_finished(root.section("repository"), _repository),
        stages=stages,
        policy=_finished(root.section("policy"), lambda one: policy_of(one, stages)),
        layout=_finished(root.section("layout"), _layout),
        argocd=_finished(root.section("argocd"), lambda one: _argocd(one, user.contexts)),
        rollouts=_finished(root.section("rollouts"), _rollouts),
        metrics=_finished(root.section("prometheus"), _metrics),
        github=_finished(root.section("github"), _github),
        grafana_url=_finished(root.section("grafana"), lambda section: section.url("url")),
        registry=_finished(root.section("registry"), _registry),
        lint=_finished(root.section("lint"), lambda section: LintConfig(section.texts("exclude"))),
        kubeconfig=root.path("kubeconfig"),
        state_directory=root.path("state_directory"),
        read_only=root.flag("read_only", default=False),
        theme=root.text("theme", ""),
        keymap=user.keymap,
        source=file,
    )
    root.finish()
    return replace(config, origins=root.origins())


def _embedded_folders(root: Section) -> tuple[Path, ...]:
    """Return the folder of an embedded fleet, so that a copy of its configuration works from anywhere.

    Credentials of a configuration whose every address is this machine's own leave it for nowhere: they may lie beside
    the kubeconfig that it names.
    """
    clusters = [cluster for stage in root.sections("stages") for cluster in stage.sections("clusters")]
    addresses = [cluster.text("prometheus", "") for cluster in clusters]
    addresses += [
        root.section("github").text("api_url", GithubConfig().api_url),
        root.section("registry").text("url", ""),
    ]
    kubeconfig = root.path("kubeconfig")
    is_embedded = all(is_loopback(urlsplit(address).hostname or "") for address in addresses if address)
    return (kubeconfig.parent,) if kubeconfig is not None and is_embedded else ()


def of_a_checkout(config: Config) -> Config:
    """Return the configuration of a checkout that was named by `--repo`: anybody may have written its sgm.yaml.

    The user's credentials go to no host it names, except those in `trusted_hosts` of the user's own file.

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
        is_theirs = config.origins.get(key, "default").startswith(f"{config.source}:")
        return file if is_theirs or urlsplit(url).hostname in config.trusted_hosts else None

    github, registry = config.github, config.registry
    return replace(
        config,
        metrics=replace(config.metrics, credential_hosts=config.trusted_hosts),
        github=replace(github, token_file=file_for(github.api_url, "github.token_file", github.token_file)),
        registry=replace(registry, token_file=file_for(registry.url, "registry.token_file", registry.token_file)),
    )


def _finished(section: Section, read: Callable[[Section], Value]) -> Value:
    value = read(section)
    section.finish()
    return value


def _repository(section: Section) -> RepositoryConfig:
    url = section.text("url")
    section.refuse_credentials("url", url)
    local = Path(url).expanduser()
    if "://" not in url and local.exists():
        url = local.absolute().as_uri()
    name = section.text("name", "") or "/".join(url.removesuffix(".git").rstrip("/").replace(":", "/").split("/")[-2:])
    return RepositoryConfig(url, section.text("branch", "main"), name, section.url("web"))


def _stages(root: Section, contexts: Mapping[str, str]) -> tuple[StageConfig, ...]:
    stages: list[StageConfig] = []
    for section in root.sections("stages"):
        name = section.text("name")
        clusters = tuple(_cluster(one, name, contexts) for one in section.sections("clusters"))
        stages.append(StageConfig(name, clusters, section.flag("protected", default=False)))
        section.finish()
    if not stages:
        why = "List the stages in order, each with its clusters. See: sgm help configuration."
        raise root.refuse("stages", "it is empty", why) if root.data("stages") == [] else root.missing("stages", why)
    names = [stage.name for stage in stages] + [cluster.name for stage in stages for cluster in stage.clusters]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise root.refuse("stages", f"{', '.join(doubled)} is named twice", "Stage and cluster names must be unique.")
    return tuple(stages)


def _cluster(section: Section, stage: str, contexts: Mapping[str, str]) -> ClusterConfig:
    name = section.text("name")
    context = section.text("context", name)
    cluster = ClusterConfig(
        name=name,
        stage=stage,
        location=section.text("location", ""),
        context=contexts.get(name) or contexts.get(context, context),
        prometheus=section.url("prometheus"),
        server=section.url("server"),
    )
    section.finish()
    return cluster


def _layout(section: Section) -> LayoutConfig:
    default = LayoutConfig()
    values = section.texts("values", default.values)
    for template in values:
        parts = template.split("/")
        if "{service}" not in template or template.startswith("/") or ".." in parts or "\0" in template:
            hint = "Write a path inside the repository with {service}, {stage} and, for one cluster, {cluster}."
            raise section.refuse("values", f"{template} is not a path template", hint)
    return LayoutConfig(values, section.text("image_key", default.image_key))


def _argocd(section: Section, contexts: Mapping[str, str]) -> ArgoConfig:
    hubs: list[HubConfig] = []
    for one in section.sections("hubs"):
        context = one.text("context")
        hubs.append(HubConfig(contexts.get(context, context), one.text("namespace", "argocd")))
        one.finish()
    return ArgoConfig(tuple(hubs), section.text("application", ArgoConfig().application), section.url("url"))


def _rollouts(section: Section) -> RolloutConfig:
    default = RolloutConfig()
    return RolloutConfig(section.text("namespace", default.namespace), section.text("name", default.name))


def _metrics(section: Section) -> MetricsConfig:
    default, written = MetricsConfig(), section.section("queries")
    queries = {name: query for name in QUERIES if (query := written.text(name, ""))}
    written.finish()
    return MetricsConfig(
        queries=queries,
        label=section.text("label", default.label),
        interval_seconds=section.number("interval_seconds", default.interval_seconds),
        token_file=section.file("token_file"),
        basic_auth_file=section.file("basic_auth_file"),
        headers=_headers(section),
        ca_file=section.file("ca_file"),
    )


def _headers(section: Section) -> dict[str, str]:
    headers = section.texts_by_name("headers")
    for name, value in headers.items():
        if name.lower() in _CREDENTIAL_HEADERS:
            raise section.refuse("headers", f"{name} is a credential", "Use token_file or basic_auth_file.")
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise section.refuse(
                "headers", f"{name!r} is not a valid header", "Names are letters, digits and -; values ASCII."
            )
    return headers


def _github_url(section: Section, default: str) -> str:
    url = section.url("api_url", default)
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise section.refuse("api_url", "http would send the token in the clear", "Use https.")
    return url


def _github(section: Section) -> GithubConfig:
    default = GithubConfig()
    return GithubConfig(
        repository=section.text("repository", ""),
        api_url=_github_url(section, default.api_url),
        interval_seconds=section.number("interval_seconds", default.interval_seconds),
        token_file=section.file("token_file"),
        auto_merge=section.texts("auto_merge"),
        labels=section.texts("labels"),
        source=section.text("source", ""),
    )


def _registry(section: Section) -> RegistryConfig:
    return RegistryConfig(section.url("url"), section.texts("hosts"), section.file("token_file"))
