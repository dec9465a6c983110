"""`sgm lint` as people and CI run it: arguments, exit codes, what goes where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lint_repository import DEV, FILES

from sgm_tui.cli import main
from sgm_tui.resources import gitops_repository


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository without a mistake in the folder `platform` of a git repository."""
    root = tmp_path / "mono" / "platform"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (tmp_path / "mono" / ".git").mkdir()
    return root


def spoil(root: Path, old: str = "tag: v1.4.2", new: str = "tag: latest") -> None:
    """Put one mistake into the values of dev."""
    file = root / DEV
    file.write_text(file.read_text().replace(old, new))


def test_the_bundled_repository_passes_in_a_process_of_its_own(tmp_path: Path) -> None:
    root = shutil.copytree(gitops_repository(), tmp_path / "gitops")
    environ = {**os.environ, "SGM_LAYOUT_IMAGE_KEY": "nothing.of.this", "XDG_CONFIG_HOME": str(tmp_path)}
    argv = [sys.executable, "-m", "sgm_tui", "lint", "--strict"]
    clean = subprocess.run(argv, cwd=root / "dev", env=environ, capture_output=True, text=True, check=False)
    assert (clean.returncode, clean.stderr) == (0, "")
    assert clean.stdout.startswith("Nothing wrong in 1")
    (root / "staging/app-service/cart/values.yaml").write_text("image:\n  tag: 1.10\n")
    spoiled = subprocess.run(argv, cwd=root, env=environ, capture_output=True, text=True, check=False)
    assert (spoiled.returncode, spoiled.stderr) == (1, "")
    assert "2:8  error    1.10 is a number to YAML and becomes 1.1  [version-not-a-string]" in spoiled.stdout
    assert spoiled.stdout.endswith(" files.\n")


def test_an_error_is_the_answer_no_and_a_warning_only_when_strict(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", str(checkout)]) == 0
    spoil(checkout, "team: shop", "team: pay")
    assert main(["lint", str(checkout)]) == 0
    assert main(["lint", str(checkout), "--strict"]) == 1
    assert main(["lint", str(checkout), "--strict", "--ignore", "stage-drift"]) == 0
    spoil(checkout)
    assert main(["lint", str(checkout)]) == 1
    assert main(["lint", str(checkout), "--rule", "stage-drift"]) == 0
    assert "1 warning in 13 files." in capsys.readouterr().out


@pytest.mark.parametrize("where", ["argument", "repo", "here"])
def test_the_repository_is_named_or_around_the_current_directory(
    checkout: Path, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(checkout)
    monkeypatch.chdir(checkout / "dev" if where == "here" else "/")
    argv = {"argument": ["lint", str(checkout)], "repo": ["--repo", str(checkout), "lint"], "here": ["lint"]}
    assert main([*argv[where], "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["path"] == DEV


def test_paths_lead_there_for_people_and_count_from_the_root_of_git_for_github(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(checkout)
    monkeypatch.chdir(checkout.parent.parent)
    main(["lint", str(checkout)])
    assert capsys.readouterr().out.startswith(f"mono/platform/{DEV}\n")
    main(["lint", str(checkout), "-o", "github"])
    assert capsys.readouterr().out.startswith(f"::error file=platform/{DEV},line=4,")
    main(["lint", str(checkout), "-o", "sarif"])
    assert f'"uri": "platform/{DEV}"' in capsys.readouterr().out


def test_nothing_to_annotate_prints_nothing(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(checkout), "-o", "github"]) == 0
    assert capsys.readouterr().out == ""


def test_what_was_skipped_is_said_only_when_asked(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "CODEOWNERS").unlink()
    assert main(["lint", str(checkout)]) == 0
    assert capsys.readouterr().err == ""
    assert main(["lint", str(checkout), "--verbose"]) == 0
    assert "codeowners-gap" in (said := capsys.readouterr().err)
    assert said.endswith(": there is no CODEOWNERS\n")


def test_a_team_file_elsewhere_can_be_named(checkout: Path, tmp_path: Path) -> None:
    (checkout / "sgm.yaml").rename(tmp_path / "team.yaml")
    assert main(["lint", str(checkout)]) == 2
    assert main(["lint", str(checkout), "--config", str(tmp_path / "team.yaml")]) == 0


def test_a_layout_that_counts_from_the_root_of_git_is_followed(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    team = checkout / "sgm.yaml"
    team.write_text(team.read_text().replace('"{stage}/', '"platform/{stage}/'))
    for path in ("argocd/app.yaml", "CODEOWNERS"):
        text = (checkout / path).read_text()
        for old in ("dev/", "prod/", "charts/"):
            text = text.replace(f" {old}", f" platform/{old}").replace(f'"{old}', f'"platform/{old}')
        (checkout / path).write_text(text)
    assert main(["lint", str(checkout), "--strict"]) == 0
    spoil(checkout)
    team.write_text(team.read_text() + "stagse: []\n")
    assert main(["lint", str(checkout), "-o", "json"]) == 1
    spoilt = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert [one["path"] for one in spoilt["findings"]] == ["sgm.yaml"]
    team.write_text(team.read_text().replace("stagse: []\n", ""))
    assert main(["lint", str(checkout), "-o", "github"]) == 1
    assert f"file=platform/{DEV},line=4" in capsys.readouterr().out


def test_a_broken_sgm_yaml_is_a_finding(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "sgm.yaml").write_text(FILES["sgm.yaml"] + "stagse: []\n")
    assert main(["lint", str(checkout), "-o", "json"]) == 1
    (one,) = json.loads(capsys.readouterr().out)["findings"]
    assert (one["rule"], one["path"], one["line"]) == ("config", "sgm.yaml", 15)


WRONG = {
    "no folder": (["lint", "/nowhere"], "is not a directory"),
    "no sgm.yaml": (["lint", "/usr"], "has no sgm.yaml"),
    "nothing around": (["lint"], "no sgm.yaml in / or above"),
    "a URL": (["--repo", "https://github.com/acme/gitops", "lint"], "Clone it"),
    "unknown rule": (["lint", "--rule", "version-mutabel"], "Did you mean version-mutable?"),
    "unknown rule to ignore": (["lint", "--ignore", "x"], "there is no rule x"),
    "unknown format": (["lint", "-o", "xml"], "invalid choice"),
}


@pytest.mark.parametrize(("argv", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_exits_2_and_says_what_to_do(
    argv: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("/")
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err


def test_the_applications_a_repository_yields_are_listed_for_people_and_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundled = str(gitops_repository())
    assert main(["lint", bundled, "--applications"]) == 0
    head, *rows = capsys.readouterr().out.split("\n\n", 1)[1].splitlines()
    assert head.split() == ["APPLICATION", "PROJECT", "CLUSTER", "NAMESPACE", "MADE", "BY"]
    assert ["prod-eu1-cart", "acme", "prod-eu1", "app-cart", "app-service"] in [row.split() for row in rows]
    assert main(["lint", bundled, "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["applications"]
    assert len(listed) == len(rows)
    one = next(found for found in listed if found["name"] == "prod-eu1-cart")
    assert (one["project"], one["cluster"], one["applicationset"]) == ("acme", "prod-eu1", "app-service")
    assert one["path"] == "argocd/applicationsets/app-service.yaml"
