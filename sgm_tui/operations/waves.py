"""Store wave plans on disk, and open their next wave when the facts allow it.

Any process may open a wave: the branch of a change is named after its content, so two processes find each other's pull
request instead of opening two.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sgm_tui.crash import kind_of
from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.model import StageName
from sgm_tui.fleet.plans.document import change_of
from sgm_tui.fleet.plans.plan import Plan
from sgm_tui.fleet.plans.proposal import ENDED, AdoptedChange, Override, Preview, Progress, Proposal, WriteOptions
from sgm_tui.fleet.plans.waves import WavePlan, next_step, wave_soak_seconds
from sgm_tui.fleet.policy import Policy
from sgm_tui.fleet.snapshot import FleetSnapshot
from sgm_tui.json_reader import read_json
from sgm_tui.operations.proposal import identity_of
from sgm_tui.operations.state_files import lock_file, replace_text, run_in_thread
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in
from sgm_tui.untrusted_text import one_line

_SCHEMA = 1
_RETRY_INTERVAL = timedelta(seconds=30)
"""Time between two attempts to open a wave whose gates block."""
_NEVER = datetime.min.replace(tzinfo=UTC)

logger = logging.getLogger("sgm")


def _ignore(_: Exception) -> None:
    """Ignore a bug: it is in the log."""


class Writer(Protocol):
    """Turns a plan into pull requests."""

    async def preview(self, plan: Plan, snapshot: FleetSnapshot, terms: WriteOptions) -> Preview:
        """Compute the proposals of a plan against the repository as it is now."""
        ...

    def submit(self, preview: Preview, facts: Callable[[], FleetSnapshot], consent: Consent) -> AsyncIterator[Progress]:
        """Write a preview after evaluating its gates by the newest facts, with the consent of its plan."""
        ...


class Waves:
    """The wave plans of one repository that are in progress."""

    def __init__(self, file: Path, writer: Writer) -> None:
        self._file = file
        self._writer = writer
        self._tried: dict[str, datetime] = {}
        """When the next wave of a plan was last tried and did not open."""

    def plans(self) -> tuple[WavePlan, ...]:
        """Return every plan in progress, oldest first.

        Raises:
            RefusedError: the file cannot be read.
        """
        try:
            text = self._file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise RefusedError(f"{self._file}: {error.strerror}", "sgm stores wave plans there.") from error
        try:
            return _plans_of(read_json(text))
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                f"{self._file} has no wave plans this sgm can read", "Move the file away to continue without them."
            ) from error

    def save(
        self, preview: Preview, first: Proposal, now: datetime, policy: Policy, consent: Consent = NO_CONSENT
    ) -> str:
        """Save the wave plan of a bundle, adopted changes included, before any of it is written; return its identity.

        Later waves open without a person, under `consent`.

        Args:
            preview: the preview that is about to be written.
            first: a proposal of the bundle.
            now: when the first wave opens.
            policy: says how long a wave soaks.
            consent: the protected stages a person accepted.
        """
        proposals = [each for each in preview.proposals if each.bundle == first.bundle]
        adopted = [each for each in preview.adopted if each.bundle == first.bundle]
        waves = tuple(
            (
                *(edit.change for proposal in proposals if proposal.wave == index for edit in proposal.edits),
                *(each.change for each in adopted if each.wave == index),
            )
            for index in range(first.waves)
        )
        soak = max(wave_soak_seconds(wave, policy) for wave in waves)
        branches = _branches(preview, lambda part: part.bundle == first.bundle and not part.wave)
        plan = WavePlan(
            identity=identity_of(waves[0]),
            waves=waves,
            began_at=now,
            soak_seconds=soak,
            override=_merge_overrides(proposals),
            reason=first.reason,
            direct=first.direct,
            branches=branches,
            promotion=first.promotion,
            accepted=tuple(map(StageName, sorted(consent.stages))),
        )
        self.add(plan)
        return plan.identity

    def add(self, plan: WavePlan) -> None:
        """Save a plan; it replaces one of the same changes."""
        self._update(lambda plans: (*(each for each in plans if each.identity != plan.identity), plan))

    def stop(self, identity: str, reason: str) -> None:
        """Stop a plan with a reason: it opens no further wave until it is resumed."""
        self._replace(identity, lambda plan: replace(plan, stopped=one_line(reason)))

    def resume(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Resume a plan; any process may open its next wave. `consent` is added to that of the plan."""
        self._tried.pop(identity, None)
        self._replace(identity, lambda plan: _resume(plan, consent))

    def forget(self, identity: str) -> None:
        """Delete a plan; the pull requests it opened stay as they are."""
        self._update(lambda plans: tuple(each for each in plans if each.identity != identity))

    async def step(
        self, facts: Callable[[], FleetSnapshot], now: datetime, report: Callable[[Exception], None] = _ignore
    ) -> Sequence[Progress]:
        """Open every wave that may open now, stop plans that failed, and delete those that are done.

        A bug in opening the wave of one plan stops that plan with the reason; the other plans continue.

        Args:
            facts: returns the newest snapshot: opening a wave takes seconds, in which the facts change.
            now: the time.
            report: called with each bug.
        """
        progress: list[Progress] = []
        for plan in await run_in(Lane.RECORDS, self.plans):
            try:
                progress += await self._advance(plan, facts, now)
            except SgmError:
                self._tried[plan.identity] = now  # a plan that cannot be saved is not tried every second
                raise
            except Exception as error:
                self._tried[plan.identity] = now
                logger.exception("the wave plan %s failed", plan.identity)
                report(error)
                await run_in_thread(self.stop, plan.identity, f"a bug in sgm: {kind_of(error)}")
        return progress

    async def _advance(self, plan: WavePlan, facts: Callable[[], FleetSnapshot], now: datetime) -> list[Progress]:
        step = next_step(plan, facts(), now)
        if step.do == "stop":
            await run_in_thread(self.stop, plan.identity, step.reason)
        elif step.do == "done":
            await run_in_thread(self.forget, plan.identity)
        elif step.do == "open" and now - self._tried.get(plan.identity, _NEVER) >= _RETRY_INTERVAL:
            return await self._open(plan, facts)
        return []

    async def _open(self, plan: WavePlan, facts: Callable[[], FleetSnapshot]) -> list[Progress]:
        """Open the next wave. A blocking gate is tried again later; a refusal or a failure stops the plan."""
        changes = plan.waves[plan.opened]
        try:
            terms = WriteOptions(plan.override, plan.reason, plan.direct, promotion=plan.promotion)
            preview = await self._writer.preview(Plan().with_change(*changes), facts(), terms)
            rejected = (each.closed_earlier for each in preview.proposals if each.closed_earlier is not None)
            if not plan.resumed and (closed := next((each for each in rejected if each.number), None)):
                # A person closed its pull request: it opens again only when a person resumes the plan.
                await run_in_thread(self.stop, plan.identity, closed.sentence)
                return []
            proposals = tuple(replace(proposal, wave=0, waves=1) for proposal in preview.proposals)
            submitted = self._writer.submit(replace(preview, proposals=proposals), facts, Consent.to(plan.accepted))
            progress = [each async for each in submitted]
        except SgmError as error:
            await run_in_thread(self.stop, plan.identity, str(error))
            return []
        refused = [refusal.reason for refusal in preview.refusals if not refusal.nothing]
        failed = refused + [each.text for each in progress if each.step in {"failed", "refused"}]
        blocked = [each.text for each in progress if each.step == "blocked"]
        if failed:
            await run_in_thread(self.stop, plan.identity, failed[0])
        elif blocked:
            self._tried[plan.identity] = facts().generated_at
            await run_in_thread(self._replace, plan.identity, lambda stored: replace(stored, held=blocked[0]))
        else:
            branches = _branches(preview, lambda _: True)
            # Counted from the plan as it was evaluated: two processes that both opened this wave count it once.
            opened = plan.opened + 1
            await run_in_thread(self._replace, plan.identity, lambda stored: _advance(stored, opened, branches))
        return [each for each in progress if each.step in ENDED | {"failed", "refused"}]

    def _replace(self, identity: str, change: Callable[[WavePlan], WavePlan]) -> None:
        self._update(lambda plans: tuple(change(each) if each.identity == identity else each for each in plans))

    def _update(self, change: Callable[[tuple[WavePlan, ...]], tuple[WavePlan, ...]]) -> None:
        with lock_file(self._file):
            plans = change(self.plans())
            replace_text(self._file, json.dumps({"schema": _SCHEMA, "plans": [_document(plan) for plan in plans]}))


def _resume(plan: WavePlan, consent: Consent) -> WavePlan:
    accepted = tuple(map(StageName, sorted(consent.stages.union(plan.accepted))))
    return replace(plan, stopped="", held="", resumed=True, accepted=accepted)


def _advance(plan: WavePlan, opened: int, branches: tuple[str, ...]) -> WavePlan:
    all_branches = tuple(dict.fromkeys((*plan.branches, *branches)))
    return replace(plan, opened=max(plan.opened, opened), branches=all_branches, held="")


def _branches(preview: Preview, predicate: Callable[[Proposal | AdoptedChange], bool]) -> tuple[str, ...]:
    """Return the branches of the proposals and adopted changes that match, without duplicates."""
    parts: list[Proposal | AdoptedChange] = [*preview.proposals, *preview.adopted]
    return tuple(dict.fromkeys(part.branch for part in parts if predicate(part)))


def _merge_overrides(proposals: Sequence[Proposal]) -> Override | None:
    """Merge the overrides of all waves into one, because they were confirmed together."""
    overrides = [proposal.override for proposal in proposals if proposal.override is not None]
    gates = tuple(dict.fromkeys(gate for override in overrides for gate in override.gates))
    return replace(overrides[0], gates=gates) if overrides else None


def _plans_of(document: dict[str, Any]) -> tuple[WavePlan, ...]:
    if document["schema"] != _SCHEMA:
        raise ValueError(f"schema {document['schema']}")
    return tuple(_plan_of(plan) for plan in document["plans"])


def _document(plan: WavePlan) -> dict[str, Any]:
    return {**asdict(plan), "began_at": plan.began_at.isoformat()}


def _plan_of(document: dict[str, Any]) -> WavePlan:
    override = document["override"]
    waves = tuple(tuple(change_of(change) for change in wave) for wave in document["waves"])
    # Older versions did not record the consent; they saved a plan only once all its stages were accepted.
    accepted = document.get("accepted", sorted({change.stage for wave in waves for change in wave}))
    return WavePlan(
        identity=str(document["identity"]),
        waves=waves,
        began_at=datetime.fromisoformat(document["began_at"]),
        soak_seconds=float(document["soak_seconds"]),
        opened=int(document["opened"]),
        override=Override(override["reason"], tuple(override["gates"])) if override else None,
        reason=str(document["reason"]),
        direct=bool(document.get("direct")),
        stopped=str(document["stopped"]),
        branches=tuple(map(str, document.get("branches", ()))),
        held=str(document.get("held", "")),
        promotion=str(document.get("promotion", "")),
        accepted=tuple(StageName(str(stage)) for stage in accepted),
        resumed=bool(document.get("resumed")),
    )
