"""Reviewers, assignees and labels of a new pull request: the owners of the changed files, from CODEOWNERS."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.proposal import Proposal
from sgm_tui.forge.connection import Connection, StatusError
from sgm_tui.forge.wire import Pull


@dataclass(frozen=True, slots=True)
class Reviewers:
    """The reviewers of one pull request."""

    users: tuple[str, ...] = ()
    """Logins."""
    teams: tuple[str, ...] = ()
    """Slugs."""
    skipped: tuple[str, ...] = ()
    """Owners whose review cannot be requested, each with the reason."""


def reviewers_of(owners: Sequence[str], author: str, organisation: str) -> Reviewers:
    """Return the reviewers among the owners of all changed files.

    Args:
        owners: "@user", "@org/team" or an e-mail, as CODEOWNERS names them.
        author: login of the author; GitHub refuses the whole request where the author is among the reviewers.
        organisation: the one whose teams can review.
    """
    users, teams, skipped = [], [], []
    for owner in dict.fromkeys(owners):
        name = owner.removeprefix("@")
        home, slash, team = name.partition("/")
        if name == owner:
            skipped.append(f"{owner} is an e-mail: GitHub asks its account itself")
        elif slash and home.lower() != organisation.lower():
            skipped.append(f"{owner} is no team of {organisation}")
        elif slash:
            teams.append(team)
        elif name.lower() != author.lower():
            users.append(name)
    return Reviewers(tuple(users), tuple(teams), tuple(skipped))


def is_assigned(request: PullRequest, proposal: Proposal) -> bool:
    """Return whether a pull request has its labels, which are added last: its reviews have then been requested."""
    return set(proposal.labels) <= set(request.labels)


def assign(connection: Connection, root: str, pull: Pull, proposal: Proposal) -> list[str]:
    """Request reviews, assign people and add labels; return what GitHub refused, which fails nothing.

    Args:
        connection: to GitHub.
        root: the path of the repository.
        pull: the pull request.
        proposal: the change it was opened for.
    """
    path, issue = f"{root}/pulls/{pull.number}/requested_reviewers", f"{root}/issues/{pull.number}"

    def request(users: Sequence[str], teams: Sequence[str]) -> str:
        body = {"reviewers": list(users), "team_reviewers": list(teams)}
        return _reason_if_refused(lambda: connection.write("POST", path, body))

    reviewers = reviewers_of(proposal.reviewers, pull.author, root.split("/")[2])
    refusals = [*reviewers.skipped, *_request_reviews(reviewers, request)]
    # Only people can be assigned; a team that owns the path is requested as reviewer and no more.
    for name, values in (("assignees", reviewers.users), ("labels", proposal.labels)):
        work = functools.partial(connection.write, "POST", f"{issue}/{name}", {name: list(values)})
        if values and (reason := _reason_if_refused(work)):
            refusals.append(f"{name} were refused ({reason})")
    return refusals


def _reason_if_refused(work: Callable[[], object]) -> str:
    """Run an optional step; return GitHub's reason if it refuses, "" if it does not."""
    try:
        work()
    except StatusError as error:
        return error.message
    return ""


def _request_reviews(reviewers: Reviewers, request: Callable[[Sequence[str], Sequence[str]], str]) -> list[str]:
    """Request all reviews together, and one by one where that fails: one unknown name fails the whole request."""
    users, teams = reviewers.users, reviewers.teams
    if not (users or teams) or not (reason := request(users, teams)):
        return []
    if len(users) + len(teams) == 1:
        return [f"reviewers were refused ({reason})"]
    reasons = [(user, request((user,), ())) for user in users] + [(team, request((), (team,))) for team in teams]
    return [f"reviewer {name} was refused ({reason})" for name, reason in reasons if reason]
