"""Ordinary mistakes on the command line: one line that says what is wrong, the right exit code, never a defect."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sgm_tui import __version__, cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "99999"), "is not a port"),
        (("--port", "x"), "is not a port"),
        (("--services", "0"), "not a whole number of 1 or more"),
        (("--services", "many"), "not a whole number of 1 or more"),
        (("--speed", "fast"), "not a number greater than 0"),
        (("--speed", "inf"), "not a number greater than 0"),
    ],
)
def test_a_number_that_is_none_is_wrong_usage(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sandbox", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["sandbox", "--directory", str(tmp_path / "file" / "below")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def _prints(text: str) -> list[str]:
    imports = "import sys; from sgm_tui.cli import outcome; from sgm_tui.commands import output"
    return [sys.executable, "-c", f"{imports}; sys.exit(outcome(lambda: output.data({text!r}) or 0))"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_an_output_that_is_full_is_said_and_is_no_defect() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(_prints("v1"), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (3, 1)
    assert "cannot be written" in ran.stderr


def test_a_character_the_output_does_not_have_is_written_as_its_number() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(_prints("✓ v1"), env=environ, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "\\u2713 v1\n")


@pytest.mark.parametrize("command", ["history", "audit"])
@pytest.mark.parametrize("number", ["0", "-3", "x", "²"])
def test_so_many_is_one_or_more(command: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, f"--limit={number}"]) == 2
    assert f"{number!r} is not a whole number of 1 or more" in capsys.readouterr().err


def test_an_interrupt_before_anything_is_loaded_ends_it_without_a_word(tmp_path: Path) -> None:
    # The first thing that is loaded interrupts: as ctrl+c does that comes too early.
    (tmp_path / "argparse.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script += f"sys.path.insert(0, {str(tmp_path)!r}); from sgm_tui.start import main; main()"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, "", "")


def test_help_is_a_command_and_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help"]) == 0
    printed = capsys.readouterr().out
    assert "usage: sgm" in printed
    assert "configuration, gates" in printed
    assert cli.main(["help", "promote"]) == 0
    assert "usage: sgm promote" in capsys.readouterr().out
    assert cli.main(["help", "configuration"]) == 0
    assert capsys.readouterr().out.startswith("# Configuration")
    assert cli.main(["help", "promot"]) == 2
    assert "Did you mean promote?" in capsys.readouterr().err


def test_an_unknown_topic_lists_each_command_and_page_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "zzzz"]) == 2
    topics = capsys.readouterr().err.partition("Known: ")[2].strip().split(", ")
    assert {"lint", "sandbox", "status", "promote", "workflows"} <= set(topics)
    assert len(topics) == len(set(topics))


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_has_a_short_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([option])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"sgm {__version__}\n")


def test_a_command_without_a_terminal_names_only_options_it_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli.main(["rollout", "promote", "checkout", "--cluster", "prod-eu1"]) == 2
    assert "dry-run" not in capsys.readouterr().err
    assert cli.main(["promote", "checkout", "--to", "prod"]) == 2
    assert "--dry-run" in capsys.readouterr().err


def test_a_demo_on_a_terminal_that_only_prints_is_refused_whoever_types(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert cli.main(["demo"]) == 2
    assert "this terminal cannot show the dashboard (TERM=dumb)" in capsys.readouterr().err


def test_a_log_file_is_for_its_owner_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "sgm.log"
    before = os.umask(0)
    try:
        cli.main(["--log-file", str(log), "lint", "--config", str(tmp_path / "missing.yaml")])
    finally:
        os.umask(before)
    capsys.readouterr()
    assert oct(log.stat().st_mode & 0o777) == "0o600"


def loaded_by(*arguments: str) -> set[str]:
    """The commands whose modules `sgm` loads for these arguments."""
    program = (
        "import sys; from sgm_tui import cli; from sgm_tui.commands.table import COMMANDS, MODULES;"
        f"print('loaded:', *[name for name in COMMANDS if name != 'demo' and cli._parser({list(arguments)!r}) and"
        " f'sgm_tui.commands.{MODULES.get(name, name)}' in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(shown.stdout.partition("loaded:")[2].split())


def test_the_usage_lists_every_command_without_loading_one() -> None:
    assert cli._parser([]).format_help() == cli._parser().format_help()
    assert loaded_by() == set()
    assert loaded_by("audit") == {"audit"}


def test_a_command_is_understood_wherever_it_stands() -> None:
    arguments = ["--repo", "status", "audit", "verify"]
    assert vars(cli._parser(arguments).parse_args(arguments)).keys() == vars(cli._parser().parse_args(arguments)).keys()
