"""A report of a defect: found again by its owner, read by nobody else, and without a secret."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sgm_tui import cli
from sgm_tui.crash import one_line, write_report
from sgm_tui.errors import UnreachableError
from sgm_tui.redaction import redact
from sgm_tui.untrusted_text import clean

SECRETS = [
    "ghp_" + "a" * 36,
    "github_pat_" + "b" * 30,
    "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "Bearer abc.def-ghi",
    "https://mia:hunter2@github.com/acme/gitops",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "password=hunter2",
    "https://mia:x@hunter2@github.com/acme/gitops",
    "https://host/x?private_token=hunter2&page=2",
    "https://host/x?X-Amz-Signature=hunter2",
    "api-key=hunter2",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_taken_out(secret: str) -> None:
    told = redact(f"before {secret} after", {})
    assert "***" in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    for part in ("hunter2", "MIIE", "abc.def", "a" * 36, "b" * 30, "c2lnbmF0"):
        assert part not in told


@pytest.mark.parametrize("text", ["sort=key", "tokens: 3", "monkey=banana", "authors=mia", "https://host/a@b?page=2"])
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert redact(text, {}) == text


def test_the_values_of_secret_variables_are_taken_out_and_others_stay() -> None:
    environ = {"GH_TOKEN": "plain-words", "HOME": "/home/mia", "API_KEY": "x"}
    assert redact("plain-words in /home/mia x", environ) == "*** in /home/mia x"


def test_a_report_is_for_its_owner_alone(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path), "GH_TOKEN": "plain-words"}
    file = write_report(RuntimeError("near plain-words"), "1.0", environ)
    assert file.parent == tmp_path / "sgm" / "reports"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "RuntimeError: near ***" in file.read_text(encoding="utf-8")


def test_a_report_has_every_cause_context_and_member_of_a_group(tmp_path: Path) -> None:
    def fail() -> None:
        try:
            try:
                raise KeyError("the context, token=hunter2")
            finally:
                int("the cause")
        except ValueError as cause:
            raise ExceptionGroup("group", [OSError("first"), *(RuntimeError(str(at)) for at in range(30))]) from cause

    with pytest.raises(ExceptionGroup) as caught:
        fail()
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    told = write_report(caught.value, "1.0", environ).read_text(encoding="utf-8")
    for part in ("KeyError: 'the context", "ValueError: invalid", "OSError: first", "RuntimeError: 29"):
        assert part in told
    assert "hunter2" not in told
    assert one_line(caught.value, {}) == "OSError: first"
    assert write_report(caught.value, "1.0", environ) != write_report(caught.value, "1.0", environ)


def test_no_place_for_a_report_is_an_error_to_tell(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_report(RuntimeError(), "1.0", {"SGM_STATE_DIRECTORY": str(tmp_path / "file")})


@pytest.mark.parametrize("secret", SECRETS)
def test_no_error_repeats_a_secret(secret: str) -> None:
    error = UnreachableError(f"GET {secret} failed", f"Look at {secret}")
    for part in ("hunter2", "MIIE", "abc.def", "a" * 36, "b" * 30, "c2lnbmF0"):
        assert part not in f"{error} {error.sentence} {error.args}"


def test_the_log_repeats_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", "plain-words")
    file = tmp_path / "log"
    assert cli.main(["--log-file", str(file), "help", "status"]) == 0
    logging.getLogger("sgm").error("%s said %s", "https://mia:hunter2@host/", "plain-words")
    logging.shutdown()
    assert "https://***@host/ said ***" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


def test_foreign_text_shows_no_password_of_a_url_wherever_it_is_cut() -> None:
    for before in range(240, 260):
        assert "hunter2" not in clean("x" * before + " https://mia:hunter2@host/path")
