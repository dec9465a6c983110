"""Wave plans on disk, and opening their next wave when the facts allow it.

Whichever process looks first opens a wave: the branch of a change is named after its content, so that two of them
find each other's pull request instead of opening two.
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
from sgm_tui.operations.proposal import identity_of
from sgm_tui.operations.state_files import lock_file, replace_text, run_in_thread
from sgm_tui.permission import NO_CONSENT, Consent
from sgm_tui.threads import Lane, run_in
from sgm_tui.untrusted_text import one_line

_SCHEMA = 1
_TRY_AGAIN = timedelta(seconds=30)
"""Between two tries to open a wave whose gates are closed."""
_NEVER = datetime.min.replace(tzinfo=UTC)

logger = logging.getLogger("sgm")


def _ignore(_: Exception) -> None:
    """Report a bug to nobody: the log has it."""


class Writer(Protocol):
    """What turns a plan into pull requests."""

    async def preview(self, plan: Plan, snapshot: FleetSnapshot, terms: WriteOptions) -> Preview:
        """The plan against the repository as it is now."""
        ...

    def submit(self, preview: Preview, facts: Callable[[], FleetSnapshot], consent: Consent) -> AsyncIterator[Progress]:
        """Write it, judged again by the newest facts, with the consent of its plan."""
        ...


class Waves:
    """The wave plans of one repository that have not ended."""

    def __init__(self, file: Path, writer: Writer) -> None:
        self._file = file
        self._writer = writer
        self._tried: dict[str, datetime] = {}
        """When the next wave of a plan was tried last, and something was in its way."""

    def plans(self) -> tuple[WavePlan, ...]:
        """Every plan that has not ended, the oldest first.

        Raises:
            RefusedError: the file cannot be read.
        """
        try:
            written = self._file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise RefusedError(f"{self._file}: {error.strerror}", "sgm stores wave plans there.") from error
        try:
            return _plans_of(json.loads(written))
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                f"{self._file} has no wave plans this sgm can read", "Move the file away to continue without them."
            ) from error

    def save(
        self, preview: Preview, first: Proposal, now: datetime, policy: Policy, consent: Consent = NO_CONSENT
    ) -> str:
        """Keep what goes wave by wave, adopted parts too, before any of it is written; its identity.

        Later waves open by themselves under `consent`.
        """
        together = [one for one in preview.proposals if one.bundle == first.bundle]
        adopted = [one for one in preview.adopted if one.bundle == first.bundle]
        waves = tuple(
            (
                *(edit.change for one in together if one.wave == at for edit in one.edits),
                *(one.change for one in adopted if one.wave == at),
            )
            for at in range(first.waves)
        )
        soak = max(wave_soak_seconds(wave, policy) for wave in waves)
        branches = _branches(preview, lambda one: one.bundle == first.bundle and not one.wave)
        plan = WavePlan(
            identity=identity_of(waves[0]),
            waves=waves,
            began_at=now,
            soak_seconds=soak,
            override=_overrides(together),
            reason=first.reason,
            direct=first.direct,
            branches=branches,
            promotion=first.promotion,
            accepted=tuple(map(StageName, sorted(consent.stages))),
        )
        self.add(plan)
        return plan.identity

    def add(self, plan: WavePlan) -> None:
        """Keep a plan; one of the same changes is kept once."""
        self._update(lambda plans: (*(one for one in plans if one.identity != plan.identity), plan))

    def stop(self, identity: str, reason: str) -> None:
        """Open no further wave until it is resumed."""
        self._replace(identity, lambda plan: replace(plan, stopped=one_line(reason)))

    def resume(self, identity: str, consent: Consent = NO_CONSENT) -> None:
        """Go on from where it is, in whichever process opens its waves; `consent` adds to that of the plan."""
        self._tried.pop(identity, None)
        self._replace(identity, lambda plan: _resumed(plan, consent))

    def forget(self, identity: str) -> None:
        """Take a plan away; what it opened stays as it is."""
        self._update(lambda plans: tuple(one for one in plans if one.identity != identity))

    async def step(
        self, facts: Callable[[], FleetSnapshot], now: datetime, report: Callable[[Exception], None] = _ignore
    ) -> Sequence[Progress]:
        """Open every wave that may open now, stop plans that failed, forget those that are done.

        A bug in opening the wave of one plan stops that plan with the reason; the other plans go on.

        Args:
            facts: returns the newest snapshot: opening a wave takes seconds, and the next one is judged afresh.
            now: the time.
            report: called with each bug.
        """
        told: list[Progress] = []
        for plan in await run_in(Lane.RECORDS, self.plans):
            try:
                told += await self._advance(plan, facts, now)
            except SgmError:
                self._tried[plan.identity] = now  # what cannot be recorded is not tried every second
                raise
            except Exception as error:
                self._tried[plan.identity] = now
                logger.exception("the wave plan %s failed", plan.identity)
                report(error)
                await run_in_thread(self.stop, plan.identity, f"a bug in sgm: {kind_of(error)}")
        return told

    async def _advance(self, plan: WavePlan, facts: Callable[[], FleetSnapshot], now: datetime) -> list[Progress]:
        step = next_step(plan, facts(), now)
        if step.do == "stop":
            await run_in_thread(self.stop, plan.identity, step.reason)
        elif step.do == "done":
            await run_in_thread(self.forget, plan.identity)
        elif step.do == "open" and now - self._tried.get(plan.identity, _NEVER) >= _TRY_AGAIN:
            return await self._open(plan, facts)
        return []

    async def _open(self, plan: WavePlan, facts: Callable[[], FleetSnapshot]) -> list[Progress]:
        """Open the next wave. A closed gate is waited for; what was refused, or failed, stops the plan."""
        changes = plan.waves[plan.opened]
        try:
            terms = WriteOptions(plan.override, plan.reason, plan.direct, promotion=plan.promotion)
            preview = await self._writer.preview(Plan().with_change(*changes), facts(), terms)
            earlier = (one.closed_earlier for one in preview.proposals if one.closed_earlier is not None)
            if not plan.resumed and (closed := next((one for one in earlier if one.number), None)):
                # Somebody said no to it: it opens when a person resumes the plan, not by itself.
                await run_in_thread(self.stop, plan.identity, closed.sentence)
                return []
            now = replace(preview, proposals=tuple(replace(one, wave=0, waves=1) for one in preview.proposals))
            told = [one async for one in self._writer.submit(now, facts, Consent.to(plan.accepted))]
        except SgmError as error:
            await run_in_thread(self.stop, plan.identity, str(error))
            return []
        refused = [one.reason for one in preview.refusals if not one.nothing]
        failed = refused + [one.text for one in told if one.step in {"failed", "refused"}]
        blocked = [one.text for one in told if one.step == "blocked"]
        if failed:
            await run_in_thread(self.stop, plan.identity, failed[0])
        elif blocked:
            self._tried[plan.identity] = facts().generated_at
            await run_in_thread(self._replace, plan.identity, lambda one: replace(one, held=blocked[0]))
        else:
            branches = _branches(preview, lambda _: True)
            # Counted from what was judged: two processes that both opened this wave open the next one once.
            await run_in_thread(self._replace, plan.identity, lambda one: _further(one, plan.opened + 1, branches))
        return [one for one in told if one.step in ENDED | {"failed", "refused"}]

    def _replace(self, identity: str, change: Callable[[WavePlan], WavePlan]) -> None:
        self._update(lambda plans: tuple(change(one) if one.identity == identity else one for one in plans))

    def _update(self, change: Callable[[tuple[WavePlan, ...]], tuple[WavePlan, ...]]) -> None:
        with lock_file(self._file):
            plans = change(self.plans())
            replace_text(self._file, json.dumps({"schema": _SCHEMA, "plans": [_document(one) for one in plans]}))


def _resumed(plan: WavePlan, consent: Consent) -> WavePlan:
    accepted = tuple(map(StageName, sorted(consent.stages.union(plan.accepted))))
    return replace(plan, stopped="", held="", resumed=True, accepted=accepted)


def _further(plan: WavePlan, opened: int, branches: tuple[str, ...]) -> WavePlan:
    known = tuple(dict.fromkeys((*plan.branches, *branches)))
    return replace(plan, opened=max(plan.opened, opened), branches=known, held="")


def _branches(preview: Preview, which: Callable[[Proposal | AdoptedChange], bool]) -> tuple[str, ...]:
    """The branches on which these parts of a preview are proposed, by sgm or by whoever was first."""
    parts: list[Proposal | AdoptedChange] = [*preview.proposals, *preview.adopted]
    return tuple(dict.fromkeys(one.branch for one in parts if which(one)))


def _overrides(group: Sequence[Proposal]) -> Override | None:
    """What was gone over in any of the waves, when all of them were shown together."""
    overrides = [one.override for one in group if one.override is not None]
    gates = tuple(dict.fromkeys(gate for one in overrides for gate in one.gates))
    return replace(overrides[0], gates=gates) if overrides else None


def _plans_of(document: dict[str, Any]) -> tuple[WavePlan, ...]:
    if document["schema"] != _SCHEMA:
        raise ValueError(f"schema {document['schema']}")
    return tuple(_plan_of(one) for one in document["plans"])


def _document(plan: WavePlan) -> dict[str, Any]:
    return {**asdict(plan), "began_at": plan.began_at.isoformat()}


def _plan_of(document: dict[str, Any]) -> WavePlan:
    over = document["override"]
    waves = tuple(tuple(change_of(one) for one in wave) for wave in document["waves"])
    # Older versions did not record the consent; they kept a plan only once all of it was accepted.
    accepted = document.get("accepted", sorted({change.stage for wave in waves for change in wave}))
    return WavePlan(
        identity=str(document["identity"]),
        waves=waves,
        began_at=datetime.fromisoformat(document["began_at"]),
        soak_seconds=float(document["soak_seconds"]),
        opened=int(document["opened"]),
        override=Override(over["reason"], tuple(over["gates"])) if over else None,
        reason=str(document["reason"]),
        direct=bool(document.get("direct")),
        stopped=str(document["stopped"]),
        branches=tuple(map(str, document.get("branches", ()))),
        held=str(document.get("held", "")),
        promotion=str(document.get("promotion", "")),
        accepted=tuple(StageName(str(one)) for one in accepted),
        resumed=bool(document.get("resumed")),
    )
