"""The selected cell in full: desired in git, synced by Argo CD, its rollout, and what is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgm_tui.fleet.ages import age
from sgm_tui.fleet.cell import Cell, Journey, Verdict
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.ui.present.ages import ago
from sgm_tui.ui.present.fit import Loose, settled
from sgm_tui.ui.present.glyphs import ALERT, ARROW, JOURNEY, WAITING, sparkline
from sgm_tui.ui.present.pulls import is_in_doubt, readiness
from sgm_tui.ui.present.rollouts import analysis_lines, phase_lines, set_line, step_line, step_list, tag_of, weight_line
from sgm_tui.ui.present.tones import Line, Part, Tone, tone_of

if TYPE_CHECKING:
    from sgm_tui.fleet.facts import Application, PullRequest, Rollout

_SYNC = {"Synced": Tone.GOOD, "OutOfSync": Tone.ATTENTION}
_HEALTH = {
    "Healthy": Tone.GOOD,
    "Progressing": Tone.BUSY,
    "Suspended": Tone.ATTENTION,
    "Degraded": Tone.BAD,
    "Missing": Tone.BAD,
}
_LABEL = 9


@dataclass(frozen=True, slots=True)
class Section:
    """One of the four states of a cell."""

    title: str
    lines: tuple[Line | Loose, ...]

    def shown(self, width: int, spare: int) -> tuple[Line, ...]:
        """Return its title and its lines in `width` cells; long lines wrap as long as `spare` lines remain."""
        return (((self.title, Tone.TITLE),), *settled(self.lines, width, spare))


def heading(cell: Cell, snapshot: FleetSnapshot) -> Line:
    """Return which cell it is, where its change is, since when, and why."""
    key, tone = cell.key, tone_of(cell)
    stage = snapshot.fleet.stage(key.stage)
    place = Tone.PROTECTED if stage and stage.protected else Tone.STRONG
    return (
        (f" {key.service} ", Tone.STRONG),
        (f"{key.cluster}", place),
        ("  ", Tone.TEXT),
        (f"{_sign(cell)} {cell.journey.value}", tone if tone is not Tone.QUIET else Tone.GOOD),
        (f" {age(snapshot.generated_at - cell.since)}", Tone.QUIET),
        (_not_responding(cell, snapshot), Tone.UNKNOWN),
        (_firing(cell), Tone.ATTENTION),
        (f"  {cell.reason}" if cell.reason else "", Tone.TEXT),
    )


def _sign(cell: Cell) -> str:
    """Return the sign of its journey; the one that means "settled" is replaced where that is not so."""
    troubled = cell.verdict is Verdict.ATTENTION and cell.journey is Journey.SETTLED
    return ALERT if troubled else JOURNEY[cell.journey]


def _not_responding(cell: Cell, snapshot: FleetSnapshot) -> str:
    """Return which sources the cell depends on do not respond, unless its reason says so already."""
    silent = cell.facts.unavailable_kinds & cell.facts.stale_kinds
    if not silent or cell.journey is Journey.UNKNOWN:
        return ""
    names = ", ".join(name for name in cell.facts.stale if name.partition(" ")[0] in silent)
    return f"  ? {names} not responding for {ago(cell.facts.stale_since, snapshot.generated_at)}"


def no_cell_line(snapshot: FleetSnapshot) -> Line:
    """Return the heading where the cursor is on no cell: none is there, or no source has reported it yet."""
    if snapshot.last_seen is not None:
        return ((f" {WAITING} as last seen; not confirmed yet", Tone.UNKNOWN),)
    if not snapshot.cells:
        return ()
    if silence := "" if snapshot.revision else snapshot.silence_reason("git"):
        return ((f" {JOURNEY[Journey.UNKNOWN]} no cell is known here: {silence}", Tone.UNKNOWN),)
    return ((" no cell here", Tone.QUIET),)


def gate_hint(cell: Cell, snapshot: FleetSnapshot) -> Part:
    """Return how to resume a paused rollout: the footer of a small terminal has no room for that key."""
    waits = cell.journey is Journey.PAUSED and cell.facts.rollout is not None and not snapshot.read_only
    return ("  press g to resume" if waits else "", Tone.STRONG)


def _firing(cell: Cell) -> str:
    """Return the firing alerts by name: where there is only one line, nothing else says so."""
    names = [alert.name for alert in cell.facts.alerts if alert.state == "firing"]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"  {ALERT} {names[0]}{more}" if names else ""


def sections(
    cell: Cell, snapshot: FleetSnapshot, widths: Sequence[int], *, in_full: bool = False
) -> tuple[Section, ...]:
    """Return the four states in the order in which a change travels.

    Args:
        cell: the cell.
        snapshot: where it is from.
        widths: terminal cells for each of the four.
        in_full: one rollout step a line and every ReplicaSet, where there is room for a page.
    """
    synced, rolling = _argo_cd_lines(cell, snapshot), _rolling(cell, snapshot, widths[2], in_full=in_full)
    live = _live(cell, snapshot, widths[3])
    return (
        Section(_git_title(cell, snapshot), tuple(_desired_lines(cell, snapshot))),
        _observed("Argo CD", synced, cell, snapshot, "argocd"),
        _observed("rollout", rolling, cell, snapshot, "rollouts"),
        _observed("live", live, cell, snapshot, "rollouts", "metrics", "alerts"),
    )


def _git_title(cell: Cell, snapshot: FleetSnapshot) -> str:
    as_of = cell.facts.desired_as_of
    if "git" not in cell.facts.stale_kinds or as_of is None:
        return "desired (git)"
    return f"desired (git), as of {ago(as_of, snapshot.generated_at)} ago"


def _observed(title: str, lines: Sequence[Line | Loose], cell: Cell, snapshot: FleetSnapshot, *kinds: str) -> Section:
    """Return observed lines; if their sources no longer respond, nothing looks good."""
    if cell.facts.stale_kinds.isdisjoint(kinds):
        return Section(title, tuple(lines))
    never_seen = {health.name for health in snapshot.sources if health.seen_at is None}
    has_been_seen = any(name not in never_seen for name in cell.facts.stale if name.partition(" ")[0] in kinds)
    return Section(f"{title}, as last seen" if has_been_seen else title, tuple(map(_doubted, lines)))


def _doubted(line: Line | Loose) -> Line | Loose:
    if isinstance(line, Loose):
        return line
    return tuple((text, Tone.UNKNOWN if tone is Tone.GOOD else tone) for text, tone in line)


def _labelled(label: str, *parts: tuple[str, Tone]) -> Line:
    return ((f"{label:<{_LABEL}}", Tone.QUIET), *parts)


def _field(label: str, text: str, tone: Tone = Tone.TEXT) -> Loose:
    return Loose(_labelled(label), text, tone)


def _file(path: str, tone: Tone = Tone.TEXT) -> Loose:
    return Loose(_labelled("file"), path, tone, from_end=True)


def _desired_lines(cell: Cell, snapshot: FleetSnapshot) -> list[Line | Loose]:
    desired, now = cell.facts.desired, snapshot.generated_at
    lines: list[Line | Loose] = []
    if cell.facts.staged is not None:
        lines.append(_labelled("planned", (f"{JOURNEY[Journey.STAGED]} {cell.facts.staged}", Tone.STAGED)))
    for pending in cell.facts.pending[:3]:
        request = next((one for one in snapshot.pull_requests if one.number == pending.number), None)
        lines.append(_pending_line(pending.number, pending.version, request, snapshot))
    if desired is None:
        absent = _absent(snapshot, "git", "", "not in git", Tone.ATTENTION)
        return [*lines, absent._replace(head=_labelled("version"))]
    if desired.version is None:
        return [*lines, _field("error", desired.error, Tone.BAD), _file(desired.path)]
    lines.append(_labelled("version", (desired.version, Tone.STRONG)))
    lines.append(
        _labelled(
            "commit",
            (desired.revision[:7] or "—", Tone.TEXT),
            (f" {ago(desired.committed_at, now)}", Tone.QUIET),
        )
    )
    if desired.author:
        lines.append(_field("by", desired.author))
    if desired.subject:
        lines.append(_field("", desired.subject, Tone.QUIET))
    lines.append(_file(desired.path, Tone.QUIET))
    return lines


def _pending_line(number: int, version: str, request: PullRequest | None, snapshot: FleetSnapshot) -> Line:
    in_doubt = request is not None and is_in_doubt(request, snapshot)
    state = readiness(request, in_doubt=in_doubt) if request else ("open", Tone.STAGED)
    return _labelled("proposed", (f"{version} #{number} ", Tone.STAGED), state)


def _argo_cd_lines(cell: Cell, snapshot: FleetSnapshot) -> list[Line | Loose]:
    application, now = cell.facts.application, snapshot.generated_at
    if application is None:
        return [_absent(snapshot, "argocd", "", "no Application here")]
    health = (application.health or "unknown", _HEALTH.get(application.health, Tone.UNKNOWN))
    lines: list[Line | Loose] = [
        _labelled(
            "sync",
            (application.sync or "not compared", _SYNC.get(application.sync, Tone.UNKNOWN)),
            ("  auto" if application.auto_sync else "  manual", Tone.QUIET),
        ),
        _labelled("health", health),
        *([_field("", application.health_message)] if application.health_message else []),
        _labelled(
            "applied",
            (application.deployed_revision[:7] or "—", Tone.TEXT),
            (f" {ago(application.deployed_at, now)}", Tone.QUIET),
        ),
    ]
    if application.differing:
        more = ", …" if application.differing_count > len(application.differing) else ""
        names = f"{application.differing_count}: {', '.join(application.differing)}{more}"
        lines.append(_field("differs", names, Tone.ATTENTION))
    lines.extend(_operation(application, snapshot))
    lines.extend(
        _field(
            "error" if condition.is_error else "note",
            f"{condition.type}: {condition.message}",
            Tone.BAD if condition.is_error else Tone.ATTENTION,
        )
        for condition in application.conditions[:4]
    )
    return lines


def _absent(snapshot: FleetSnapshot, kind: str, scope: str, nothing: str, tone: Tone = Tone.QUIET) -> Loose:
    """Return why something is missing: not configured, not asked yet, or really not there."""
    sources = [one for one in snapshot.sources if one.source.kind == kind and scope in {"", one.source.scope}]
    if sources and all(one.state == "off" for one in sources):
        return _field("", f"off: {sources[0].reason}", Tone.QUIET)
    never = next((one for one in sources if one.seen_at is None and one.state in {"stale", "waiting"}), None)
    if never is not None:
        return _field("", f"not yet known: {never.source.scope or never.name} has not answered", Tone.UNKNOWN)
    return _field("", nothing, tone)


def _operation(application: Application, snapshot: FleetSnapshot) -> list[Line | Loose]:
    operation = application.operation
    if operation is None or (operation.phase == "Succeeded" and not application.is_operating):
        return []
    tone = Tone.BAD if operation.failing else Tone.BUSY
    tries = f" {operation.attempt}" if operation.retry_count else ""
    since = ago(operation.finished_at or operation.started_at, snapshot.generated_at)
    lines: list[Line | Loose] = [
        _labelled("operation", (operation.phase or "requested", tone), (f"{tries} {since}", Tone.QUIET))
    ]
    if operation.message:
        lines.append(_field("", operation.message, tone if operation.failing else Tone.QUIET))
    return lines


def _rolling(cell: Cell, snapshot: FleetSnapshot, width: int, *, in_full: bool) -> list[Line | Loose]:
    rollout = cell.facts.rollout
    if rollout is None:
        return [_absent(snapshot, "rollouts", cell.key.cluster, "no Rollout here")]
    lines: list[Line | Loose] = [*phase_lines(rollout, width)]
    if rollout.new_version is not None or rollout.phase != "Healthy":
        if rollout.new_version is not None:
            moves = f"{rollout.stable_version or '?'} {ARROW} {rollout.new_version}"
            lines.append(((moves, Tone.STRONG),))
        lines.append(weight_line(rollout, min(24, width - 14)))
    if rollout.pause_error:
        lines.append(_field("error", rollout.pause_error, Tone.BAD))
    elif rollout.paused_since is not None:
        waited, timed = ago(rollout.paused_since, snapshot.generated_at), rollout.pause_seconds is not None
        length = f" of {rollout.pause_seconds:.0f}s" if timed else ", waiting for manual approval"
        lines.append(((f"paused {waited}{length}", Tone.BUSY if timed else Tone.ATTENTION),))
    if in_full:
        lines.extend(step_list(rollout))
    elif rollout.canary_steps and rollout.new_version is not None:
        lines.append(step_line(rollout, width))
    lines.extend(_analysis(rollout, snapshot, width, in_full=in_full))
    sets = [one for one in rollout.replica_sets if in_full or one.desired or one.current]
    lines.extend(set_line(one, tag_of(one.images[0]) if one.images else "?") for one in sets)
    return lines


def _analysis(rollout: Rollout, snapshot: FleetSnapshot, width: int, *, in_full: bool) -> list[Line]:
    """Return the runs of the newest revision that has any; all of them on a page."""
    newest = max((run.revision for run in rollout.analysis_runs), default=0)
    shown = [run for run in rollout.analysis_runs if in_full or run.revision == newest]
    if not in_full and rollout.phase == "Healthy" and rollout.new_version is None:
        return []
    now, current = snapshot.generated_at, rollout.current_hash
    return [line for run in shown[-6:] for line in analysis_lines(run, now, width, current)]


def _live(cell: Cell, snapshot: FleetSnapshot, width: int) -> list[Line | Loose]:
    facts = cell.facts
    lines: list[Line | Loose] = []
    if facts.rollout is not None:
        running = facts.rollout.live_version or "—"
        lines.append(_labelled("version", (running, Tone.STRONG)))
        ready = facts.rollout.ready >= facts.rollout.desired
        scaling = f"  of {facts.scaling.minimum}–{facts.scaling.maximum}" if facts.scaling else ""
        lines.append(
            _labelled(
                "pods",
                (f"{facts.rollout.ready}/{facts.rollout.desired} ready", Tone.TEXT if ready else Tone.ATTENTION),
                (scaling, Tone.QUIET),
                ("  at its maximum" if facts.scaling and facts.scaling.maxed else "", Tone.ATTENTION),
            )
        )
    if facts.scaling is not None and facts.scaling.trouble:
        lines.append(_field("scaling", facts.scaling.trouble, Tone.ATTENTION))
    lines.extend(_metrics(cell, snapshot, width))
    for alert in facts.alerts[:4]:
        tone = Tone.ATTENTION if alert.state == "firing" else Tone.BUSY
        since = ago(alert.since, snapshot.generated_at)
        text = f"{alert.name} {alert.severity} {alert.state} {since}  {alert.summary}"
        lines.append(Loose(((f"{ALERT} ", tone),), text, tone))
    lines.extend(Loose((("not responding: ", Tone.UNKNOWN),), name, Tone.UNKNOWN) for name in facts.stale)
    return lines or [_field("", "unknown: no source has answered", Tone.UNKNOWN)]


def _metrics(cell: Cell, snapshot: FleetSnapshot, width: int) -> list[Line | Loose]:
    metrics = cell.facts.metrics
    if metrics is None:
        return [_absent(snapshot, "metrics", cell.key.cluster, "no data")._replace(head=_labelled("metrics"))]
    rate, errors, latency = metrics.requests_per_second, metrics.error_ratio, metrics.latency_p99_seconds
    trend = sparkline(metrics.trend, max(8, min(24, width - _LABEL - 12)))
    return [
        _labelled("requests", (f"{rate:.1f}/s " if rate is not None else "no data ", Tone.TEXT), (trend, Tone.BUSY)),
        _labelled(
            "errors",
            (
                f"{errors:.2%}" if errors is not None else "no data",
                Tone.TEXT if not errors or errors < 0.01 else Tone.BAD,
            ),
            ("   p99 ", Tone.QUIET),
            (f"{latency * 1000:.0f} ms" if latency is not None else "no data", Tone.TEXT),
        ),
    ]
