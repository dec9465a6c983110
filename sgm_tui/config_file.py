"""Reading configuration: files, environment and flags become one `Config`, and every mistake a place to look.

The strongest wins: flags, `SGM_*`, the user's file, the team's `sgm.yaml`, defaults. An unknown key or a wrong type
is an error with file, line and the nearest valid name. Nothing is ever loaded from the current directory unless it
is named: a stranger's checkout must not choose clusters or commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from sgm_tui.config import (
    QUERIES,
    ArgoConfig,
    ClusterConfig,
    Config,
    GithubConfig,
    HubConfig,
    LayoutConfig,
    MetricsConfig,
    RegistryConfig,
    RepositoryConfig,
    RolloutConfig,
    StageConfig,
)
from sgm_tui.config_policy import policy_of
from sgm_tui.config_reader import Reader, Section, Stronger, mapping_of
from sgm_tui.errors import ConfigError
from sgm_tui.resources import user_file

Value = TypeVar("Value")


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
    stronger = [*((key, value, f"--{key}") for key, value in flags.items()), *_from_environment(environ)]
    return _config(Reader(file, [*stronger, *_from_user(user)]).root(), user, file)


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
    )
    root.finish()
    return user


def _from_environment(environ: Mapping[str, str]) -> list[Stronger]:
    """`SGM_GITHUB_API_URL` is `github.api_url`: matched without regard to where the dots were."""
    return [(name[4:].lower(), value, name) for name, value in environ.items() if name.startswith("SGM_")]


def _from_user(user: UserConfig) -> list[Stronger]:
    values = {
        "theme": user.theme,
        "read_only": "true" if user.read_only else "",
        "kubeconfig": str(user.kubeconfig or ""),
        "state_directory": str(user.state_directory or ""),
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
        f"{repository} holds no sgm.yaml" if is_local else "no configuration is named",
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
        grafana_url=_finished(root.section("grafana"), lambda one: one.text("url", "")),
        registry=_finished(root.section("registry"), _registry),
        kubeconfig=root.path("kubeconfig"),
        state_directory=root.path("state_directory"),
        read_only=root.flag("read_only", default=False),
        theme=root.text("theme", ""),
        keymap=user.keymap,
        source=file,
    )
    root.finish()
    return replace(config, origins=root.origins())


def _finished(section: Section, read: Callable[[Section], Value]) -> Value:
    value = read(section)
    section.finish()
    return value


def _repository(section: Section) -> RepositoryConfig:
    url = section.text("url")
    local = Path(url).expanduser()
    if "://" not in url and local.exists():
        url = local.absolute().as_uri()
    name = section.text("name", "") or "/".join(url.removesuffix(".git").rstrip("/").replace(":", "/").split("/")[-2:])
    return RepositoryConfig(url, section.text("branch", "main"), name, section.text("web", ""))


def _stages(root: Section, contexts: Mapping[str, str]) -> tuple[StageConfig, ...]:
    stages: list[StageConfig] = []
    for section in root.sections("stages"):
        name = section.text("name")
        clusters = tuple(_cluster(one, name, contexts) for one in section.sections("clusters"))
        stages.append(StageConfig(name, clusters, section.flag("protected", default=False)))
        section.finish()
    if not stages:
        why = "List the stages in order, each with its clusters. See: sgm help configuration."
        raise root.refuse("stages", "there is none", why) if root.data("stages") == [] else root.missing("stages", why)
    names = [stage.name for stage in stages] + [cluster.name for stage in stages for cluster in stage.clusters]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise root.refuse(
            "stages", f"{', '.join(doubled)} is named twice", "Stages and clusters need names of their own."
        )
    return tuple(stages)


def _cluster(section: Section, stage: str, contexts: Mapping[str, str]) -> ClusterConfig:
    name = section.text("name")
    context = section.text("context", name)
    cluster = ClusterConfig(
        name=name,
        stage=stage,
        location=section.text("location", ""),
        context=contexts.get(name) or contexts.get(context, context),
        prometheus=section.text("prometheus", ""),
        server=section.text("server", ""),
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
            raise section.refuse("values", f"{template} is no path template", hint)
    return LayoutConfig(values, section.text("image_key", default.image_key))


def _argocd(section: Section, contexts: Mapping[str, str]) -> ArgoConfig:
    hubs: list[HubConfig] = []
    for one in section.sections("hubs"):
        context = one.text("context")
        hubs.append(HubConfig(contexts.get(context, context), one.text("namespace", "argocd")))
        one.finish()
    return ArgoConfig(tuple(hubs), section.text("application", ArgoConfig().application), section.text("url", ""))


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
        token_file=section.path("token_file"),
    )


def _github(section: Section) -> GithubConfig:
    default = GithubConfig()
    return GithubConfig(
        repository=section.text("repository", ""),
        api_url=section.text("api_url", default.api_url),
        interval_seconds=section.number("interval_seconds", default.interval_seconds),
        token_file=section.path("token_file"),
        auto_merge=section.texts("auto_merge"),
        labels=section.texts("labels"),
        source=section.text("source", ""),
    )


def _registry(section: Section) -> RegistryConfig:
    return RegistryConfig(section.text("url", ""), section.texts("hosts"), section.path("token_file"))
