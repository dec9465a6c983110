"""The pull request documents of GitHub's API as JSON, with the absolute URLs that clients follow."""

from __future__ import annotations

from sgm_tui.sandbox.github.commits import FileChange
from sgm_tui.sandbox.github.git_json import Document, GitDocuments
from sgm_tui.sandbox.github.pulls import CheckRun, Comment, PullRequest, Review


class Documents(GitDocuments):
    """Build every document of the API."""

    def team(self, slug: str) -> Document:
        """Return a team of the organisation."""
        url = f"{self.base}/orgs/{self.owner}/teams/{slug}"
        number = 5000 + sum(slug.encode())
        return {
            "id": number, "node_id": f"T_{number}", "name": slug, "slug": slug, "url": url, "description": "",
            "privacy": "closed", "permission": "push", "html_url": f"https://github.com/orgs/{self.owner}/teams/{slug}",
            "members_url": f"{url}/members{{/member}}", "repositories_url": f"{url}/repos",
        }  # fmt: skip

    def label(self, name: str) -> Document:
        """Return a label."""
        number = 9000 + sum(name.encode())
        return {
            "id": number, "node_id": f"LA_{number}", "name": name, "url": f"{self.repo}/labels/{name}",
            "color": self.github.labels.get(name, "ededed"), "default": False, "description": None,
        }  # fmt: skip

    def pull(self, pull: PullRequest, *, full: bool = False) -> Document:
        """Return a pull request; in lists without the fields that GitHub computes."""
        url, issue = f"{self.repo}/pulls/{pull.number}", f"{self.repo}/issues/{pull.number}"
        document: Document = {
            **self._common(pull),
            "url": url,
            "issue_url": issue,
            "node_id": f"PR_{pull.number}",
            "commits_url": f"{url}/commits",
            "review_comments_url": f"{url}/comments",
            "comments_url": f"{issue}/comments",
            "statuses_url": f"{self.repo}/statuses/{pull.head_sha}",
            "diff_url": f"{self.web}/pull/{pull.number}.diff",
            "merged_at": self._stamp(pull.merged),
            "merge_commit_sha": pull.merge_commit or None,
            "draft": pull.draft,
            "requested_reviewers": [self.user(one) for one in pull.requested_users],
            "requested_teams": [self.team(one) for one in pull.requested_teams],
            "head": self._branch_end(pull.head, pull.head_sha, pull.fork),
            "base": self._branch_end(pull.base, pull.base_sha),
            "author_association": "MEMBER",
            "auto_merge": self._auto_merge(pull),
            "_links": {"self": {"href": url}, "html": {"href": f"{self.web}/pull/{pull.number}"},
                       "issue": {"href": issue}},
        }  # fmt: skip
        return document | self._computed_fields(pull) if full else document

    def _common(self, pull: PullRequest) -> Document:
        """Return the fields that a pull request and its issue share."""
        return {
            "id": 70_000 + pull.number,
            "number": pull.number,
            "state": pull.state,
            "locked": False,
            "title": pull.title,
            "body": pull.body or None,
            "user": self.user(pull.login),
            "html_url": f"{self.web}/pull/{pull.number}",
            "labels": [self.label(one) for one in pull.labels],
            "assignee": self.user(pull.assignees[0]) if pull.assignees else None,
            "assignees": [self.user(one) for one in pull.assignees],
            "milestone": None,
            "created_at": self._stamp(pull.created),
            "updated_at": self._stamp(pull.updated),
            "closed_at": self._stamp(pull.closed),
        }

    def _computed_fields(self, pull: PullRequest) -> Document:
        changes = self.changes(pull)
        return {
            "merged": pull.merged is not None,
            "merged_by": self.user(pull.merged_by) if pull.merged_by else None,
            "mergeable": pull.mergeable if pull.closed is None else None,
            "mergeable_state": self.github.pulls.state_of(pull),
            "rebaseable": pull.mergeable if pull.closed is None else None,
            "maintainer_can_modify": False,
            "comments": len(pull.comments),
            "review_comments": 0,
            "commits": len(self.github.repository.commits(pull.base_sha, pull.head_sha)),
            "additions": sum(one.additions for one in changes),
            "deletions": sum(one.deletions for one in changes),
            "changed_files": len(changes),
        }

    def changes(self, pull: PullRequest) -> list[FileChange]:
        """Return the files of a pull request, compared with its merge base."""
        fork = self.github.repository.merge_base(pull.base_sha, pull.head_sha)
        return list(self.commits.changes(fork, pull.head_sha))

    def issue(self, pull: PullRequest) -> Document:
        """Return a pull request as the issue it also is."""
        url, closer = f"{self.repo}/issues/{pull.number}", pull.merged_by or pull.closed_by
        return {
            **self._common(pull),
            "url": url,
            "node_id": f"I_{pull.number}",
            "comments": len(pull.comments),
            "comments_url": f"{url}/comments",
            "closed_by": self.user(closer) if closer else None,
            "labels_url": f"{url}/labels{{/name}}",
            "repository_url": self.repo,
            "pull_request": {"url": f"{self.repo}/pulls/{pull.number}", "merged_at": self._stamp(pull.merged)},
        }

    def _auto_merge(self, pull: PullRequest) -> Document | None:
        auto_merge = pull.auto_merge
        if auto_merge is None:
            return None
        return {
            "enabled_by": self.user(auto_merge.login),
            "merge_method": auto_merge.method.lower(),
            "commit_title": auto_merge.title or None,
            "commit_message": auto_merge.message or None,
        }

    def _branch_end(self, branch: str, sha: str, fork: str = "") -> Document:
        owner, repository = self.owner, self.repository()
        if fork:
            owner = fork.partition("/")[0]
            repository |= {"full_name": fork, "fork": True, "owner": self.user(owner)}
        return {
            "label": f"{owner}:{branch}",
            "ref": branch,
            "sha": sha,
            "user": self.user(owner),
            "repo": repository,
        }

    def review(self, pull: PullRequest, review: Review) -> Document:
        """Return a review."""
        url = f"{self.repo}/pulls/{pull.number}"
        return {
            "id": review.id,
            "node_id": f"PRR_{review.id}",
            "user": self.user(review.login),
            "body": review.body,
            "state": review.state,
            "html_url": f"{self.web}/pull/{pull.number}#pullrequestreview-{review.id}",
            "pull_request_url": url,
            "submitted_at": self._stamp(review.at),
            "commit_id": review.commit,
            "author_association": "MEMBER",
        }

    def comment(self, pull: PullRequest, comment: Comment) -> Document:
        """Return a comment."""
        return {
            "id": comment.id,
            "node_id": f"IC_{comment.id}",
            "url": f"{self.repo}/issues/comments/{comment.id}",
            "html_url": f"{self.web}/pull/{pull.number}#issuecomment-{comment.id}",
            "issue_url": f"{self.repo}/issues/{pull.number}",
            "user": self.user(comment.login),
            "body": comment.body,
            "created_at": self._stamp(comment.at),
            "updated_at": self._stamp(comment.at),
        }

    def check_run(self, run: CheckRun, sha: str) -> Document:
        """Return a check run of a commit."""
        now = self.github.clock.now
        status = run.status(now)
        done = status == "completed"
        return {
            "id": run.id,
            "node_id": f"CR_{run.id}",
            "name": run.name,
            "head_sha": sha,
            "external_id": "",
            "url": f"{self.repo}/check-runs/{run.id}",
            "html_url": f"{self.web}/runs/{run.id}",
            "details_url": f"{self.web}/runs/{run.id}",
            "status": status,
            "conclusion": run.conclusion if done else None,
            "started_at": self._stamp(run.started if status != "queued" else run.queued),
            "completed_at": self._stamp(run.completed) if done else None,
            "output": {
                "title": run.title if done else None,
                "summary": run.summary if done else None,
                "text": None,
                "annotations_count": 0,
                "annotations_url": f"{self.repo}/check-runs/{run.id}/annotations",
            },
            "check_suite": {"id": run.id // 10},
            "app": {"id": 15368, "slug": "github-actions", "name": "GitHub Actions"},
            "pull_requests": [],
        }

    def _stamp(self, at: float | None) -> str | None:
        return None if at is None else self.github.clock.stamp(at)
