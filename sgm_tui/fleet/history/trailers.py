"""The trailers of commit messages by which every sgm shares marks of versions and identities of promotions.

`Sgm-Known-Bad: SERVICE VERSION REASON` quarantines a version of a service in every cell, and `Sgm-Let-Go: SERVICE
VERSION` unmarks it; the newest counts. They apply as soon as they are on the deployed branch, however they were merged,
and any commit may have them, even an empty one.
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
"""The person who requested a commit: its author is sgm, and somebody else may have merged it."""
SGM = "sgm"
"""The author of the commits sgm makes."""
_LINE = re.compile(rf"^({KNOWN_BAD}|{UNMARK})(\S+) +(\S+)(?: +(.*))?$", re.MULTILINE)
_IDENTITY = re.compile(rf"^(?:{CHANGE}|{PROMOTION})(\S+)", re.MULTILINE)
_BY = re.compile(rf"^{BY}(.*\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """The message of a commit."""

    sha: str
    author: str
    text: str
    """The whole message, not cleaned."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One version that a pull request marks as known bad."""

    service: ServiceName
    version: Version
    reason: str
    by: str


Marks = dict[ServiceName, dict[Version, str]]
"""Service → version → why it is known bad."""


def name_person(message: Message) -> str:
    """Return the person behind a commit: the one its message names, else its author."""
    named = _BY.search(message.text)
    return clean(named[1] if named else message.author)


def identities_in(messages: Iterable[Message]) -> frozenset[str]:
    """Return the identities of changes and promotions that messages name."""
    return frozenset(identity for message in messages for identity in _IDENTITY.findall(message.text))


def unmarks_version(message: Message, service: str, version: str) -> bool:
    """Return whether a commit unmarks a version that was known bad."""
    return any((kind, name, one) == (UNMARK, service, version) for kind, name, one, _ in _LINE.findall(message.text))


def marks_in(messages: Iterable[Message]) -> Marks:
    """Return the versions that are known bad after all messages, the oldest first."""
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
