"""The status as plain text stays readable whatever the fleet says of itself."""

from __future__ import annotations

from dataclasses import replace

import builders

from sgm_tui.fleet.observed import Metrics
from sgm_tui.fleet.tables import table


def test_an_absurd_number_is_told_by_its_size() -> None:
    huge = builders.cell("cart", "dev-eu1", metrics=Metrics(1e308, 1e308, 1e308))
    lines = table(builders.snapshot([huge]), wide=True).splitlines()
    assert "1.00e+308" in lines[1]
    assert max(len(line) for line in lines) < 220


def test_an_ordinary_number_is_told_with_its_digits() -> None:
    line = table(builders.snapshot([builders.cell("cart", "dev-eu1")]), wide=True).splitlines()[1]
    assert "128.4  0.07%   182ms" in line


def test_a_name_of_200_characters_leaves_the_other_columns_in_sight() -> None:
    long, short = builders.cell("x" * 200, "dev-eu1"), builders.cell("cart", "dev-eu1")
    heading, *lines = table(builders.snapshot([long, short])).splitlines()[:3]
    assert heading.index("STAGE") == 82
    assert [line[82:].split()[0] for line in lines] == ["dev", "dev"]
    assert any(line.startswith("x" * 79 + "…") for line in lines)


def test_what_a_fresh_source_does_not_tell_is_below() -> None:
    git = replace(builders.source("git"), note="not shown: UPPER")
    shown = builders.snapshot([builders.cell("cart", "dev-eu1")], sources=(git,))
    assert table(shown).splitlines()[-1] == "· git: not shown: UPPER"


def test_a_digest_stays_whole() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert digest in table(builders.snapshot([builders.cell("cart", "dev-eu1", digest)]))
