"""The checks a team requires of a pull request, each judged by its own name.

Other checks say nothing here: a linter nobody requires may fail, and ten that pass make up for no required one that
never began. Only success is success: what is absent, unknown, neutral or was skipped has found nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.case import Finding, failed, passed, unknown

_FAILED = {
    "failure": "has failed",
    "error": "has failed",
    "cancelled": "was cancelled",
    "timed_out": "timed out",
    "action_required": "requires manual action",
    "startup_failure": "could not start",
    "stale": "was given up",
}
_NOT_ENDED = frozenset({"queued", "in_progress", "pending", "waiting", "requested", "expected"})
_SAYS_NOTHING = {
    "neutral": "ended neutral, which does not count as success",
    "skipped": "was skipped, which does not count as success",
}
_WORST = {"fail": 0, "unknown": 1, "warn": 2, "pass": 3}


def required(request: PullRequest, names: Iterable[str]) -> Finding:
    """Whether every check of these names was successful; the reason names each that was not, the worst first.

    Args:
        request: an open pull request.
        names: what the policy requires; at least one.
    """
    found = [_one(request, name) for name in dict.fromkeys(names)]
    missing = sorted((one for one in found if one.kind != "pass"), key=lambda one: _WORST[one.kind])
    if not missing:
        return passed(f"#{request.number}: {', '.join(one.reason for one in found)} passed")
    reason = f"#{request.number}: {'; '.join(one.reason for one in missing)}"
    return failed(reason) if missing[0].kind == "fail" else unknown(reason)


def _one(request: PullRequest, name: str) -> Finding:
    """One check; where several report under one name, as a run and as a status, the worst of them counts."""
    words = [word for known, word in request.results if known == name]
    if not words:
        return unknown(f"{name} has not reported")
    return min((_said(name, word) for word in words), key=lambda one: _WORST[one.kind])


def _said(name: str, word: str) -> Finding:
    if word == "success":
        return passed(name)
    if word in _FAILED:
        return failed(f"{name} {_FAILED[word]}")
    if word in _NOT_ENDED:
        return failed(f"{name} is still running ({word.replace('_', ' ')})")
    return unknown(f"{name} {_SAYS_NOTHING.get(word, f'says {word}, which does not count as success')}")
