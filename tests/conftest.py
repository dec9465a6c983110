"""For every test: where goldens live, a neutral environment, idle that means idle, and which tests are slow."""

from __future__ import annotations

import gc
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_textual_snapshot
import textual.app
import textual.pilot
from idle import wait_until_idle
from prepared import Prepared
from syrupy.location import PyTestLocation

HERE = Path(__file__).parent
SNAPSHOTS = HERE.parent / "snapshots"
SLOW = frozenset(
    {
        "commands/test_silence.py",
        "forge/test_closed_again.py",
        "forge/test_consent.py",
        "forge/test_github.py",
        "forge/test_github_limits.py",
        "forge/test_merging.py",
        "forge/test_one_change_once.py",
        "forge/test_strange_answers.py",
        "forge/test_supersede.py",
        "gitops/test_edit_generated.py",
        "gitops/test_edits.py",
        "gitops/test_git_history.py",
        "gitops/test_unrelated_changes.py",
        "live/test_hostile_servers.py",
        "live/test_watch_http.py",
        "operations/test_killed_writes.py",
        "operations/test_live_projects.py",
        "operations/test_many_writers.py",
        "operations/test_promoter.py",
        "operations/test_recovery.py",
        "operations/test_revert_scope.py",
        "operations/test_reverter.py",
        "sandbox/kubernetes/test_kube_clients.py",
        "sandbox/prometheus/test_prometheus_api.py",
        "sandbox/test_render.py",
        "sandbox/test_server.py",
        "sandbox/test_world.py",
        "test_supervision.py",
        "transport/test_blocking.py",
        "ui/test_acting.py",
        "ui/test_contrast.py",
        "ui/test_fleet_screen.py",
        "ui/test_hostile_promotion.py",
        "ui/test_hostile_text.py",
        "ui/test_key_bar.py",
        "ui/test_leaving_screens.py",
        "ui/test_looks.py",
        "ui/test_plan_gates.py",
        "ui/test_plan_screen.py",
        "ui/test_promotion_looks.py",
        "ui/test_promotion_revert_screen.py",
        "ui/test_pulls_screen.py",
        "ui/test_random_keys.py",
        "ui/test_read_only.py",
        "ui/test_real_terminal.py",
        "ui/test_revert_screen.py",
        "ui/test_small_terminal.py",
        "ui/test_unconfirmed_fleet.py",
        "ui/test_waves_screen.py",
        "ui/test_why_screen.py",
        "yaml_reader/test_yaml_nodes.py",
    }
)
"""Modules that use more than a few seconds of processor time, as does everything in `whole`, which starts programs. A
single slow test elsewhere carries the mark itself."""
LONG_RUNNING = frozenset({"sandbox", "demo"})
"""Commands that serve a fleet until they are ended."""

hypothesis.settings.register_profile("default", max_examples=100, deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("default")  # `--hypothesis-profile=thorough` every night looks for new examples


# With it, every worker and every program that a test starts would compile the checkout anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run two tests a processor: half of what the whole suite takes is waiting for other processes.

    The quick tests wait for nothing; another worker would only collect them once more.
    """
    processors = os.cpu_count() or 1
    return processors if config.option.markexpr == "not slow" else 2 * processors


def pytest_collection_finish() -> None:
    """Keep the collector from walking the modules of hundreds of tests: it takes a quarter of the time of a screen."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, for `-m "not slow"`, and run whole programs first.

    They mostly wait for other processes; at the end nothing would be left to run meanwhile.
    """
    items.sort(key=lambda item: not item.path.relative_to(HERE).as_posix().startswith("whole/"))
    for item in items:
        module = item.path.relative_to(HERE).as_posix()
        if module in SLOW or module.startswith("whole/"):
            item.add_marker(pytest.mark.slow)


class TopLevelPicture(pytest_textual_snapshot.SVGImageExtension):
    """A golden SVG in `snapshots/<test module>/`."""

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder of one test module."""
        return str(SNAPSHOTS / test_location.basename)


@pytest.fixture(autouse=True)
def goldens_at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    """`snap_compare` looks there."""
    monkeypatch.setattr(pytest_textual_snapshot, "SVGImageExtension", TopLevelPicture)


@pytest.fixture(autouse=True)
def no_fleet_in_a_quick_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that starts programs has to be marked as slow."""
    if request.node.get_closest_marker("slow") is not None:
        return

    class Popen(subprocess.Popen[Any]):
        """Refuses to serve a fleet."""

        def __init__(self, args: Any, *more: Any, **options: Any) -> None:
            words = [args] if isinstance(args, (str, bytes, Path)) else list(args)
            if LONG_RUNNING & set(words):
                raise AssertionError(f"{words} serves a fleet: mark the test with pytest.mark.slow")
            super().__init__(args, *more, **options)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a prepared Python takes seconds to start: mark the test with pytest.mark.slow")

    monkeypatch.setattr(subprocess, "Popen", Popen)
    monkeypatch.setattr(Prepared, "__init__", refuse)


@pytest.fixture(autouse=True)
def an_idle_screen_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot waits for what the loop has to do, however slow the machine is."""
    monkeypatch.setattr(textual.pilot, "wait_for_idle", wait_until_idle)
    monkeypatch.setattr(textual.app, "wait_for_idle", wait_until_idle)


@pytest.fixture(autouse=True)
def a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No colour wishes, no animation, UTC: a picture is the same on every machine."""
    for name in ("NO_COLOR", "TEXTUAL", "TEXTUAL_THEME", "SGM_THEME", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
