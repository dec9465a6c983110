"""What is planned for one repository is never written to another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sgm_tui.config.schema import Config, RepositoryConfig
from sgm_tui.wiring import fleet_directory


def test_every_repository_and_branch_has_a_plan_a_journal_and_marks_of_its_own(tmp_path: Path) -> None:
    one = Config(RepositoryConfig("https://github.com/acme/gitops.git"), (), state_directory=tmp_path)
    other = replace(one, repository=RepositoryConfig("https://github.com/other/gitops.git"))
    branch = replace(one, repository=replace(one.repository, branch="next"))
    assert len({fleet_directory(config) for config in (one, other, branch)}) == 3
    assert fleet_directory(one) == fleet_directory(replace(one, theme="light"))
