"""The `checks` gate: every check that the policy requires of a pull request has to be successful, by name.

Checks that are not required do not count. Only success passes: a check that is absent, unknown, neutral or skipped has
proved nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.gates.context import Finding, failed, passed, unknown

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


def check_required(request: PullRequest, names: Iterable[str]) -> Finding:
    """Check that every named check was successful; the reason names each that was not, the worst first.

    Args:
        request: an open pull request.
        names: what the policy requires; at least one.
    """
    findings = [_check_one(request, name) for name in dict.fromkeys(names)]
    missing = sorted((one for one in findings if one.kind != "pass"), key=lambda one: _WORST[one.kind])
    if not missing:
        return passed(f"#{request.number}: {', '.join(one.reason for one in findings)} passed")
    reason = f"#{request.number}: {'; '.join(one.reason for one in missing)}"
    return failed(reason) if missing[0].kind == "fail" else unknown(reason)


def _check_one(request: PullRequest, name: str) -> Finding:
    """Check one name; where several report under it, as a check run and as a status, the worst counts."""
    words = [word for check, word in request.results if check == name]
    if not words:
        return unknown(f"{name} has not reported")
    return min((_finding_of(name, word) for word in words), key=lambda one: _WORST[one.kind])


def _finding_of(name: str, word: str) -> Finding:
    if word == "success":
        return passed(name)
    if word in _FAILED:
        return failed(f"{name} {_FAILED[word]}")
    if word in _NOT_ENDED:
        return failed(f"{name} is still running ({word.replace('_', ' ')})")
    return unknown(f"{name} {_SAYS_NOTHING.get(word, f'says {word}, which does not count as success')}")
