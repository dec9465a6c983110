"""Plan a revert: the change that sets a cell to an earlier version, and a forecast of what its merge will do.

The controller decides what happens, as recorded (protocols §J): setting the stable pod template while a canary
is in flight, or after an abort, ends at once without steps and without analysis; any other template is a new revision
and walks every step. Blue-green reverts at once to a ReplicaSet that is still up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sgm_tui.durations import DurationError, pause_seconds
from sgm_tui.fleet.cell import Cell, Journey
from sgm_tui.fleet.facts import Rollout, Step
from sgm_tui.fleet.history.cell_history import PastVersion, RevertForecast
from sgm_tui.fleet.history.last_promotion import LastPromotion, has_gone_back
from sgm_tui.fleet.images import parse_image
from sgm_tui.fleet.model import CellKey, ServiceName, Version
from sgm_tui.fleet.plans.plan import Change, Refusal
from sgm_tui.fleet.plans.staging import cells_of_file
from sgm_tui.fleet.plans.strategy import steps_of
from sgm_tui.fleet.reverts.health import find_revert_target
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.fleet.versions import is_same_image

_NO_STEPS = "rollout.steps: [] comes with it: new pods take over as soon as they are ready, no steps, no analysis"


@dataclass(frozen=True, slots=True)
class TemplateComparison:
    """Whether the pod template after a revert equals the stable one."""

    same: bool | None
    """None where it is unknown; `reason` says why."""
    differs: tuple[str, ...] = ()
    """The keys in which they differ."""
    reason: str = ""


def revert_change(
    snapshot: FleetSnapshot, key: CellKey, pasts: Sequence[PastVersion], target: PastVersion | None = None
) -> Change | Refusal:
    """Return the change that reverts a cell to `target`, or to its newest known-good version.

    It undoes every commit since, newest first, and not only the version: further keys that a promotion changed are
    reverted, too.
    """
    if (gap := history_gap(snapshot, key, pasts)) is not None:
        return gap
    cell = snapshot.cells[key]
    desired = cell.facts.desired
    if desired is None or desired.version is None:
        return _no_version(snapshot, key)
    if target is None:
        target = find_revert_target(pasts)
    if target is None:
        return Refusal(desired.path, f"{key}: no earlier version that was not reverted or marked bad")
    if target.version == desired.version:
        return Refusal(desired.path, f"git already has {desired.version}", nothing=True)
    return Change(
        kind="revert",
        service=key.service,
        stage=key.stage,
        cluster=None if desired.whole_stage else key.cluster,
        path=desired.path,
        key=desired.key,
        from_version=desired.version,
        to_version=target.version,
        cells=cells_of_file(snapshot, cell),
        undoes=tuple(past.revision for past in pasts[: pasts.index(target)]),
    )


def history_gap(snapshot: FleetSnapshot, key: CellKey, pasts: Sequence[PastVersion]) -> Refusal | None:
    """Return why the history of a cell is not sufficient for a revert; None where it is."""
    cell = snapshot.cells.get(key)
    desired = cell.facts.desired if cell else None
    if desired is None or desired.version is None:
        return _no_version(snapshot, key)
    if not pasts or pasts[0].version != desired.version:
        return Refusal(desired.path, f"{desired.version} is new and its history is not read yet; try again")
    return None


def _no_version(snapshot: FleetSnapshot, key: CellKey) -> Refusal:
    cell = snapshot.cells.get(key)
    if (cell is None or cell.facts.desired is None) and (silence := snapshot.silence_reason("git")):
        return Refusal("", f"the version of {key.service} in git for {key.cluster} is unknown: {silence}")
    return Refusal("", f"{key.service} has no version in git for {key.cluster}: there is nothing to revert")


def refuse_further_revert(pasts: Sequence[PastVersion]) -> Refusal | None:
    """Refuse to revert a cell further that was just reverted, unless requested; None for any other cell."""
    if not has_gone_back(pasts):
        return None
    newest = pasts[0]
    return Refusal(
        newest.path,
        f"nothing to revert: {newest.key} went back to {newest.version} with {commit_name(newest)}; "
        "--to-version or --to-revision goes further back",
        nothing=True,
    )


def refuse_nothing_to_revert(last: LastPromotion) -> Refusal:
    """Refuse to revert the last promotion of a stage where every cell of it is reverted already."""
    service, stage = last.past.key.service, last.past.key.stage
    return Refusal(
        "",
        f"nothing to revert: the last promotion of {service} into {stage}, {last.past.version} "
        f"with {commit_name(last.past)}, is already reverted; "
        "--cluster with --to-version or --to-revision goes further back",
        nothing=True,
    )


def describe_scope(last: LastPromotion) -> str:
    """Describe which promotion is reverted where, and which cells of the stage stay."""
    where = ", ".join(key.cluster for key in last.current)
    text = (
        f"reverts the last promotion of {last.past.key.service} into {last.past.key.stage}: "
        f"{last.past.version} with {commit_name(last.past)}, in {where}"
    )
    rest = [
        (last.reverted, "already reverted in"),
        (last.untouched, "not part of it and unchanged:"),
    ]
    return "; ".join([text, *(f"{how} {', '.join(key.cluster for key in keys)}" for keys, how in rest if keys)])


def describe_wider_scope(last: LastPromotion, changes: Sequence[Change]) -> str:
    """Name the cells that are reverted although the last promotion did not change them; "" for none."""
    wider = [key for change in changes for key in change.cells if key not in last.current]
    if not wider:
        return ""
    where = ", ".join(key.cluster for key in wider)
    return (
        f"also reverts {where}, which the last promotion of {last.past.key.service} into {last.past.key.stage} "
        f"({last.past.version}, {last.past.revision[:8]}) did not change"
    )


def commit_name(past: PastVersion) -> str:
    """Name a commit for people: short hash, pull request where it has one, subject."""
    number, subject = f"#{past.number}, " if past.number else "", past.subject.removesuffix(f"(#{past.number})")
    return f"{past.revision[:8]} ({number}{subject.rstrip()})"


def find_past_version(pasts: Sequence[PastVersion], version: str) -> PastVersion | None:
    """Return the newest earlier entry of a version; None where there is none."""
    return next((past for past in pasts[1:] if past.version == version), None)


def find_affected_cells(snapshot: FleetSnapshot, service: ServiceName, version: Version) -> tuple[CellKey, ...]:
    """Return every cell that has a version live, desired, staged or proposed; the last stage comes first."""
    keys: list[CellKey] = []
    for stage in reversed(snapshot.fleet.stages):
        for cluster in snapshot.fleet.clusters_of(stage.name):
            cell = snapshot.cells.get(CellKey(service, stage.name, cluster.name))
            if cell is not None and any(one and is_same_image(one, version) for one in _versions(cell)):
                keys.append(cell.key)
    return tuple(keys)


def _versions(cell: Cell) -> set[Version | None]:
    pending = {one.version for one in cell.facts.pending}
    return {cell.live_version, cell.new_version, cell.desired_version, cell.facts.staged} | pending


def forecast_revert(cell: Cell, change: Change, template: TemplateComparison) -> RevertForecast:
    """Predict what happens to a cell when its revert is merged."""
    rollout = cell.facts.rollout
    is_unseen = "rollouts" in cell.facts.unavailable_kinds
    if is_unseen and (rollout is not None or cell.journey is not Journey.UNKNOWN):
        return RevertForecast(None, f"what runs there cannot be seen from here: {_why_unreachable(cell)}")
    if rollout is None and cell.journey is Journey.UNKNOWN:
        return RevertForecast(None, f"the running version is unknown: {cell.reason}")
    if rollout is None:
        return RevertForecast(None, "no Rollout is known here: the workload goes back as its own strategy says")
    if rollout.strategy == "BlueGreen":
        if steps_of(change) is not None:
            return RevertForecast(
                None, "with it blue-green becomes a canary: the controller's behaviour is not predictable"
            )
        return _forecast_blue_green(rollout, change, template)
    steps = steps_of(change)
    in_flight = rollout.new_version is not None or rollout.aborted
    stable = rollout.stable_version
    if not in_flight or stable is None or not is_same_image(stable, change.to_version):
        stable = stable or Version("another version")
        if steps == []:
            return RevertForecast(True, _NO_STEPS)
        return RevertForecast(
            False, f"{stable} is the stable one here: {_describe_canary(rollout, steps)}", _how_to_shorten(rollout)
        )
    if template.same is None and steps != []:
        return RevertForecast(
            None, f"{_why_uncertain(template)}; if the pods become other ones, {_describe_canary(rollout, steps)}"
        )
    if template.same:
        what = "the canary was aborted" if rollout.aborted else "the canary is still in flight"
        return RevertForecast(True, f"{what} and the pods become the stable ones again: no steps, no analysis")
    if steps == []:
        return RevertForecast(True, _NO_STEPS)
    return RevertForecast(
        False,
        f"{', '.join(template.differs[:3])} makes other pods than the stable ones: {_describe_canary(rollout, steps)}",
        (f"set {', '.join(template.differs[:3])} back in the same change: then it is at once"),
    )


def _why_unreachable(cell: Cell) -> str:
    """Return why its cluster is unreachable; the stale reason may be about another source that does not respond."""
    reason = cell.facts.stale_reason
    return reason if reason.startswith("rollouts ") else f"rollouts {cell.key.cluster} does not respond"


def _why_uncertain(template: TemplateComparison) -> str:
    return template.reason or "cannot tell whether anything but the version changes the pods"


def _forecast_blue_green(rollout: Rollout, change: Change, template: TemplateComparison) -> RevertForecast:
    is_still_up = any(
        replica_set.current > 0
        and replica_set.images
        and is_same_image(parse_image(replica_set.images[0]).version, change.to_version)
        for replica_set in rollout.replica_sets
    )
    if is_still_up and template.same:
        return RevertForecast(True, "the pods of that version are still up: traffic is switched back without a pause")
    if is_still_up and template.same is None:
        return RevertForecast(None, f"{_why_uncertain(template)}; if the pods become other ones, new ones are started")
    return RevertForecast(False, "new pods are started and wait at the gate like any new version")


def _describe_canary(rollout: Rollout, written: Sequence[Mapping[str, object]] | None) -> str:
    """Describe how long the whole canary takes at least, by the steps that the revert writes, else by the live ones."""
    canary_steps = rollout.canary_steps if written is None else tuple(map(_parse_step, written))
    pauses = [step for step in canary_steps if step.kind == "pause"]
    try:
        seconds = sum(pause_seconds(step.duration) for step in pauses if step.duration is not None)
    except DurationError as error:
        return f"Argo Rollouts refuses its steps: {error}"
    gates = sum(step.duration is None for step in pauses)
    steps = len(canary_steps) or (rollout.steps if written is None else 0) or 0
    if not steps:
        return "it is rolled out like a new version"
    by_hand = f" and {gates} manual gate{'s' if gates > 1 else ''}" if gates else ""
    walks = f"all {steps} steps again" if written is None else f"the {steps} steps that come with it"
    return f"it walks {walks}, at least {max(1, round(seconds / 60))} min{by_hand}"


def _parse_step(step: Mapping[str, object]) -> Step:
    """Parse a step of a change as far as it takes time: its kind, and the duration of a pause."""
    kind, value = next(iter(step.items()))
    length = value.get("duration") if kind == "pause" and isinstance(value, Mapping) else None
    return Step(kind, duration=None if length is None else str(length))


def _how_to_shorten(rollout: Rollout) -> str:
    if not rollout.steps:
        return ""
    return "without steps (--strategy '[]', or s and [] in the plan); the next promotion puts the steps back"
