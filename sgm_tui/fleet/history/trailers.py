"""What commits tell of versions beside their change: trailers at the end of a message, read by everybody's sgm.

`Sgm-Known-Bad: SERVICE VERSION REASON` holds a version of a service back from every cell, `Sgm-Let-Go: SERVICE VERSION`
lets it go again; of several the newest counts. They count as soon as they are on the branch that is deployed, whichever
way they were merged, and may stand in any commit, an empty one too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sgm_tui.fleet.model import ServiceName, Version
from sgm_tui.untrusted_text import clean

CHANGE = "Sgm-Change-Id: "
PROMOTION = "Sgm-Promotion: "
"""The promotion a commit is part of, where it takes several pull requests: waves, or one for each cluster."""
KNOWN_BAD = "Sgm-Known-Bad: "
UNMARK = "Sgm-Let-Go: "
BY = "Sgm-By: "
"""Who asked for a commit: its author is sgm, and who merged it is somebody else."""
SGM = "sgm"
"""The author of the commits sgm makes."""
_LINE = re.compile(rf"^({KNOWN_BAD}|{UNMARK})(\S+) +(\S+)(?: +(.*))?$", re.MULTILINE)
_IDENTITY = re.compile(rf"^(?:{CHANGE}|{PROMOTION})(\S+)", re.MULTILINE)
_BY = re.compile(rf"^{BY}(.*\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """What a commit says."""

    sha: str
    author: str
    text: str
    """The whole message, not cleaned."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One version known bad, as a pull request says."""

    service: ServiceName
    version: Version
    reason: str
    by: str


Marks = dict[ServiceName, dict[Version, str]]
"""Service → version → why it is known bad."""


def name_person(message: Message) -> str:
    """The person behind a commit: whom its message names, else its author."""
    named = _BY.search(message.text)
    return clean(named[1] if named else message.author)


def identities_in(messages: Iterable[Message]) -> frozenset[str]:
    """The identities that messages give the changes, and the promotion, they belong to."""
    return frozenset(identity for message in messages for identity in _IDENTITY.findall(message.text))


def unmarks_version(message: Message, service: str, version: str) -> bool:
    """Whether a commit lets a version go again."""
    return any((kind, name, one) == (UNMARK, service, version) for kind, name, one, _ in _LINE.findall(message.text))


def marks_in(messages: Iterable[Message]) -> Marks:
    """What messages, the oldest first, leave marked as known bad."""
    marks: Marks = {}
    for message in messages:
        for kind, service, version, reason in _LINE.findall(message.text):
            of_service = marks.setdefault(ServiceName(clean(service)), {})
            if kind == UNMARK:
                of_service.pop(Version(clean(version)), None)
            else:
                why = clean(reason) or "no reason was given"
                of_service[Version(clean(version))] = f"known bad: {why} ({name_person(message)}, {message.sha[:8]})"
    return marks
