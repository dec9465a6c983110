"""Who tells what we know, and how fresh the telling is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SourceKind = Literal["git", "argocd", "rollouts", "scaling", "metrics", "alerts", "forge"]
INCOMPLETE = "may be incomplete"
"""How a note begins that says that something may be missing from what a source reports."""
SourceState = Literal["waiting", "fresh", "stale", "off"]


@dataclass(frozen=True, slots=True)
class SourceId:
    """Who tells: a kind and, where there is one of it per cluster (or hub), which."""

    kind: SourceKind
    scope: str = ""
    """Cluster or hub name; "" where there is only one (git, forge)."""

    def __str__(self) -> str:
        """How people call it, everywhere: "rollouts prod-ap1"; the forge is GitHub."""
        kind = "github" if self.kind == "forge" else self.kind
        return f"{kind} {self.scope}" if self.scope else kind


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The freshness of one source, as the screen and `sgm status` show it."""

    source: SourceId
    state: SourceState = "waiting"
    """waiting: never answered yet; fresh; stale: silent past its deadline or lost; off: not configured."""
    seen_at: datetime | None = None
    """The last answer."""
    since: datetime | None = None
    """When it entered this state; a stale one is silent since its last answer, or since it was first asked."""
    reason: str = ""
    """Why it is stale or off."""
    note: str = ""
    """What a person should know though it is fresh: what it is not allowed to tell, a token that ends soon."""

    @property
    def is_incomplete(self) -> bool:
        """Whether something may be missing from what it reports: nothing is proved by what is not there."""
        return self.note.startswith(INCOMPLETE)

    @property
    def name(self) -> str:
        """How people call it: "rollouts prod-ap1"."""
        return str(self.source)

    @property
    def short_reason(self) -> str:
        """The reason without who it is about, where that is said already ("prod-us1 did not answer" of prod-us1)."""
        who = self.source.scope
        if who and self.reason.startswith((f"{who} ", f"{who}: ")):
            return self.reason[len(who) :].lstrip(": ")
        return self.reason
