"""What a new pull request is given: the owners of what it changes as reviewers, people as assignees, and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sgm_tui.fleet.observed import PullRequest
from sgm_tui.fleet.proposal import Proposal

Tried = Callable[[Callable[[], object]], str]
"""Does something; why GitHub refused it, or ""."""


@dataclass(frozen=True, slots=True)
class Reviewers:
    """Who is asked to review one pull request."""

    users: tuple[str, ...] = ()
    """Logins."""
    teams: tuple[str, ...] = ()
    """Slugs."""
    left: tuple[str, ...] = ()
    """Owners nobody can ask, each with why."""


def reviewers_of(owners: Sequence[str], author: str, organisation: str) -> Reviewers:
    """Whom to ask of the owners of all changed files.

    Args:
        owners: "@user", "@org/team" or an e-mail, as CODEOWNERS names them.
        author: login of who opened it; GitHub refuses the whole request where its author is among those asked.
        organisation: whose teams can be asked.
    """
    users, teams, left = [], [], []
    for owner in dict.fromkeys(owners):
        name = owner.removeprefix("@")
        home, slash, team = name.partition("/")
        if name == owner:
            left.append(f"{owner} is an e-mail: GitHub asks its account itself")
        elif slash and home.lower() != organisation.lower():
            left.append(f"{owner} is no team of {organisation}")
        elif slash:
            teams.append(team)
        elif name.lower() != author.lower():
            users.append(name)
    return Reviewers(tuple(users), tuple(teams), tuple(left))


def is_dressed(known: PullRequest, proposal: Proposal) -> bool:
    """Whether somebody who opened it came as far as its labels, which are given last."""
    return set(proposal.labels) <= set(known.labels)


def dress(pull: Any, proposal: Proposal, organisation: str, tried: Tried) -> list[str]:
    """Ask for reviews, assign, and label; what fails is told, and fails nothing.

    Args:
        pull: PyGithub's pull request.
        proposal: what it is opened for.
        organisation: whose teams can be asked.
        tried: calls GitHub.
    """
    found = reviewers_of(proposal.reviewers, str(pull.user.login), organisation)
    left = [*found.left, *_ask(pull, found, tried)]
    # Only people can be assigned; a team that owns the path is asked to review and no more.
    if found.users and (told := tried(lambda: pull.add_to_assignees(*found.users))):
        left.append(f"assignees were refused ({told})")
    if proposal.labels and (told := tried(lambda: pull.add_to_labels(*proposal.labels))):
        left.append(f"labels were refused ({told})")
    return left


def _ask(pull: Any, found: Reviewers, tried: Tried) -> list[str]:
    """One name GitHub does not know fails a whole request: the others are then asked apart."""

    def asked(users: Sequence[str], teams: Sequence[str]) -> str:
        return tried(lambda: pull.create_review_request(reviewers=list(users), team_reviewers=list(teams)))

    if not (found.users or found.teams) or not (told := asked(found.users, found.teams)):
        return []
    if len(found.users) + len(found.teams) == 1:
        return [f"reviewers were refused ({told})"]
    alone = [(one, asked((one,), ())) for one in found.users] + [(one, asked((), (one,))) for one in found.teams]
    return [f"reviewer {one} was refused ({why})" for one, why in alone if why]
