"""The sources of all facts, and how fresh each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SourceKind = Literal["git", "argocd", "rollouts", "scaling", "metrics", "alerts", "forge"]
INCOMPLETE = "may be incomplete"
"""The beginning of a note that says that a source may not report everything."""
SourceState = Literal["waiting", "fresh", "stale", "off"]


@dataclass(frozen=True, slots=True)
class SourceId:
    """The identity of a source: its kind and, where there is one per cluster or hub, which."""

    kind: SourceKind
    scope: str = ""
    """Cluster or hub name; "" where there is only one (git, forge)."""

    def __str__(self) -> str:
        """Return its name for people: "rollouts prod-ap1"; the forge is called github."""
        kind = "github" if self.kind == "forge" else self.kind
        return f"{kind} {self.scope}" if self.scope else kind


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The freshness of one source, as the screen and `sgm status` show it."""

    source: SourceId
    state: SourceState = "waiting"
    """waiting: never responded yet; fresh; stale: unreachable or past its deadline; off: not configured."""
    seen_at: datetime | None = None
    """When it last responded."""
    since: datetime | None = None
    """When it entered this state; a stale source counts from its last response, or from the first request."""
    reason: str = ""
    """Why it is stale or off."""
    note: str = ""
    """A remark although it is fresh: what it may not read, a token that expires soon."""

    @property
    def is_incomplete(self) -> bool:
        """Whether it may not report everything, so that absence proves nothing."""
        return self.note.startswith(INCOMPLETE)

    @property
    def name(self) -> str:
        """Its name for people: "rollouts prod-ap1"."""
        return str(self.source)

    @property
    def short_reason(self) -> str:
        """The reason without the name of its cluster or hub at the beginning."""
        scope = self.source.scope
        if scope and self.reason.startswith((f"{scope} ", f"{scope}: ")):
            return self.reason[len(scope) :].lstrip(": ")
        return self.reason
