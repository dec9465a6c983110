"""What cells, rows and lines say, as tables: no application needed."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
from rich.cells import cell_len
from textual.color import Color

import sgm_tui.ui
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import Alert, Metrics, Operation, Rollout, Scaling
from sgm_tui.fleet.join import join
from sgm_tui.fleet.model import ClusterName, Version
from sgm_tui.report.status import report
from sgm_tui.ui import themes
from sgm_tui.ui.present.cells import cell_line, folded_line
from sgm_tui.ui.present.detail import heading, sections
from sgm_tui.ui.present.empty_matrix import describe_empty_matrix
from sgm_tui.ui.present.fit import Piece, fit, shorten_middle, wrapped
from sgm_tui.ui.present.glyphs import JOURNEY, SKEWED, AsciiTable, sparkline
from sgm_tui.ui.present.headers import band_line
from sgm_tui.ui.present.marks import NONE, Marks, distance, row_marks
from sgm_tui.ui.present.pulls import nothing_open
from sgm_tui.ui.present.rows import View, visible_services
from sgm_tui.ui.present.sources import health_line, source_line
from sgm_tui.ui.present.summary import summary
from sgm_tui.ui.present.tones import Line, Tone
from sgm_tui.ui.terminal import capabilities as terminal

RELEASE = builders.release()
CELLS = {
    "rolling": RELEASE.cells[builders.key("catalog", "staging-eu1")],
    "paused": RELEASE.cells[builders.key("checkout", "prod-eu1")],
    "failed": RELEASE.cells[builders.key("payments", "staging-eu1")],
    "proposed": RELEASE.cells[builders.key("catalog", "prod-us1")],
    "unknown": RELEASE.cells[builders.key("cart", "prod-ap1")],
    "drifted": RELEASE.cells[builders.key("reviews", "prod-us1")],
    "settled": RELEASE.cells[builders.key("cart", "prod-eu1")],
    "alert": RELEASE.cells[builders.key("gateway", "prod-us1")],
}
_FAILED = CELLS["failed"].facts
assert _FAILED.rollout is not None
CELLS["failed sync"] = builders.cell(
    "payments",
    "staging-eu1",
    "v3.9.0",
    Journey.FAILED,
    application=builders.application(builders.key("payments", "staging-eu1"), operation=Operation("Failed")),
    rollout=builders.rollout(builders.key("payments", "staging-eu1"), "v3.7.1"),
)
CELLS["failed, nothing runs"] = replace(
    CELLS["failed"], facts=replace(_FAILED, rollout=replace(_FAILED.rollout, stable_version=None))
)
CELLS["down"] = builders.cell(
    "payments",
    "staging-eu1",
    "v3.7.1",
    Journey.FAILED,
    rollout=builders.rollout(builders.key("payments", "staging-eu1"), "v3.7.1", phase="Progressing", ready=0),
)
CELLS["soaking"] = builders.cell("cart", "staging-eu1", "v2.8.0", Journey.SOAKING, since=300)
CELLS["rolling alert"] = replace(
    CELLS["rolling"], facts=replace(CELLS["rolling"].facts, alerts=CELLS["alert"].facts.alerts)
)


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("rolling", 9, "◐ v5.1.0"),
        ("rolling", 16, "v5.1.0 ◐ 2/8 10%"),
        ("rolling", 28, "v5.0.3→v5.1.0 ◐ 2/8 10% 3m"),
        ("paused", 16, "v1.4.2 ‖ 4/8 30%"),
        ("failed", 9, "✖ v3.7.1"),
        ("failed", 16, "v3.7.1 ✖ v3.8.0 "),
        ("failed", 28, "v3.7.1 ✖ v3.8.0 abort"),
        ("failed sync", 16, "v3.7.1 ✖ v3.9.0 "),
        ("failed sync", 28, "v3.7.1 ✖ v3.9.0 sync"),
        ("failed, nothing runs", 16, "✖ v3.8.0 abort"),
        ("down", 16, "v3.7.1 ✖ down"),
        ("proposed", 16, "v5.0.3 ⇡ #42"),
        ("proposed", 28, "v5.0.3 ⇡ v5.1.0 #42"),
        ("unknown", 9, "? v2.8.0"),
        ("unknown", 16, "v2.8.0 ? 42s"),
        ("drifted", 16, "v5.8.0 ≠ drift"),
        ("settled", 9, "✓ v2.8.0"),
        ("soaking", 9, "◷ v2.8.0"),
        ("soaking", 16, "v2.8.0 ◷ soak 5m"),
        ("alert", 12, "v4.3.0 ✓ ▲1"),
        ("alert", 9, "▲ v4.3.0"),
        ("rolling alert", 9, "◐▲ v5.1.0"),
    ],
)
def test_a_cell_loses_words_before_facts(name: str, width: int, shown: str) -> None:
    line = text(cell_line(CELLS[name], NONE, builders.NOW, width))
    assert line.startswith(shown)
    assert cell_len(line) == width


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_a_cell_never_leaves_its_column(cell: Cell) -> None:
    marks = Marks("↓1", skewed=True)
    widths = list(range(1, 60))
    assert [cell_len(text(cell_line(cell, marks, builders.NOW, width))) for width in widths] == widths


@pytest.mark.parametrize("harm", ["alert", "errors"])
@pytest.mark.parametrize("name", CELLS)
def test_no_progress_hides_that_a_cell_serves_badly(name: str, harm: str) -> None:
    facts = CELLS[name].facts
    harmed: dict[str, Any] = (
        {"alerts": CELLS["alert"].facts.alerts} if harm == "alert" else {"metrics": Metrics(9.0, 0.4, 0.2)}
    )
    for strategy in ("Canary", "BlueGreen"):
        rollout = replace(facts.rollout, strategy=strategy, updated=12) if facts.rollout is not None else None
        cell = replace(CELLS[name], facts=replace(facts, rollout=rollout, **harmed))
        for width in range(9, 41):
            shown = text(cell_line(cell, NONE, builders.NOW, width))
            assert "▲" in shown, (strategy, width)
            assert cell_len(shown) == width


def test_an_alert_is_seen_where_there_is_little_room() -> None:
    firing, skewed = CELLS["alert"], Marks("↓1", skewed=True)
    for width in range(9, 41):
        assert "▲" in text(cell_line(firing, skewed, builders.NOW, width)), width
    calm = [CELLS["settled"], CELLS["settled"]]
    assert text(folded_line([*calm, firing], 7)) == "✓3 ▲1  "
    assert "▲ HighErrorRatio" in text(heading(firing, RELEASE))


def test_a_quiet_cell_is_quiet_and_a_failed_one_is_not() -> None:
    quiet = {tone for part, tone in cell_line(CELLS["settled"], NONE, builders.NOW, 28) if part.strip()}
    assert quiet == {Tone.QUIET}
    assert Tone.BAD in {tone for _, tone in cell_line(CELLS["failed"], NONE, builders.NOW, 28)}


def test_every_journey_has_a_sign_of_its_own_one_cell_wide() -> None:
    assert JOURNEY.keys() == set(Journey)
    assert len(set(JOURNEY.values())) == len(Journey)
    assert {cell_len(sign) for sign in JOURNEY.values()} == {1}


RELEASES = ("v1.4.1", "v1.4.2", "v1.9.0", "v1.9.9", "v2.0.0", "v2.1.0-rc.1", "v2.1.0", "v2.4.0", "v2.7.0", "v12", "v13")


@pytest.mark.parametrize(
    ("ours", "theirs", "counted", "uncounted"),
    [
        ("v1.4.1", "v1.4.2", "↓1", "↓"),
        ("v1.9.9", "v2.0.0", "↓1", "↓"),
        ("v2.0.0", "v2.7.0", "↓3", "↓"),
        ("v1.4.1", "v2.7.0", "↓7", "↓"),
        ("v2.7.0", "v2.0.0", "↑3", "↑"),
        ("v2.1.0-rc.1", "v2.1.0", "↓1", "↓"),
        ("v2.0.0", "v2.1.0", "↓1", "↓"),
        ("v12", "v13", "↓1", "↓"),
        ("v1.4.2", "v1.4.2", "", ""),
        ("v1.5.0", "v2.7.0", "↓", "↓"),
        ("v1.10.0", "v1.9.0", "↑", "↑"),
        ("sha256:ab12", "sha256:cd34", "", ""),
        ("latest", "v1.0.0", "", ""),
        ("v12", "v2.0.0", "", ""),
    ],
)
def test_the_distance_between_versions_is_counted_in_releases(
    ours: str, theirs: str, counted: str, uncounted: str
) -> None:
    assert distance(Version(ours), Version(theirs), frozenset(map(Version, RELEASES))) == counted
    assert distance(Version(ours), Version(theirs)) == uncounted


def test_hundreds_of_releases_take_no_more_room_than_two_digits() -> None:
    many = frozenset(Version(f"v1.{minor}.0") for minor in range(500))
    assert distance(Version("v1.0.0"), Version("v1.400.0"), many) == "↓99"


def test_drift_and_skew_have_a_sign_and_a_word_each() -> None:
    assert SKEWED not in JOURNEY.values()
    assert cell_len(SKEWED) == 1
    drifted = replace(CELLS["settled"], journey=Journey.DRIFTED)
    assert SKEWED not in text(cell_line(drifted, Marks(skewed=True), builders.NOW, 28))
    skewed = text(cell_line(CELLS["settled"], Marks(skewed=True), builders.NOW, 28))
    assert SKEWED in skewed
    assert JOURNEY[Journey.DRIFTED] not in skewed


def test_a_cell_that_differs_from_its_stage_is_marked() -> None:
    cells = [
        builders.cell("cart", f"prod-{at}", version) for at, version in (("eu1", "v2"), ("us1", "v2"), ("ap1", "v1"))
    ]
    assert {name: mark.skewed for name, mark in row_marks(builders.fleet(), cells).items()} == {"prod-ap1": True}


@pytest.mark.parametrize(
    ("query", "services"),
    [
        ("checkout", ("checkout",)),
        ("chk", ("checkout",)),
        ("prod failed", ("shipping",)),
        ("STAGING failed", ("payments",)),
        ("#42", ("catalog",)),
        ("v1.4.2 paused", ("checkout",)),
        ("nothing-like-it", ()),
    ],
)
def test_every_word_must_be_true_of_one_cell(query: str, services: tuple[str, ...]) -> None:
    assert visible_services(RELEASE, View(query=query)) == services


def test_the_worst_comes_first() -> None:
    assert visible_services(RELEASE, View(worst_first=True))[:2] == ("payments", "shipping")


@pytest.mark.parametrize("width", [20, 40, 80, 110, 200])
@pytest.mark.parametrize("shown", [RELEASE, builders.calm(), builders.outage(), builders.loading()])
def test_the_two_lines_above_fill_their_width_exactly(shown: builders.FleetSnapshot, width: int) -> None:
    assert cell_len(text(summary(shown, width))) == width
    assert cell_len(text(source_line(shown, width))) <= max(width, 24)


def test_a_sparkline_is_low_when_steady_and_keeps_its_gaps() -> None:
    assert sparkline((5.0, 5.0, 5.0), 3) == "▃▃▃"
    assert sparkline((5.0, None, 5.0), 3) == "▃ ▃"
    assert sparkline((0.0, 0.0), 4) == "▁▁"
    assert sparkline((), 4) == ""


def test_fitting_drops_the_highest_rank_first() -> None:
    pieces = [Piece("a", Tone.TEXT), Piece("bb", Tone.TEXT, 1), Piece("cc", Tone.TEXT, 2)]
    assert text(fit(pieces, 7)) == "a bb cc"
    assert text(fit(pieces, 5)) == "a bb "
    assert text(fit(pieces, 2)) == "a "


def test_long_names_keep_both_ends() -> None:
    assert shorten_middle("recommendations-eu", 9) == "reco…s-eu"


@pytest.mark.parametrize("sign", [*JOURNEY.values(), *"▲↓↑→●◌○–▶·▌│─█░…▁▂▃▄▅▆▇"])
def test_every_sign_has_a_twin_in_ascii(sign: str) -> None:
    assert sign.translate(AsciiTable()).isascii()
    assert sign.translate(AsciiTable()) != "?" or sign == "?"


@pytest.mark.parametrize(
    ("environ", "unicode"),
    [
        ({}, True),
        ({"LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LC_CTYPE": "de_DE.ISO-8859-1"}, False),
    ],
    ids=str,
)
def test_the_locale_says_whether_there_is_unicode(environ: dict[str, str], unicode: bool) -> None:
    assert terminal.speaks_unicode(environ) is unicode


@pytest.mark.parametrize("theme", [theme for theme in themes.THEMES if not theme.ansi], ids=lambda theme: theme.name)
def test_every_tone_is_easy_to_read_in_every_theme(theme: themes.Theme) -> None:
    places = ("row", "cell-cursor", "band", "band-protected")
    grounds = [theme.background, theme.surface, *(theme.variables[place] for place in places)]
    for tone in Tone:
        colour = Color.parse(theme.variables[f"tone-{tone}"].split()[-1])
        for ground in grounds:
            assert contrast(colour, Color.parse(str(ground))) >= 4.5, (theme.name, tone, ground)


def test_the_theme_without_colour_has_none() -> None:
    looks = {theme for name, theme in themes.NO_COLOUR.variables.items() if name.startswith("tone-")}
    assert not any(word.startswith("#") for look in looks for word in look.split())


def contrast(one: Color, other: Color) -> float:
    """The WCAG 2 contrast ratio."""

    def luminance(colour: Color) -> float:
        channels = [part / 255 for part in colour.rgb]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_the_locked_stages_stand_apart_from_the_sources(width: int) -> None:
    for shown in (builders.release(), builders.loading(), builders.outage()):
        assert text(source_line(shown, width)).endswith("  prod locked ")


def test_the_source_line_tells_what_a_fresh_source_has_to_say() -> None:
    noted = replace(builders.source("forge"), note="the token expires in 3 d")
    shown = replace(builders.release(), sources=builders.sources(noted))
    assert "github ●▲ 4s  ▲ github: the token expires in 3 d" in text(source_line(shown, 200))


def test_the_source_line_says_why_a_source_is_stale_where_there_is_room() -> None:
    assert "prod-ap1 not responding for 42s: timed out" in text(source_line(builders.release(), 120))


GONE = [
    builders.source("rollouts", "prod-us1", "stale", 60, "prod-us1 did not answer within 5 s"),
    builders.source("scaling", "prod-us1", "stale", 60, "prod-us1 did not answer within 10 s"),
    builders.source("metrics", "prod-us1", "stale", 60, "Prometheus did not answer within 5 s (http://prometheus)"),
    builders.source("alerts", "prod-us1", "stale", 60, "Prometheus did not answer within 5 s (http://prometheus)"),
]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, " ●19 ○4  prod-us1 not responding for 1m: did not answer within 5 s  "),
        (120, "● git argocd github  ○ rollouts metrics  prod-us1 not responding for 1m: did not answer within 5 s"),
        (
            220,
            "rollouts ●●●○●  metrics ●●●○●  github ● 11s  prod-us1 not responding for 1m: did not answer within 5 s  ",
        ),
    ],
)
def test_a_cluster_that_is_gone_is_named_once_and_every_kind_keeps_its_sign(width: int, shown: str) -> None:
    line = text(source_line(replace(builders.calm(), sources=builders.sources(*GONE)), width))
    assert shown in line
    assert line.count("prod-us1") == 1
    assert cell_len(line) == width


def test_what_is_silent_beside_a_cluster_is_counted_and_called_by_its_kind() -> None:
    alone = builders.sources(GONE[2], GONE[3])
    assert "metrics prod-us1 not responding for 1m" in text(source_line(replace(builders.calm(), sources=alone), 160))
    many = builders.sources(*GONE, builders.source("forge", "", "stale", 30, "GitHub answered 502"))
    assert "prod-us1 and 1 more not responding for 1m" in text(source_line(replace(builders.calm(), sources=many), 160))


def test_one_source_has_one_name_and_a_reason_does_not_say_it_again() -> None:
    assert builders.source("forge").name == "github"
    assert GONE[0].short_reason == "did not answer within 5 s"
    assert "  did not answer within 5 s" in text(health_line(GONE[0], builders.NOW))


def test_everything_is_silent_even_where_git_is_a_local_file() -> None:
    shown = builders.outage()
    git = builders.source("git")
    local = tuple(git if one.source.kind == "git" else one for one in shown.sources)
    for width in (80, 120, 220):
        assert "all sources not responding for 1m" in text(source_line(shown, width))
        assert "all sources except git not responding for 1m" in text(source_line(replace(shown, sources=local), width))
    assert "not responding for 1m: connection refused" in text(source_line(shown, 80))


@pytest.mark.parametrize("width", range(40, 221, 7))
def test_the_source_line_fits_and_is_cut_once(width: int) -> None:
    many = [builders.source("rollouts", f"prod-r{at:02d}", "stale" if at > 9 else "fresh") for at in range(20)]
    noted = replace(builders.source("forge"), note="the token expires in 3 d")
    for sources in (builders.sources(*GONE), builders.sources(noted), (*builders.sources(), *many), ()):
        line = text(source_line(replace(builders.calm(), sources=sources), width))
        assert cell_len(line) == width
        assert "……" not in line.replace(" ", "")


def test_the_source_line_says_what_a_fresh_source_may_not_tell() -> None:
    shown = builders.calm()
    told = "no access to analysisruns"
    sources = [replace(one, note=told) if one.name == "rollouts dev-eu1" else one for one in shown.sources]
    assert f"dev-eu1: {told}" in text(source_line(replace(shown, sources=tuple(sources)), 140))


def test_every_sign_we_write_has_a_twin_in_ascii() -> None:
    table = AsciiTable()
    strange: dict[str, str] = {}
    for module in Path(sgm_tui.ui.__file__).parent.rglob("*.py"):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose)
        written = "".join(text.value for text in texts if isinstance(text.value, str))
        strange |= {sign: module.name for sign in written if not sign.isascii() and ord(sign) not in table}
    assert strange == {}


def test_a_long_message_is_told_at_its_words_in_a_few_lines() -> None:
    message = 'Metric "success-rate" assessed Failed due to failed (3) > failureLimit (2)'
    told = wrapped(message, 30, 4)
    assert " ".join(told) == message
    assert max(map(len, told)) <= 30
    assert wrapped(message, 30, 2)[-1].endswith("…")
    assert wrapped("", 30, 4) == []


def test_a_stage_keeps_its_number_and_its_most_urgent_count_however_narrow() -> None:
    counts = {Journey.FAILED: 1, Journey.ROLLING: 2, Journey.SETTLED: 9}
    for width in range(11, 40):
        line = text(band_line("staging", counts, width, number=2, protected=False))
        assert line.startswith("│ 2 sta"), line
        assert "✖1" in line
        assert cell_len(line) == width


def test_a_cluster_that_never_answered_is_not_told_as_empty() -> None:
    where = builders.key("cart", "prod-us1")
    cell = replace(builders.calm().cells[where], facts=replace(builders.calm().cells[where].facts, rollout=None))
    silent = replace(builders.source("rollouts", "prod-us1", "stale", 60, "did not answer"), seen_at=None)
    unconfigured = builders.source("argocd", "hub", "off", reason="argocd.hubs is not configured")
    shown = replace(builders.calm(), sources=builders.sources(silent, unconfigured))
    cell = replace(cell, facts=replace(cell.facts, application=None))
    _, told, rolling, _ = sections(cell, shown, (60, 60, 60, 60))
    assert text(told.shown(60, 0)[1]).strip() == "off: argocd.hubs is not configured"
    assert text(rolling.shown(60, 0)[1]).strip() == "not yet known: prod-us1 has not answered"
    _, _, rolling, _ = sections(cell, builders.calm(), (60, 60, 60, 60))
    assert text(rolling.shown(60, 0)[1]).strip() == "no Rollout here"


def test_without_github_the_list_of_pull_requests_says_how_to_have_it() -> None:
    off = builders.source("forge", state="off", reason="github.repository is not configured")
    told = [text(line) for line in nothing_open(replace(builders.calm(), sources=builders.sources(off)))]
    assert told[0].startswith("GitHub is not configured")
    assert "github.repository" in told[1]
    assert text(nothing_open(builders.calm())[0]) == "No pull request touches the fleet."


def test_while_github_is_silent_nobody_says_that_no_pull_request_is_open() -> None:
    silent = builders.source("forge", state="stale", reason="GitHub did not answer within 10 s")
    told = [text(line) for line in nothing_open(replace(builders.calm(), sources=builders.sources(silent)))]
    assert told[0].startswith("GitHub is not responding: open pull requests are unknown.")
    assert "did not answer within 10 s" in told[0]


def test_what_only_the_attention_view_hides_is_not_told_as_missing() -> None:
    lines = describe_empty_matrix(builders.calm(), View(query="gateway", attention=True))
    assert text(lines[0]) == "“gateway” needs no attention"
    assert "f shows all" in text(lines[1])
    assert "Nothing matches" in text(describe_empty_matrix(builders.calm(), View(query="zzzz", attention=True))[0])


def test_why_an_autoscaler_cannot_scale_is_told() -> None:
    cell = RELEASE.cells[builders.key("checkout", "prod-us1")]
    blind = Scaling(2, 10, 2, 2, trouble="unable to get metrics for resource cpu")
    live = sections(replace(cell, facts=replace(cell.facts, scaling=blind)), RELEASE, (60, 60, 60, 60))[3]
    assert "scaling  unable to get metrics for resource cpu" in [text(line) for line in live.shown(60, 9)]


def test_what_is_long_in_the_pane_goes_on_below_where_there_is_room_and_is_cut_where_there_is_none() -> None:
    cell = RELEASE.cells[builders.key("checkout", "prod-us1")]
    wants = sections(cell, RELEASE, (24, 24, 40, 30))[0]
    roomy = [text(line) for line in wants.shown(24, 20)]
    assert all(cell_len(line) <= 24 for line in roomy), roomy
    assert not [line for line in roomy if "…" in line]
    assert cell.facts.desired is not None
    assert "".join(line[9:] for line in roomy).endswith(cell.facts.desired.path)
    cut = [text(line) for line in wants.shown(24, 0)]
    assert len(cut) == len(wants.lines) + 1
    assert cut[-1].startswith("file     …")
    assert cut[-1].endswith("values.yaml")


TROUBLES = {
    "errors": {"metrics": Metrics(error_ratio=0.418)},
    "an alert": {"alerts": (Alert("HighErrors", "page", "firing", ClusterName("prod-eu1"), "cart"),)},
}


@pytest.mark.parametrize("facts", TROUBLES.values(), ids=TROUBLES.keys())
def test_what_serves_badly_looks_well_nowhere(facts: dict[str, Any]) -> None:
    quiet = builders.calm_cells()[builders.key("cart", "prod-eu1")]
    cell = join(replace(quiet.facts, **facts), quiet, builders.NOW)
    assert cell.journey is Journey.SETTLED
    shown = builders.snapshot([cell])
    for width in (9, 16, 28):
        line = cell_line(cell, NONE, builders.NOW, width)
        assert "▲" in text(line)
        assert Tone.GOOD not in {tone for _, tone in line}
    top = heading(cell, shown)
    assert "✓" not in text(top)
    assert Tone.GOOD not in {tone for _, tone in top}
    assert "all settled" not in text(summary(shown, 120))
    assert "▲1" in text(folded_line([cell], 20))
    (document,) = report(shown)["cells"]
    assert document["verdict"] == "attention"


def test_the_details_say_which_resources_differ_and_as_of_when_git_is() -> None:
    quiet = builders.calm_cells()[builders.key("cart", "prod-eu1")]
    application = builders.application(
        quiet.key, sync="OutOfSync", differing=("Deployment cart", "Service cart"), differing_count=7
    )
    facts = replace(quiet.facts, application=application, stale=("git",), desired_as_of=builders.ago(180))
    git, argo, rollout, live = sections(replace(quiet, facts=facts), builders.snapshot([]), (60, 60, 60, 60))
    assert git.title == "desired (git), as of 3m ago"
    assert (argo.title, rollout.title, live.title) == ("Argo CD", "rollout", "live")
    assert "7: Deployment cart, Service cart, …" in "\n".join(map(text, argo.shown(60, 9)))
    silent = replace(facts, stale=("rollouts prod-eu1",))
    titles = [one.title for one in sections(replace(quiet, facts=silent), builders.snapshot([]), (60, 60, 60, 60))]
    assert titles == ["desired (git)", "Argo CD", "rollout, as last seen", "live, as last seen"]


@pytest.mark.parametrize(
    ("rollout", "version"),
    [
        (builders.rolling(builders.key("cart", "prod-eu1"), "v1", "v2"), "v1"),
        (builders.rolling(builders.key("cart", "prod-eu1"), "v1", "v2", active_version=Version("v2")), "v2"),
        (builders.rolling(builders.key("cart", "prod-eu1"), "v1", "v2", stable_version=None), "—"),
    ],
)
def test_live_in_the_details_is_what_serves_and_never_what_is_to_come(rollout: Rollout, version: str) -> None:
    cell = builders.cell("cart", "prod-eu1", "v2", rollout=rollout)
    live = sections(cell, builders.snapshot([cell]), (40, 40, 40, 40))[3].shown(40, 0)
    assert text(live[1]).split() == ["version", version]
