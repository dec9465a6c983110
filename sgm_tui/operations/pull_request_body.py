"""The text of a pull request: what changes, how every gate stands, the evidence of that moment, and the way back.

Whatever comes from a cluster, from git or from a person is put into Markdown as plain words: it cannot break a table,
mention anybody, or end the block that machines read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from sgm_tui.config.schema import Config
from sgm_tui.fleet.ages import age
from sgm_tui.fleet.cell import Cell
from sgm_tui.fleet.gate import SIGNS, Gate, passing_gates, worst_first
from sgm_tui.fleet.markdown import markdown_text as plain
from sgm_tui.fleet.model import CellKey
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import FileEdit, Override, Superseded
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.operations.proposal import identity_of
from sgm_tui.report.status import time_text
from sgm_tui.untrusted_text import one_line

SCHEMA = 1
_FILES = 5
"""How many files are named of those that have the same owners."""


def render_body(
    edits: Sequence[FileEdit],
    gates: Sequence[Gate],
    snapshot: FleetSnapshot | None,
    config: Config,
    *,
    override: Override | None = None,
    reason: str = "",
    supersedes: Sequence[Superseded] = (),
    owners: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The whole text."""
    changes = [edit.change for edit in edits]
    parts = [_table_of_changes(changes), *_commits(edits)]
    if supersedes:
        parts.append(f"**Supersedes** {', '.join(f'#{one.number}' for one in supersedes)}")
    if reason:
        parts.append(f"**Why:** {plain(reason)}")
    parts += [*_owners(owners or {}), *_steps(edits), *_known_bad(changes)]
    if gates:
        parts.append(_gates(gates, override))
    if snapshot is not None:
        parts += [part for part in (_evidence(changes, snapshot), _links(changes, config, snapshot)) if part]
    parts += [*_speed(edits), _way_back(changes), f"<!-- sgm: {_machine(changes, gates, override)} -->"]
    return "\n\n".join(parts)


def _commits(edits: Sequence[FileEdit]) -> Iterator[str]:
    """What lies between the two versions, once for each service."""
    shown: set[tuple[str, str, str]] = set()
    for edit in edits:
        change, between = edit.change, edit.commit_range
        key = (change.service, change.from_version, change.to_version)
        if between is None or between.reason or key in shown:
            continue
        shown.add(key)
        link = f" · [compare]({between.url})" if between.url.startswith("https://") else ""
        title = f"**{plain(change.service)}** {code(change.from_version)} … {code(change.to_version)}"
        rest = between.total - len(between.commits)
        more = [f"- and {rest} more"] if rest > 0 else []
        yield "\n".join(
            [f"{title}: {between.total} commits{link}", "", *(f"- {plain(one)}" for one in between.commits), *more]
        )


def _owners(owners: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Who has to agree to which file, once for the files that have the same owners."""
    files: dict[tuple[str, ...], list[str]] = {}
    for path, names in owners.items():
        files.setdefault(tuple(names), []).append(path)
    for names, paths in files.items():
        names_text = " or ".join(map(plain, names)) if names else "no owner in CODEOWNERS"
        more = f" and {len(paths) - _FILES} more" if len(paths) > _FILES else ""
        yield f"**Owned by** {names_text}: {', '.join(map(code, paths[:_FILES]))}{more}"


def _known_bad(changes: Sequence[Change]) -> list[str]:
    """The versions that are held back from every cell once this is merged."""
    marked = dict.fromkeys((one.service, one.from_version, one.marks_bad) for one in changes if one.marks_bad)
    return [
        f"**Marked as known bad in every cell:** {plain(service)} {code(version)}: {plain(why)}"
        for service, version, why in marked
    ]


def code(text: str) -> str:
    """A value as Markdown code."""
    words = one_line(text)
    for sign, twin in (("`", "ˋ"), ("|", "¦"), ("-->", "--›"), ("@", "＠")):
        words = words.replace(sign, twin)
    return f"`{words}`"


def _table_of_changes(changes: Sequence[Change]) -> str:
    rows = [
        f"| {plain(one.service)} | {plain(one.place)} | {code(one.from_version)} | {code(one.to_version)} "
        f"| {plain(one.strategy) or '·'} | {code(one.path)} |"
        for one in changes
    ]
    return "\n".join(["| service | where | from | to | strategy | file |", "|---|---|---|---|---|---|", *rows])


def _gates(gates: Sequence[Gate], override: Override | None) -> str:
    ordered = worst_first(gates)
    rows = [
        " | ".join((f"| {SIGNS[gate.result]} {gate.result}", *map(plain, (gate.gate, str(gate.cell), gate.reason)), ""))
        for gate in ordered
        if gate.result != "pass"
    ]
    passed = passing_gates(ordered)
    lines = ["### Gates", ""]
    if rows:
        lines += ["| | gate | where | why |", "|---|---|---|---|", *rows, ""]
    if passed:
        lines.append(f"✓ passed: {plain(passed)}")
    if override is not None:
        lines += ["", f"**Overridden:** {plain(', '.join(override.gates))}. **Reason:** {plain(override.reason)}"]
    return "\n".join(lines)


def _evidence(changes: Sequence[Change], snapshot: FleetSnapshot) -> str:
    """How the version fares where it comes from, or how the cell fares that goes back; as it was at that moment."""
    keys = list(dict.fromkeys(key for change in changes for key in _witnesses(change, snapshot)))
    rows = [_witness(snapshot.cells[key], snapshot) for key in keys]
    if not rows:
        return ""
    when = time_text(snapshot.generated_at)
    head = [
        "| cell | live | for | sync, health | analysis | errors | p99 | req/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([f"### Evidence, as of {when}", "", *head, *rows])


def _witnesses(change: Change, snapshot: FleetSnapshot) -> Iterator[CellKey]:
    before = snapshot.fleet.stage_before(change.stage)
    if change.kind == "revert" or before is None:
        yield from (key for key in change.cells if key in snapshot.cells)
        return
    keys = (CellKey(change.service, before.name, cluster.name) for cluster in snapshot.fleet.clusters_of(before.name))
    yield from (key for key in keys if key in snapshot.cells)


def _witness(cell: Cell, snapshot: FleetSnapshot) -> str:
    application, rollout, metrics = cell.facts.application, cell.facts.rollout, cell.facts.metrics
    runs = rollout.analysis_runs if rollout else ()
    values = (
        plain(str(cell.key)),
        code(cell.live_version or "unknown"),
        f"{plain(cell.journey.value)} {age(snapshot.generated_at - cell.since)}",
        plain(f"{application.sync}, {application.health}") if application else "unknown",
        plain(runs[-1].phase) if runs else "none",
        "unknown" if metrics is None or metrics.error_ratio is None else f"{metrics.error_ratio:.2%}",
        "unknown"
        if metrics is None or metrics.latency_p99_seconds is None
        else f"{metrics.latency_p99_seconds * 1000:.0f} ms",
        "unknown" if metrics is None or metrics.requests_per_second is None else f"{metrics.requests_per_second:.1f}",
    )
    return f"| {' | '.join(values)} |"


def _links(changes: Sequence[Change], config: Config, snapshot: FleetSnapshot) -> str:
    lines = []
    for key in list(dict.fromkeys(key for change in changes for key in change.cells)):
        cell = snapshot.cells.get(key)
        application = cell.facts.application if cell else None
        places = []
        if config.argocd.url and application is not None:
            places.append(f"[Argo CD]({config.argocd.url}/applications/{application.namespace}/{application.name})")
        if config.grafana_url:
            places.append(f"[Grafana]({dashboard_url(config.grafana_url, key)})")
        if places:
            lines.append(f"- {plain(str(key))}: {' · '.join(places)}")
    return "\n".join(lines)


def dashboard_url(grafana: str, key: CellKey) -> str:
    """Link to the dashboard the chart brings for a service (`charts/microservice/dashboards`), showing one cluster."""
    return f"{grafana.rstrip('/')}/d/svc-{quote(key.service, safe='')}?var-cluster={quote(key.cluster, safe='')}"


def _steps(edits: Sequence[FileEdit]) -> Iterator[str]:
    """The steps of a canary that are put back, for nobody asked for them by name."""
    for edit in edits:
        for brought in edit.brings:
            yield f"**Restores** in {plain(edit.change.place)}: {plain(brought)}"


def _speed(edits: Sequence[FileEdit]) -> Iterator[str]:
    """How fast each revert will be, for whoever is asked to approve it at night."""
    lines = [
        f"- {plain(edit.change.service)} in {plain(edit.change.place)}: "
        f"**{edit.forecast.speed}**: {plain(edit.forecast.reason)}"
        + (f". Faster: {plain(edit.forecast.faster)}" if edit.forecast.faster else "")
        for edit in edits
        if edit.forecast is not None
    ]
    if lines:
        yield "\n".join(["### Revert", "", *lines])


def _way_back(changes: Sequence[Change]) -> str:
    commands = list(
        dict.fromkeys(
            f"sgm revert {one.service} --stage {one.stage}" + (f" --cluster {one.cluster}" if one.cluster else "")
            for one in changes
        )
    )
    shown = " · ".join(code(one) for one in commands)
    return f"**To revert:** {shown}, or revert the merge commit; Argo CD then restores the previous version."


def _machine(changes: Sequence[Change], gates: Sequence[Gate], override: Override | None) -> str:
    document = {
        "schema": SCHEMA,
        "change_id": identity_of(changes),
        "changes": [
            {
                "kind": change.kind,
                "service": change.service,
                "stage": change.stage,
                "cluster": change.cluster,
                "path": change.path,
                "key": change.key,
                "from": change.from_version,
                "to": change.to_version,
                "known_bad": change.marks_bad or None,
            }
            for change in changes
        ],
        "gates": {f"{gate.cell}/{gate.gate}": gate.result for gate in gates},
        "overridden": None if override is None else {"gates": list(override.gates), "reason": override.reason},
    }
    text = json.dumps(document)
    for sign in "-<>@":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
