"""What a new pull request is given: the owners of what it changes as reviewers, people as assignees, and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sgm_tui.fleet.facts import PullRequest
from sgm_tui.fleet.plans.proposal import Proposal
from sgm_tui.forge.connection import Connection, StatusError
from sgm_tui.forge.wire import Pull


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


def dress(connection: Connection, root: str, pull: Pull, proposal: Proposal) -> list[str]:
    """Ask for reviews, assign, and label; what GitHub refuses is told, and fails nothing.

    Args:
        connection: to GitHub.
        root: the path of the repository.
        pull: the pull request.
        proposal: what it is opened for.
    """
    path, issue = f"{root}/pulls/{pull.number}/requested_reviewers", f"{root}/issues/{pull.number}"

    def ask(users: Sequence[str], teams: Sequence[str]) -> str:
        body = {"reviewers": list(users), "team_reviewers": list(teams)}
        return _refusal_of(lambda: connection.write("POST", path, body))

    reviewers = reviewers_of(proposal.reviewers, pull.author, root.split("/")[2])
    refusals = [*reviewers.left, *_ask(reviewers, ask)]
    # Only people can be assigned; a team that owns the path is asked to review and no more.
    assignees, labels = {"assignees": list(reviewers.users)}, {"labels": list(proposal.labels)}
    if reviewers.users and (why := _refusal_of(lambda: connection.write("POST", f"{issue}/assignees", assignees))):
        refusals.append(f"assignees were refused ({why})")
    if proposal.labels and (why := _refusal_of(lambda: connection.write("POST", f"{issue}/labels", labels))):
        refusals.append(f"labels were refused ({why})")
    return refusals


def _refusal_of(work: Callable[[], object]) -> str:
    """Why GitHub refused what is no more than an addition; "" when it did not."""
    try:
        work()
    except StatusError as error:
        return error.words
    return ""


def _ask(reviewers: Reviewers, ask: Callable[[Sequence[str], Sequence[str]], str]) -> list[str]:
    """Ask all together; one name GitHub does not know fails the whole request: then each is asked apart."""
    if not (reviewers.users or reviewers.teams) or not (why := ask(reviewers.users, reviewers.teams)):
        return []
    if len(reviewers.users) + len(reviewers.teams) == 1:
        return [f"reviewers were refused ({why})"]
    alone = [(one, ask((one,), ())) for one in reviewers.users] + [(one, ask((), (one,))) for one in reviewers.teams]
    return [f"reviewer {one} was refused ({why})" for one, why in alone if why]
