"""The repositories of the services, as far as comparisons of two versions need them."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from typing import Any

from sgm_tui.sandbox.github.call import Call, Reply
from sgm_tui.sandbox.github.pulls import GitHubError

_VERSION = re.compile(r"v\d+\.\d+\.\d+")
_SUBJECTS = (
    "fix: a retry that never gave up",
    "feat: a faster first page",
    "refactor: one client for all stores",
    "fix: the total of an empty basket",
    "feat: prices in the buyer's currency",
    "chore: renew the base image",
    "perf: one query instead of many",
    "test: the slow path of a payment",
)


def compare(call: Call) -> Reply:
    """Answer `GET /repos/{owner}/{service}/compare/{base}...{head}`, with the same commits for the same versions."""
    service, base, head = call.match["service"], call.match["base"], call.match["head"]
    paths = call.github.repository.paths("main", "dev/app-service/")
    has_service = any(path.split("/")[2] == service for path in paths)
    if not has_service or not _VERSION.fullmatch(base) or not _VERSION.fullmatch(head):
        raise GitHubError(404, "Not Found")
    commits = list(_commits(call, service, base, head)) if base != head else []
    return Reply({
        "status": "ahead" if commits else "identical",
        "ahead_by": len(commits),
        "behind_by": 0,
        "total_commits": len(commits),
        "html_url": f"https://github.com/{call.match['owner']}/{service}/compare/{base}...{head}",
        "commits": commits,
        "files": [],
    })  # fmt: skip


def _commits(call: Call, service: str, base: str, head: str) -> Iterator[dict[str, Any]]:
    chance = random.Random(f"{service} {base} {head}")
    people = sorted(call.github.people)
    for subject in chance.sample(_SUBJECTS, chance.randint(2, 5)):
        login = chance.choice(people)
        sha = hashlib.sha1(f"{service} {base} {head} {subject}".encode(), usedforsecurity=False).hexdigest()
        person = {"name": call.github.people[login], "email": f"{login}@acme.example", "date": "2026-11-01T10:00:00Z"}
        yield {
            "sha": sha,
            "html_url": f"https://github.com/acme/{service}/commit/{sha}",
            "commit": {"message": subject, "author": person, "committer": person},
            "author": call.write.user(login),
            "parents": [],
        }
