"""Reading configuration: files, environment and flags become one `Config`, and every mistake a place to look.

The strongest wins: flags, `SGM_*`, the user's file, the team's `sgm.yaml`, defaults. An unknown key or a wrong type
is an error with file, line and the nearest valid name. Nothing is ever loaded from the current directory unless it
is named: a stranger's checkout must not choose clusters or commands.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sgm_tui.config import (
    ArgoConfig,
    ClusterConfig,
    Config,
    GithubConfig,
    HubConfig,
    LayoutConfig,
    MetricsConfig,
    RepositoryConfig,
    RolloutConfig,
    StageConfig,
)
from sgm_tui.errors import ConfigError
from sgm_tui.resources import user_file

_LARGEST_FILE = 1 << 20
Value = TypeVar("Value")
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


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
    return _config(_Reader(file, [*stronger, *_from_user(user)]).root(), user, file)


def load_user(environ: Mapping[str, str]) -> UserConfig:
    """Read `sgm/config.yaml` under the XDG configuration directory, and what the environment says instead."""
    file = user_file(environ)
    root = _Section(_Reader(file, _from_environment(environ)), _mapping_of(file) if file.is_file() else {}, "")
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


Stronger = tuple[str, str, str]
"""A dotted key, its value as text, and where that came from."""


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
    raise ConfigError(
        "no configuration is named",
        "Give --config PATH, set SGM_CONFIG, or name a checkout that holds sgm.yaml: --repo PATH. "
        "To look around without one: sgm demo",
    )


class _Reader:
    """One file, its overrides, and where each value came from."""

    def __init__(self, file: Path, stronger: Sequence[Stronger]) -> None:
        self.file = file
        self._stronger = stronger
        self.origins: dict[str, str] = {}

    def root(self) -> _Section:
        return _Section(self, _mapping_of(self.file), "")

    def override(self, key: str) -> str | None:
        """What outranks the file for a dotted key, if anything does."""
        for name, value, origin in self._stronger:
            if name.replace(".", "_") == key.replace(".", "_"):
                self.origins[key] = origin
                return value
        return None

    def fail(self, line: int | None, message: str, hint: str = "") -> ConfigError:
        place = f"{self.file}:{line}" if line is not None else str(self.file)
        return ConfigError(f"{place}: {message}", hint)


def _mapping_of(file: Path) -> Mapping[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "Name a file that can be read.") from error
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"{file}: larger than 1 MB", "This does not look like an sgm.yaml.")
    try:
        loaded = YAML(typ="rt", pure=True).load(data)
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line}: {error.problem}", "It has to be valid YAML.") from error
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file}: not YAML: {error}") from error
    if not isinstance(loaded, Mapping):
        raise ConfigError(f"{file}: a mapping is expected at the top", "See docs/configuration.md.")
    return loaded


class _Section:
    """One mapping of the file, read key by key; `finish` refuses what nobody read."""

    def __init__(self, reader: _Reader, data: Mapping[str, Any], prefix: str) -> None:
        self._reader = reader
        self._data = data
        self._prefix = prefix
        self._known: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        return str(self._scalar(key, default, str, "a string"))

    def number(self, key: str, default: float) -> float:
        value = self._scalar(key, default, (int, float), "a number of seconds")
        try:
            number = float(value)
        except ValueError:
            raise self._wrong(key, "a number of seconds") from None
        if not 0 < number < float("inf"):
            raise self._wrong(key, "more than 0")
        return number

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._scalar(key, default, bool, "true or false")
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            raise self._wrong(key, "true or false")
        return word in _TRUE

    def path(self, key: str) -> Path | None:
        """A path; relative ones count from the file they are written in."""
        written = self.text(key, "")
        if not written:
            return None
        expanded = Path(written).expanduser()
        return expanded if expanded.is_absolute() else (self._reader.file.parent / expanded).absolute()

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(key, "a list of strings")
        return tuple(str(one) for one in value)

    def texts_by_name(self, key: str) -> dict[str, str]:
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
            raise self._wrong(key, "a mapping of names to strings")
        return {str(name): str(one) for name, one in value.items()}

    def section(self, key: str) -> _Section:
        value = self._take(key)
        if value is not None and not isinstance(value, Mapping):
            raise self._wrong(key, "a mapping")
        return _Section(self._reader, value or {}, f"{self._prefix}{key}.")

    def sections(self, key: str) -> list[_Section]:
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise self._wrong(key, "a list of mappings")
        return [_Section(self._reader, one, f"{self._prefix}{key}[{index}].") for index, one in enumerate(value)]

    def finish(self) -> None:
        """Refuse every key that was not asked for."""
        for key in self._data:
            if key not in self._known:
                nearest = difflib.get_close_matches(str(key), sorted(self._known), n=1, cutoff=0.5)
                known = ", ".join(sorted(self._known))
                hint = f"Did you mean {nearest[0]}?" if nearest else f"Known here: {known}"
                raise self._reader.fail(self._line(str(key)), f"unknown key {self._prefix}{key}", hint)

    def missing(self, key: str, why: str) -> ConfigError:
        return self._reader.fail(None, f"{self._prefix}{key} is missing", why)

    def refuse(self, key: str, why: str, hint: str = "") -> ConfigError:
        return self._reader.fail(self._line(key), f"{self._prefix}{key}: {why}", hint)

    def origins(self) -> Mapping[str, str]:
        return dict(self._reader.origins)

    def _take(self, key: str) -> Any:
        self._known.add(key)
        value = self._data.get(key)
        if value is not None:
            self._reader.origins[self._prefix + key] = f"{self._reader.file}:{self._line(key)}"
        return value

    def _scalar(self, key: str, default: Any, kind: Any, word: str) -> Any:
        value = self._take(key)
        override = self._reader.override(self._prefix + key)
        if override is not None:
            return override
        if value is None:
            if default is None:
                raise self.missing(key, f"It has to be {word}. See docs/configuration.md.")
            self._reader.origins.setdefault(self._prefix + key, "default")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._wrong(key, word)
        return value

    def _wrong(self, key: str, word: str) -> ConfigError:
        return self._reader.fail(self._line(key), f"{self._prefix}{key} has to be {word}", "See docs/configuration.md.")

    def _line(self, key: str) -> int | None:
        marks = getattr(getattr(self._data, "lc", None), "data", None) or {}
        return marks[key][0] + 1 if key in marks else None


def _config(root: _Section, user: UserConfig, file: Path) -> Config:
    config = Config(
        repository=_finished(root.section("repository"), _repository),
        stages=_stages(root, user.contexts),
        layout=_finished(root.section("layout"), _layout),
        argocd=_finished(root.section("argocd"), lambda one: _argocd(one, user.contexts)),
        rollouts=_finished(root.section("rollouts"), _rollouts),
        metrics=_finished(root.section("prometheus"), _metrics),
        github=_finished(root.section("github"), _github),
        grafana_url=_finished(root.section("grafana"), lambda one: one.text("url", "")),
        registry_url=_finished(root.section("registry"), lambda one: one.text("url", "")),
        kubeconfig=root.path("kubeconfig"),
        state_directory=root.path("state_directory"),
        read_only=root.flag("read_only", default=False),
        theme=root.text("theme", ""),
        keymap=user.keymap,
        source=file,
    )
    root.finish()
    return replace(config, origins=root.origins())


def _finished(section: _Section, read: Callable[[_Section], Value]) -> Value:
    value = read(section)
    section.finish()
    return value


def _repository(section: _Section) -> RepositoryConfig:
    url = section.text("url")
    local = Path(url).expanduser()
    if "://" not in url and local.exists():
        url = local.absolute().as_uri()
    name = section.text("name", "") or "/".join(url.removesuffix(".git").rstrip("/").replace(":", "/").split("/")[-2:])
    return RepositoryConfig(url, section.text("branch", "main"), name, section.text("web", ""))


def _stages(root: _Section, contexts: Mapping[str, str]) -> tuple[StageConfig, ...]:
    stages: list[StageConfig] = []
    for section in root.sections("stages"):
        name = section.text("name")
        clusters = tuple(_cluster(one, name, contexts) for one in section.sections("clusters"))
        stages.append(StageConfig(name, clusters, section.flag("protected", default=False)))
        section.finish()
    if not stages:
        raise root.missing("stages", "List the stages in order, each with its clusters. See docs/configuration.md.")
    names = [stage.name for stage in stages] + [cluster.name for stage in stages for cluster in stage.clusters]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise root.refuse(
            "stages", f"{', '.join(doubled)} is named twice", "Stages and clusters need names of their own."
        )
    return tuple(stages)


def _cluster(section: _Section, stage: str, contexts: Mapping[str, str]) -> ClusterConfig:
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


def _layout(section: _Section) -> LayoutConfig:
    default = LayoutConfig()
    values = section.texts("values", default.values)
    for template in values:
        parts = template.split("/")
        if "{service}" not in template or template.startswith("/") or ".." in parts or "\0" in template:
            hint = "Write a path inside the repository with {service}, {stage} and, for one cluster, {cluster}."
            raise section.refuse("values", f"{template} is no path template", hint)
    return LayoutConfig(values, section.text("image_key", default.image_key))


def _argocd(section: _Section, contexts: Mapping[str, str]) -> ArgoConfig:
    hubs: list[HubConfig] = []
    for one in section.sections("hubs"):
        context = one.text("context")
        hubs.append(HubConfig(contexts.get(context, context), one.text("namespace", "argocd")))
        one.finish()
    return ArgoConfig(tuple(hubs), section.text("application", ArgoConfig().application), section.text("url", ""))


def _rollouts(section: _Section) -> RolloutConfig:
    default = RolloutConfig()
    return RolloutConfig(section.text("namespace", default.namespace), section.text("name", default.name))


def _metrics(section: _Section) -> MetricsConfig:
    default = MetricsConfig()
    return MetricsConfig(
        queries=section.texts_by_name("queries"),
        label=section.text("label", default.label),
        interval_seconds=section.number("interval_seconds", default.interval_seconds),
        token_file=section.path("token_file"),
    )


def _github(section: _Section) -> GithubConfig:
    default = GithubConfig()
    return GithubConfig(
        repository=section.text("repository", ""),
        api_url=section.text("api_url", default.api_url),
        interval_seconds=section.number("interval_seconds", default.interval_seconds),
        token_file=section.path("token_file"),
        auto_merge=section.texts("auto_merge"),
        labels=section.texts("labels"),
    )
