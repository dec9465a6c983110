"""Several `sgm` at once on one fleet, over its own protocols: one change of one cell is proposed once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared import Started, prepared_python
from test_commands import DEADLINE, Fleet

pytestmark = pytest.mark.xdist_group("commands")
OVER = ("--yes", "--override", "--reason", "a test of racing", "-o", "json")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One in which a pull request stays open for as long as a few commands take."""
    running = Fleet(tmp_path_factory.mktemp("race"), speed=1)
    yield running
    running.end()


def begin(fleet: Fleet, state: Path, *arguments: str) -> Started:
    """A command of its own machine: what it keeps is in its own folder."""
    text = Path(fleet.ready["config"]).read_text(encoding="utf-8")
    assert "state_directory: " in text
    state.mkdir(exist_ok=True)
    config = Path(fleet.ready["config"]).with_name(f"{state.name}.yaml")  # beside the token that it names
    config.write_text(text.replace("state_directory: ", f"state_directory: {state}/kept #"), encoding="utf-8")
    return prepared_python().start("--config", str(config), *arguments)


def ended(running: Started) -> tuple[int, dict[str, Any], str]:
    out, said = running.communicate(DEADLINE)
    assert "Traceback" not in said
    return running.returncode or 0, json.loads(out), said


def open_ones(fleet: Fleet, service: str) -> list[int]:
    return [one["number"] for one in fleet.json("prs", "--service", service)["pull_requests"] if one["state"] == "open"]


def versions(fleet: Fleet, service: str, cluster: str) -> list[str]:
    """Versions it could go to, other than the one it wants."""
    now = fleet.cell(service, cluster)["desired"]
    known = [one["version"] for one in fleet.json("history", service, "--stage", "prod", "--no-health")["history"]]
    return [one for one in dict.fromkeys(known) if one != now]


@pytest.mark.parametrize("machines", [1, 2])
def test_two_versions_promoted_into_one_cell_at_once_are_one_pull_request(
    fleet: Fleet, tmp_path: Path, machines: int
) -> None:
    service = ("search", "catalog")[machines - 1]
    first, second = versions(fleet, service, "prod-eu1")[:2]
    promote = ("promote", service, "--to", "prod", "--cluster", "prod-eu1", *OVER)
    running = [
        begin(fleet, tmp_path / f"state-{at % machines}", *promote, "--version", version)
        for at, version in enumerate((first, second))
    ]
    found = sorted((ended(one) for one in running), key=lambda one: one[0])
    (won, made, _), (lost, refused, said) = found
    assert (won, made["result"], lost, refused["result"]) == (0, "opened", 1, "refused"), found
    (request,) = made["pull_requests"]
    assert open_ones(fleet, service) == [request["number"]]
    assert f"#{request['number']} by operator proposes {service} {made['changes'][0]['to']} in prod-eu1" in said
    assert f"sgm/prod/{service}-{refused['changes'][0]['to']}" not in fleet.heads()


def test_what_was_opened_together_is_adopted_alone_and_waited_for(fleet: Fleet, tmp_path: Path) -> None:
    where = ("--to", "prod", "--cluster", "prod-us1")
    state = tmp_path / "state"
    code, both, _ = ended(begin(fleet, state, "promote", "checkout", "recommendations", *where, *OVER))
    assert (code, both["result"]) == (0, "opened")
    number = both["pull_requests"][0]["number"]
    more = begin(fleet, state, "promote", "checkout", *where, *OVER, "--wait")
    assert more.stderr is not None
    told = next(line for line in more.stderr if " -> " in line)
    assert "proposed" in told
    fleet.sgm("prs", "close", str(number), "--yes")
    code, alone, said = ended(more)
    assert (code, alone["result"], alone["pull_requests"]) == (1, "nothing", [])
    assert [(one["number"], one["reason"]) for one in alone["refusals"]] == [
        (number, f"#{number} by operator already proposes {both['changes'][0]['to']}")
    ]
    assert f"#{number} was closed without being merged" in said
