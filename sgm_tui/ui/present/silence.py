"""Summarize what is not responding: an unreachable cluster counts once, not once per source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sgm_tui.ui.present.ages import ago

if TYPE_CHECKING:
    from sgm_tui.fleet.source import SourceHealth, SourceKind

ORDER: tuple[SourceKind, ...] = ("git", "argocd", "rollouts", "scaling", "metrics", "alerts", "forge")
_IMPLIED: dict[SourceKind, SourceKind] = {"scaling": "rollouts", "alerts": "metrics"}
"""Kinds served by the same server as another one, mentioned only if their state differs from that one's."""


class Silence(NamedTuple):
    """The first source that is not responding, how many more are not, and why."""

    who: str
    """With the time: "prod-us1 not responding for 1m", "prod-us1 and 2 more not responding for 1m"."""
    reason: str
    total: bool = False
    """Whether nothing responds, except perhaps git, which may be a local file."""


def silence(sources: Sequence[SourceHealth], now: datetime) -> Silence | None:
    """Summarize what is not responding now, by cluster; None when every configured source responds."""
    stale = sorted((one for one in sources if one.state == "stale"), key=lambda one: ORDER.index(one.source.kind))
    if not stale:
        return None
    other_states = {one.state for one in sources if one.source.kind != "git"}
    if len(stale) > 1 and other_states <= {"stale", "off"}:
        first = next((one for one in stale if one.source.kind != "git"), stale[0])
        git = "" if any(one.source.kind == "git" for one in stale) else " except git"
        return Silence(f"all sources{git} {_silent_for(first, now)}", first.short_reason, total=True)
    first = stale[0]
    more = len({_place(one) for one in stale}) - 1
    return Silence(f"{_who(first)}{f' and {more} more' if more else ''} {_silent_for(first, now)}", first.short_reason)


def _silent_for(source: SourceHealth, now: datetime) -> str:
    since = ago(source.since, now)
    return f"not responding for {since}" if since else "not responding"


def unwatched_clusters(sources: Iterable[SourceHealth]) -> list[str]:
    """Return the clusters that respond while nobody knows whether their alerts fire."""
    states = {(one.source.kind, one.source.scope): one.state for one in sources}
    stale = [scope for (kind, scope), state in states.items() if kind == "alerts" and state == "stale"]
    return [scope for scope in stale if states.get(("rollouts", scope)) != "stale"]


def worth_saying(kind: SourceKind, sources: Iterable[SourceHealth]) -> bool:
    """Return whether a kind of source says anything that another one does not."""
    states = {(current.source.kind, current.source.scope): current.state for current in sources}
    group = [current for current in sources if current.source.kind == kind]
    if kind not in _IMPLIED:
        return bool(group)
    usual = (states.get((_IMPLIED[kind], current.source.scope)) for current in group)
    return any(
        current.note or (current.state in {"stale", "waiting"} and current.state != other)
        for current, other in zip(group, usual, strict=True)
    )


def _place(source: SourceHealth) -> str:
    """Return what is down if this source does not respond: a cluster, or the source itself."""
    return source.source.scope if source.source.kind != "argocd" and source.source.scope else source.name


def _who(source: SourceHealth) -> str:
    """Return who does not respond: the whole cluster if its Rollouts are not readable, else the kind."""
    if source.source.kind == "argocd":
        return "argocd"
    return source.source.scope if source.source.kind == "rollouts" else source.name
