"""Configuration: what is read, what outranks what, and how a mistake is told."""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path

import pytest

from sgm_tui.commands.last_seen import find_last_seen_file
from sgm_tui.config.file import load, load_user
from sgm_tui.config.schema import Config
from sgm_tui.config.yaml_file import mapping_of
from sgm_tui.errors import ConfigError

SMALL = """\
repository:
  url: https://github.com/acme/gitops.git
stages:
  - name: dev
    clusters:
      - {name: dev-eu1, location: eu1}
  - name: prod
    protected: true
    clusters:
      - {name: prod-eu1, location: eu1, context: arn:prod, prometheus: http://127.0.0.1:9090}
"""


def loaded(directory: Path, text: str, environ: dict[str, str] | None = None, **flags: str) -> Config:
    file = directory / "sgm.yaml"
    file.write_text(text)
    environment = {"HOME": str(directory), **(environ or {})}
    return load(file, flags={key.replace("__", "."): value for key, value in flags.items()}, environ=environment)


def test_a_small_file_gets_sensible_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, SMALL)
    assert config.repository.name == "acme/gitops"
    assert config.repository.branch == "main"
    assert [(one.name, one.stage, one.context) for one in config.clusters] == [
        ("dev-eu1", "dev", "dev-eu1"),
        ("prod-eu1", "prod", "arn:prod"),
    ]
    assert [stage.protected for stage in config.stages] == [False, True]
    assert config.layout.image_key == "image.tag"
    assert config.origins["repository.url"] == f"{tmp_path / 'sgm.yaml'}:2"
    assert config.origins["repository.branch"] == "default"


def test_flags_outrank_the_environment_which_outranks_the_user_who_outranks_the_team(tmp_path: Path) -> None:
    user = tmp_path / "xdg" / "sgm" / "config.yaml"
    user.parent.mkdir(parents=True)
    user.write_text("theme: users\ncontexts: {dev-eu1: mine}\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    team = SMALL + "theme: teams\n"
    assert loaded(tmp_path, SMALL).theme == ""
    assert loaded(tmp_path, team).theme == "teams"
    assert loaded(tmp_path, team, environ).theme == "users"
    assert loaded(tmp_path, team, environ | {"SGM_THEME": "environments"}).theme == "environments"
    flagged = loaded(tmp_path, team, environ | {"SGM_THEME": "environments"}, theme="flags")
    assert flagged.theme == "flags"
    assert flagged.clusters[0].context == "mine"


def test_an_environment_variable_reaches_a_nested_key(tmp_path: Path) -> None:
    config = loaded(tmp_path, SMALL, {"SGM_GITHUB_API_URL": "http://127.0.0.1:1/api/v3", "SGM_READ_ONLY": "1"})
    assert config.github.api_url == "http://127.0.0.1:1/api/v3"
    assert config.read_only
    assert config.origins["github.api_url"] == "SGM_GITHUB_API_URL"


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALL + "kubeconfig: creds/kubeconfig\n").kubeconfig == tmp_path / "creds" / "kubeconfig"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SMALL + "gihub: {}\n", ":11: unknown key gihub\nDid you mean github?"),
        (SMALL.replace("location", "locaton", 1), ":6: unknown key stages[0].clusters[0].locaton"),
        (SMALL.replace("protected: true", "protected: perhaps"), ":8: stages[1].protected must be true or false"),
        (SMALL.replace("  url: https://github.com/acme/gitops.git", "  branch: x"), ":2: repository.url is missing"),
        (SMALL.replace("  url:", "  ulr:"), ":2: unknown key repository.ulr\nDid you mean url?"),
        (SMALL.replace("repository:", "repositry:"), ":1: unknown key repositry\nDid you mean repository?"),
        (SMALL.replace("stages:", "stagse:"), ":3: unknown key stagse\nDid you mean stages?"),
        ("", "stages is missing"),
        ("repository: {url: x}\n", "stages is missing"),
        ("stages: []\nrepository: {url: x}\n", ":1: stages: it is empty"),
        (SMALL.replace("prod-eu1", "dev-eu1"), "dev-eu1 is named twice"),
        (SMALL + "layout: {values: ['../{service}.yaml']}\n", "is not a path template"),
        (SMALL + "github: {interval_seconds: 0}\n", "more than 0"),
        (SMALL + "github: {interval_seconds: soon}\n", "a number of seconds"),
        ("- a\n", "a mapping is expected"),
        ("a: [\n", ":2:"),
        (SMALL + "prometheus: {queries: {error_ration: x}}\n", "queries.error_ration\nDid you mean error_ratio?"),
        (SMALL + "github: x\n", "github must be a mapping"),
        (SMALL + "theme: 3\n", "theme must be a string"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert says in str(caught.value)
    assert str(tmp_path / "sgm.yaml") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "SGM_GITHUB_INTERVAL_SECONDS",
            "abc",
            "SGM_GITHUB_INTERVAL_SECONDS: github.interval_seconds must be",
        ),
        ("SGM_READ_ONLY", "maybe", "SGM_READ_ONLY: read_only must be true or false"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path, name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, SMALL + "github: {interval_seconds: 9}\n", {name: value})
    assert says in str(caught.value)


def test_a_user_file_of_nothing_but_comments_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sgm" / "config.yaml"
    file.parent.mkdir()
    file.write_text("# theme: light\n")
    assert load_user({"XDG_CONFIG_HOME": str(tmp_path)}).theme == ""


def test_a_checkout_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no sgm"):
        load(None, flags={"repository.url": str(tmp_path)}, environ={"XDG_CONFIG_HOME": str(tmp_path)})


def test_nothing_is_loaded_from_the_current_directory_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sgm.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no configuration found"):
        load(None, flags={}, environ={"HOME": str(tmp_path)})
    assert load(None, flags={"repository.url": "."}, environ={"HOME": str(tmp_path)}).stages


def test_without_a_user_file_there_are_defaults(tmp_path: Path) -> None:
    assert load_user({"HOME": str(tmp_path)}).theme == ""


def test_the_documented_examples_load(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    team, user = (block.partition("```")[0] for block in text.split("```yaml\n")[1:3])
    file = tmp_path / "xdg" / "sgm" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(user)
    config = loaded(tmp_path, team, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    assert config.github.auto_merge == ("dev",)
    assert config.clusters[1].context.startswith("arn:aws")
    assert config.keymap == {"promote": "P"}
    assert config.read_only


def test_a_team_file_in_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(SMALL), daemon=True)
    writer.start()
    arguments = argparse.Namespace(config=pipe, repo="")
    assert find_last_seen_file(arguments, {"HOME": str(tmp_path)}) is None
    assert load(pipe, flags={}, environ={"HOME": str(tmp_path)}).stages
    writer.join(10)


def test_a_team_file_without_an_end_is_refused(tmp_path: Path) -> None:
    arguments = argparse.Namespace(config=Path("/dev/zero"), repo="")
    assert find_last_seen_file(arguments, {"HOME": str(tmp_path)}) is None
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        load(Path("/dev/zero"), flags={}, environ={"HOME": str(tmp_path)})


def test_a_team_file_that_unfolds_without_measure_is_refused(tmp_path: Path) -> None:
    bomb = "b0: &b0 {x: 1}\n"
    bomb += "".join(f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 10)}]}}\n" for n in range(1, 10))
    (tmp_path / "sgm.yaml").write_text(bomb, encoding="utf-8")
    with pytest.raises(ConfigError, match="unfolds to more than"):
        mapping_of(tmp_path / "sgm.yaml")
