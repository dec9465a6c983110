"""How a plan becomes pull requests: grouping, branch, title and commit message, all pure.

One pull request a stage, cluster or service, as the policy says, and one a wave. The branch is named after the
content of the change, so that a retry finds what is there instead of making it twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sgm_tui.fleet.history.trailers import BY, KNOWN_BAD, PROMOTION
from sgm_tui.fleet.plans.plan import Change
from sgm_tui.fleet.plans.proposal import AdoptedChange, FileEdit, Override, Proposal
from sgm_tui.fleet.plans.waves import split_into_waves
from sgm_tui.fleet.policy import Policy
from sgm_tui.untrusted_text import one_line

_TITLE = 72
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Group:
    """The edits of one pull request, and where they stand among the waves."""

    edits: tuple[FileEdit, ...]
    bundle: int
    """Pull requests of one number go wave by wave together."""
    wave: int
    """0 is the first."""
    waves: int


def group_edits(edits: Sequence[FileEdit], policy: Policy) -> Iterator[Group]:
    """The pull requests of these edits: never over stages, never over waves, and no way back waits with a promotion.

    Waves are found before clusters part: one pull request a cluster still goes to one cluster after the other.
    """
    bundles: dict[tuple[object, ...], list[FileEdit]] = {}
    for edit in edits:
        bundles.setdefault(_bundle_of(edit.change, policy), []).append(edit)
    for number, bundle in enumerate(bundles.values()):
        by_change = {edit.change: edit for edit in bundle}
        # A revert goes everywhere at once: the way back must not wait for another cluster to soak.
        waves = (tuple(by_change),) if bundle[0].change.kind == "revert" else split_into_waves(tuple(by_change), policy)
        for at, wave in enumerate(waves):
            apart: dict[str, list[FileEdit]] = {}
            for change in wave:
                apart.setdefault((change.cluster or "") if policy.group_by == "cluster" else "", []).append(
                    by_change[change]
                )
            for group in apart.values():
                yield Group(tuple(group), number, at, len(waves))


def _bundle_of(change: Change, policy: Policy) -> tuple[object, ...]:
    bundle = (change.kind == "revert", change.stage)
    return (*bundle, change.service) if policy.group_by == "service" else bundle


def identity_of(changes: Sequence[Change]) -> str:
    """The same for the same changes, whoever makes them and whenever."""
    content: list[object] = []
    for one in sorted(changes, key=lambda change: (change.path, change.key)):
        extras = [[extra.key, extra.value] for extra in one.extras]
        more: list[object] = [extras, list(one.undoes)] if extras or one.undoes else []
        more += [list(one.restores)] if one.restores else []
        content.append([one.path, one.key, one.from_version, one.to_version, *more])
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def branch_of(changes: Sequence[Change]) -> str:
    """`sgm/<stage>/<service>-<version>-<identity>`, or the number of changes where there are several."""
    first = changes[0]
    what = f"{first.service}-{first.to_version}" if len(changes) == 1 else f"{len(changes)}-changes"
    safe = "".join(character if character.isalnum() or character in "-." else "-" for character in what)
    while ".." in safe:
        safe = safe.replace("..", ".")
    return f"sgm/{first.stage}/{safe.strip('-.')[:60].rstrip('-.')}-{identity_of(changes)}"


def title_of(changes: Sequence[Change]) -> str:
    """Conventional, and short enough for every list it is shown in."""
    if len(changes) == 1:
        return _cut(changes[0].subject)
    stage = changes[0].stage
    verb = "revert" if all(change.kind == "revert" for change in changes) else "feat"
    services = list(dict.fromkeys(change.service for change in changes))
    if len(services) == 1:
        places: dict[str, list[str]] = {}
        for change in changes:
            places.setdefault(change.to_version, []).append(change.place)
        moves = (f"{', '.join(those)} -> {version}" for version, those in places.items())
        return _cut(f"{verb}({services[0]}): {'; '.join(moves)}")
    named = ", ".join(services[:_NAMED]) + (f" and {len(services) - _NAMED} more" if len(services) > _NAMED else "")
    return _cut(f"{verb}({stage}): {named}")


def _cut(title: str) -> str:
    return one_line(title, _TITLE)


def find_shared_promotions(groups: Iterable[Group], adopted: Iterable[AdoptedChange]) -> dict[int, str]:
    """Bundle → the identity its pull requests share, for each promotion that takes more than one of them."""
    parts: dict[int, list[tuple[Change, ...]]] = {}
    for group in groups:
        parts.setdefault(group.bundle, []).append(tuple(edit.change for edit in group.edits))
    for one in adopted:
        parts.setdefault(one.bundle, []).append((one.change,))
    several = {
        bundle: changes for bundle, changes in parts.items() if len(changes) > 1 and changes[0][0].kind == "promotion"
    }
    return {bundle: identity_of([one for part in changes for one in part]) for bundle, changes in several.items()}


def message_of(
    changes: Sequence[Change],
    override: Override | None = None,
    reason: str = "",
    by: str = "",
    promotion: str = "",
) -> str:
    """The commit message: the title, what changes where, and trailers for machines (design §4).

    Args:
        changes: what one pull request changes.
        override: the gates it overrides.
        reason: why a person wants it.
        by: who asked for it.
        promotion: the identity of the promotion it is a part of; "" where it is all of it.
    """
    lines = [title_of(changes), ""]
    if len(changes) > 1:
        lines += [
            f"{change.place} {change.service}: {change.from_version} -> {change.to_version}" for change in changes
        ]
        lines.append("")
    undone = list(dict.fromkeys(commit for change in changes for commit in change.undoes))
    if undone:
        lines += [*(f"This reverts commit {commit}." for commit in undone), ""]
    return "\n".join(one_line(line) for line in [*lines, *_trailers(changes, override, reason, by, promotion), ""])


def _trailers(
    changes: Sequence[Change], override: Override | None, reason: str, by: str, promotion: str
) -> Iterator[str]:
    yield f"Sgm-Change-Id: {identity_of(changes)}"
    if promotion:
        yield f"{PROMOTION}{promotion}"
    for name, values in (
        ("Sgm-From", [change.from_version for change in changes]),
        ("Sgm-To", [change.to_version for change in changes]),
        ("Sgm-Stage", [change.stage for change in changes]),
        ("Sgm-Clusters", [cell.cluster for change in changes for cell in change.cells]),
        ("Sgm-Strategy", [change.strategy for change in changes if change.strategy]),
        ("Sgm-Reverts", [commit for change in changes for commit in change.undoes]),
    ):
        if values:
            yield f"{name}: {', '.join(dict.fromkeys(one_line(value) for value in values))}"
    if override is not None:
        yield f"Sgm-Gates-Overridden: {', '.join(override.gates)}"
    yield from dict.fromkeys(
        f"{KNOWN_BAD}{one.service} {one.from_version} {one_line(one.marks_bad)}" for one in changes if one.marks_bad
    )
    words = one_line(reason or (override.reason if override is not None else ""))
    if words:
        yield f"Sgm-Reason: {words}"
    if one_line(by):
        yield f"{BY}{one_line(by)}"


def audit_facts(proposal: Proposal) -> dict[str, object]:
    """What the audit says of a proposal, whatever is being done to it."""
    changes = [edit.change for edit in proposal.edits]
    over = proposal.override
    return {
        "branch": proposal.branch,
        "title": proposal.title,
        "stage": proposal.stage,
        "services": list(dict.fromkeys(one.service for one in changes)),
        "clusters": list(dict.fromkeys(key.cluster for one in changes for key in one.cells)),
        "moves": [[one.path, one.from_version, one.to_version] for one in changes],
        "overridden": sorted({gate.gate for gate in proposal.gates if gate.stops}) if over else [],
        "reason": proposal.reason or (over.reason if over else ""),
    }
