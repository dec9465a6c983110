"""How a plan becomes pull requests: grouping, branch, title, body and commit message, all pure.

One pull request a stage. The branch is named after the content of the change, so that a retry finds what is there
instead of making it twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from sgm_tui.fleet.model import StageName
from sgm_tui.fleet.plan import Change, FileEdit, Proposal

_TITLE = 72
_NAMED = 3


def proposals(
    edits: Sequence[FileEdit], labels: Sequence[str], owners: Callable[[str], Sequence[str]]
) -> tuple[Proposal, ...]:
    """The pull requests of these edits, stage by stage in the order they were staged."""
    order = list(dict.fromkeys(edit.change.stage for edit in edits))
    ordered = sorted(edits, key=lambda edit: order.index(edit.change.stage))
    return tuple(
        _proposal(stage, tuple(group), labels, owners)
        for stage, group in groupby(ordered, key=lambda edit: edit.change.stage)
    )


def _proposal(
    stage: StageName, edits: tuple[FileEdit, ...], labels: Sequence[str], owners: Callable[[str], Sequence[str]]
) -> Proposal:
    changes = [edit.change for edit in edits]
    reviewers = dict.fromkeys(owner for change in changes for owner in owners(change.path))
    return Proposal(
        stage=stage,
        branch=branch_of(changes),
        title=title_of(changes),
        body=_body(changes),
        edits=edits,
        labels=(*labels, *(label for label in (f"stage/{stage}",) if label not in labels)),
        reviewers=tuple(reviewers),
    )


def identity_of(changes: Sequence[Change]) -> str:
    """The same for the same changes, whoever makes them and whenever."""
    content = sorted([one.path, one.key, one.from_version, one.to_version] for one in changes)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def branch_of(changes: Sequence[Change]) -> str:
    """`sgm/<stage>/<service>-<version>-<identity>`, or the number of changes where there are several."""
    first = changes[0]
    what = f"{first.service}-{first.to_version}" if len(changes) == 1 else f"{len(changes)}-changes"
    safe = "".join(character if character.isalnum() or character in "-." else "-" for character in what)
    return f"sgm/{first.stage}/{safe.strip('-.')[:60]}-{identity_of(changes)}"


def title_of(changes: Sequence[Change]) -> str:
    """Conventional, and short enough for every list it is shown in."""
    if len(changes) == 1:
        return changes[0].subject[:_TITLE]
    stage = changes[0].stage
    verb = "revert" if all(change.kind == "revert" for change in changes) else "feat"
    services = list(dict.fromkeys(change.service for change in changes))
    if len(services) == 1:
        places = ", ".join(change.place for change in changes)
        return f"{verb}({services[0]}): {places} -> {changes[0].to_version}"[:_TITLE]
    named = ", ".join(services[:_NAMED]) + (f" and {len(services) - _NAMED} more" if len(services) > _NAMED else "")
    return f"{verb}({stage}): {named}"[:_TITLE]


def message_of(changes: Sequence[Change]) -> str:
    """The commit message: the title, what changes where, and trailers for machines (design §4)."""
    lines = [title_of(changes), ""]
    if len(changes) > 1:
        lines += [
            f"{change.place} {change.service}: {change.from_version} -> {change.to_version}" for change in changes
        ]
        lines.append("")
    return "\n".join([*lines, *_trailers(changes), ""])


def _trailers(changes: Sequence[Change]) -> Iterator[str]:
    yield f"Sgm-Change-Id: {identity_of(changes)}"
    for name, values in (
        ("Sgm-From", [change.from_version for change in changes]),
        ("Sgm-To", [change.to_version for change in changes]),
        ("Sgm-Stage", [change.stage for change in changes]),
        ("Sgm-Clusters", [cell.cluster for change in changes for cell in change.cells]),
    ):
        yield f"{name}: {', '.join(dict.fromkeys(str(value) for value in values))}"


def _body(changes: Sequence[Change]) -> str:
    rows = [
        f"| {change.service} | {change.place} | `{change.from_version}` | `{change.to_version}` | `{change.path}` |"
        for change in changes
    ]
    machine = json.dumps(
        {
            "schema": 1,
            "change_id": identity_of(changes),
            "changes": [
                {
                    "service": change.service,
                    "stage": change.stage,
                    "cluster": change.cluster,
                    "path": change.path,
                    "key": change.key,
                    "from": change.from_version,
                    "to": change.to_version,
                }
                for change in changes
            ],
        }
    ).replace("--", "-\\u002d")
    return "\n".join(
        [
            "| service | where | from | to | file |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "**To go back:** revert the merge commit of this pull request; Argo CD brings the version before back.",
            "",
            f"<!-- sgm: {machine} -->",
        ]
    )
