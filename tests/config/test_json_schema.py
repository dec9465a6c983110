"""The published JSON Schemas: what the declaration generates, and what sgm itself accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sgm_tui.config.file import load, load_user
from sgm_tui.config.json_schema import team_file_schema, user_file_schema
from sgm_tui.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"(?ms)^```yaml\n(.*?)^```", (ROOT / "docs/configuration.md").read_text(encoding="utf-8"))
TEAM, USER = EXAMPLES
SMALL = "repository: {url: https://git.example/acme/gitops}\nstages: [{name: dev, clusters: [{name: dev-eu1}]}]\n"


def is_accepted(schema: str, text: str) -> bool:
    """Return whether a schema accepts the text of a YAML file."""
    document: Any = yaml.safe_load(text)
    return jsonschema.Draft202012Validator(json.loads(schema)).is_valid(document)


def is_loaded(folder: Path, text: str) -> bool:
    """Return whether sgm itself accepts the text of a team file."""
    file = folder / "sgm.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load(file, flags={}, environ={"HOME": str(folder)})
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "schema"), [("sgm.schema.json", team_file_schema()), ("sgm-user.schema.json", user_file_schema())]
)
def test_the_published_schema_is_the_generated_one(name: str, schema: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == schema
    jsonschema.Draft202012Validator.check_schema(json.loads(schema))


def test_the_sample_repository_and_every_documented_example_are_accepted(tmp_path: Path) -> None:
    sample = (ROOT / "gitops-repo/sgm.yaml").read_text(encoding="utf-8")
    assert is_accepted(team_file_schema(), sample)
    assert is_accepted(team_file_schema(), TEAM)
    assert is_accepted(user_file_schema(), USER)
    assert is_loaded(tmp_path, sample)
    assert is_loaded(tmp_path, TEAM)
    (tmp_path / "sgm").mkdir()
    (tmp_path / "sgm/config.yaml").write_text(USER, encoding="utf-8")
    assert load_user({"XDG_CONFIG_HOME": str(tmp_path)}).trusted_hosts == ("git.acme.example",)


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        (SMALL, True),
        (SMALL + "github:\nlint: {exclude: }\nread_only: true\n", True),
        (SMALL.replace("url:", "ulr:"), False),
        (SMALL.replace("clusters:", "cluters:"), False),
        (SMALL + "gihub: {}\n", False),
        (SMALL + "theme: 3\n", False),
        (SMALL + "read_only: perhaps\n", False),
        (SMALL + "github: {interval_seconds: 0}\n", False),
        (SMALL + "github: {api_url: 'ssh://git.example'}\n", False),
        (SMALL + "prometheus: {queries: {error_ration: x}}\n", False),
        (SMALL + "prometheus: {headers: {X-Scope-OrgID: acme}, queries: {error_ratio: x}}\n", True),
        (SMALL + "policy: {group_by: servic}\n", False),
        (SMALL + "policy: {stages: {dev: {soak: 1d12h, waves: [[dev-eu1]], gates: {soak: block}}}}\n", True),
        (SMALL + "policy: {stages: {dev: {soak: soon}}}\n", False),
        (SMALL + "policy: {stages: {dev: {gates: {sok: block}}}}\n", False),
        (SMALL + "policy: {stages: {dev: {error_ratio_max: 2}}}\n", False),
        (SMALL + "policy: {defaults: {waves: [[dev-eu1]]}}\n", False),
        (SMALL + "policy: {defaults: {freezes: [{cron: '0 16 * * 5'}]}}\n", False),
        (SMALL + "policy: {strategies: {careful: {rollout.steps: [{setWeight: 5}]}}}\n", True),
        (SMALL.replace("stages: [", "stages: [] #"), False),
    ],
)
def test_the_schema_accepts_what_sgm_accepts(tmp_path: Path, text: str, is_valid: bool) -> None:
    assert is_accepted(team_file_schema(), text) is is_valid
    assert is_loaded(tmp_path, text) is is_valid
