"""How findings are printed: for people, as JSON, as SARIF, as GitHub's annotations; and what ships lints clean."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lint_repository import DEV, FILES, PROD_1, VALUES, changed, report

from sgm_tui.config.file import load
from sgm_tui.lint import render
from sgm_tui.lint.catalogue import RULES
from sgm_tui.lint.checkout import read_checkout
from sgm_tui.lint.findings import Report, make_finding
from sgm_tui.lint.run import lint
from sgm_tui.lint.sarif import format_sarif
from sgm_tui.resources import gitops_repository
from sgm_tui.yaml_reader.marked import Place

DOCS = Path(__file__).parents[2] / "docs" / "lint.md"

LEVEL = {"enum": ["none", "note", "warning", "error"]}

# What code scanning asks of a log (SARIF 2.1.0 and GitHub's own list of required properties).
SARIF = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "items": {
                                            "required": ["id", "shortDescription", "fullDescription", "help"],
                                            "properties": {
                                                "defaultConfiguration": {
                                                    "properties": {
                                                        "level": {"enum": ["none", "note", "warning", "error"]}
                                                    }
                                                },
                                                "help": {"required": ["text"]},
                                            },
                                        }
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["ruleId", "level", "message", "locations", "partialFingerprints"],
                            "properties": {
                                "level": LEVEL,
                                "message": {"required": ["text"]},
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {"uri": {"pattern": "^[^/:]+(/[^/]+)*$"}}
                                                    },
                                                    "region": {
                                                        "required": ["startLine"],
                                                        "properties": {
                                                            "startLine": {"minimum": 1},
                                                            "startColumn": {"minimum": 1},
                                                        },
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}


@pytest.fixture
def broken(tmp_path: Path) -> Report:
    """A report with an error, two of one rule, a warning and a note."""
    files = changed(DEV, "tag: v1.4.2", "tag: latest") | {PROD_1: VALUES.replace("v1.4.2", "main")}
    files |= {"qa/app/cart/values.yaml": VALUES, "dev/app/pay/values.yaml": VALUES}
    return report(tmp_path, files)


def test_findings_are_grouped_by_file_with_the_reason_once_and_a_count_at_the_end(broken: Report) -> None:
    assert render.format_text(broken).splitlines() == [
        DEV,
        "  4:8  error    latest is a name that moves  [version-mutable]",
        "                Two pods of one release can run different code, and there is nothing to go back to. Write a",
        "                version that never moves, like v1.4.2, or a digest.",
        "",
        "dev/app/pay/values.yaml",
        "  1:1  note     pay is not in prod  [service-gap]",
        "                It cannot be promoted to where it has no values file. Add the missing values file, unless it",
        "                is meant to be so.",
        "",
        PROD_1,
        "  4:8  error    main is a name that moves  [version-mutable]",
        "                Write a version that never moves, like v1.4.2, or a digest.",
        "",
        "qa/app/cart/values.yaml",
        "  1:1  warning  there is no stage qa: a values file under qa/  [layout-unknown-stage]",
        "                sgm does not see them: their versions are neither shown nor promoted. List the stage under",
        "                stages in sgm.yaml, or remove the folder.",
        "",
        "2 errors, 1 warning, 1 note in 15 files.",
    ]


def test_paths_lead_there_from_where_people_are(broken: Report) -> None:
    assert render.format_text(broken, "platform/").startswith(f"platform/{DEV}\n")


def test_notes_that_repeat_themselves_are_counted_unless_asked_for() -> None:
    notes = tuple(make_finding("service-gap", Place(f"{number}.yaml"), "x") for number in range(8))
    whole = Report((*notes, make_finding("config", Place("sgm.yaml"), "y")), (), 9)
    calm = render.format_text(whole).splitlines()
    assert calm[-4:] == [
        "",
        "3 more notes [service-gap]: sgm lint --rule service-gap",
        "",
        "1 error, 8 notes in 9 files.",
    ]
    assert "4.yaml" in calm
    assert "5.yaml" not in calm
    assert "7.yaml" in render.format_text(whole, every_note=True).splitlines()


def test_nothing_wrong_is_one_line(tmp_path: Path) -> None:
    assert render.format_text(report(tmp_path, FILES)) == f"Nothing wrong in {len(FILES)} files."


def test_the_json_document_has_every_fact_of_a_finding(broken: Report) -> None:
    whole = json.loads(render.format_json(broken))
    assert whole["schema"] == 1
    assert whole["summary"] == {"errors": 2, "warnings": 1, "notes": 1}
    assert whole["findings"][0] == {
        "rule": "version-mutable",
        "severity": "error",
        "path": DEV,
        "line": 4,
        "column": 8,
        "message": "latest is a name that moves",
        "why": "Two pods of one release can run different code, and there is nothing to go back to.",
        "fix": "Write a version that never moves, like v1.4.2, or a digest.",
        "applications": [],
        "related": [],
    }
    assert whole["skipped"] == []


def test_sarif_has_what_code_scanning_asks_for(broken: Report) -> None:
    log: dict[str, Any] = json.loads(format_sarif(broken, "platform/"))
    jsonschema.validate(log, SARIF)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [one["ruleId"] for one in run["results"]]
    first = run["results"][0]["locations"][0]["physicalLocation"]
    assert first == {
        "artifactLocation": {"uri": f"platform/{DEV}"},
        "region": {"startLine": 4, "startColumn": 8},
    }


def fingerprints(one: Report) -> list[str]:
    """The fingerprints of a SARIF log."""
    return [
        result["partialFingerprints"]["sgmLint/v1"] for result in json.loads(format_sarif(one))["runs"][0]["results"]
    ]


def test_a_finding_keeps_its_fingerprint_when_lines_move_and_no_two_are_alike(tmp_path: Path) -> None:
    before = fingerprints(report(tmp_path, changed(DEV, "tag: v1.4.2", "tag: latest")))
    after = fingerprints(report(tmp_path, changed(DEV, "  tag: v1.4.2", "  # a comment\n  tag: latest")))
    assert before == after
    twice = fingerprints(
        Report((make_finding("config", Place("a"), "x"), make_finding("config", Place("a", 2), "x")), (), 1)
    )
    assert len(set(twice)) == 2


def test_sarif_paths_are_uris() -> None:
    log = json.loads(format_sarif(Report((make_finding("config", Place("a b/ü#.yaml"), "x"),), (), 1)))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/%C3%BC%23.yaml"


def test_a_file_name_that_is_no_text_can_be_printed_in_every_form() -> None:
    whole = Report((make_finding("config", Place("\udcff\x1b.yaml"), "x"),), (), 1)
    for printed in (
        render.format_text(whole),
        render.format_json(whole),
        render.format_github(whole),
        format_sarif(whole),
    ):
        assert "\x1b" not in printed
        printed.encode()
    assert '"uri": "%FF%1B.yaml"' in format_sarif(whole)


def test_github_annotations_name_file_line_and_rule(broken: Report) -> None:
    lines = render.format_github(broken, "platform/").splitlines()
    assert lines[0].startswith(
        f"::error file=platform/{DEV},line=4,col=8,title=version-mutable::latest is a name that moves. Two pods"
    )
    assert [line.split(" ")[0] for line in lines] == ["::error", "::notice", "::error", "::warning"]


def test_github_annotations_escape_what_github_would_read() -> None:
    one = make_finding("config", Place("a:b,c%d.yaml", 3, 2), "100% of\r\n::error::it", "do: a, b")
    line = render.format_github(Report((one,), (), 1))
    assert line.startswith("::error file=a%3Ab%2Cc%25d.yaml,line=3,col=2,title=config::100%25 of")
    assert "\n" not in line
    assert line.endswith("do: a, b")
    assert render._escape("%\r\n:,") == "%25%0D%0A:,"
    assert render._escape("%\r\n:,", ":,") == "%25%0D%0A%3A%2C"


def test_the_bundled_repository_lints_clean_and_every_rule_has_something_to_look_at() -> None:
    root = gitops_repository()
    whole = lint(read_checkout(root), load(root / "sgm.yaml", flags={}, environ={"XDG_CONFIG_HOME": "/nonexistent"}))
    assert whole.findings == ()
    assert whole.skipped == ()
    assert whole.files > 100


def test_every_rule_is_documented_with_its_severity_its_reason_and_its_fix() -> None:
    text = DOCS.read_text(encoding="utf-8")
    documented = dict(re.findall(r"^### `([a-z-]+)` · (\w+)$", text, re.MULTILINE))
    assert documented == {rule.id: rule.severity for rule in RULES}
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    for section in sections:
        assert "**Why:**" in section
        assert "**Fix:**" in section


def test_rule_ids_are_unique_and_plain() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one) for one in ids)


def test_a_checkout_on_disk_leaves_out_git_links_and_repositories_inside_it(tmp_path: Path) -> None:
    for path in (".git/config", "a/values.yaml", "inner/.git/HEAD", "inner/x.yaml", "node_modules/x.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x: 1\n")
    (tmp_path / "link.yaml").symlink_to("/etc/hostname")
    checkout = read_checkout(tmp_path)
    assert list(checkout.files) == ["a/values.yaml"]
    assert checkout.links == {"link.yaml"}
    assert checkout.files["a/values.yaml"] == b"x: 1\n"
    assert checkout.files.get("link.yaml") is None
