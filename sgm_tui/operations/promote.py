"""Promotion: a plan against the repository as it is now, and its pull requests.

What was shown is what is written: the preview fetches, edits and diffs; submitting fetches again, checks that every
value still is what the preview saw, commits in our own object database, pushes with compare-and-swap, and looks for
a pull request before it makes one. Each outward step is journalled before and audited after.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from sgm_tui.config import Config
from sgm_tui.errors import RefusedError, SgmError
from sgm_tui.fleet.codeowners import PLACES, Owners
from sgm_tui.fleet.observed import PullRequest
from sgm_tui.fleet.plan import Change, FileEdit, Plan, Preview, Progress, Proposal, Refusal
from sgm_tui.fleet.text import clean
from sgm_tui.gitops.edits import EditRefusedError, edit
from sgm_tui.operations.audit import Audit
from sgm_tui.operations.journal import Journal
from sgm_tui.operations.proposal import identity_of, message_of, proposals

_DIFF_CONTEXT = 3
_LONGEST_DIFF = 20_000
_AUTHOR = ("sgm", "sgm@users.noreply.github.com")


class DesiredFiles(Protocol):
    """The repository, as far as a promotion needs it."""

    async def fetch(self) -> str:
        """Bring everything here; the head of the branch."""
        ...

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit."""
        ...

    def tree(self, commit: str) -> Mapping[str, str]:
        """Path → content id of every file of a commit."""
        ...

    def heads(self) -> Mapping[str, str]:
        """Every branch of the server as last fetched."""
        ...

    def merge_base(self, one: str, other: str) -> str:
        """The newest common ancestor of two commits; "" when there is none."""
        ...

    async def commit(self, base: str, writes: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """Make a commit; no branch moves."""
        ...

    async def push(self, commit: str, branch: str, expected: str) -> None:
        """Let a branch of the server point to a commit, if it still points to `expected`."""
        ...


class Forge(Protocol):
    """Where pull requests are opened."""

    async def open(self, proposal: Proposal, head: str) -> tuple[PullRequest, bool, str]:
        """Find or make the pull request of a pushed branch: it, whether it was made, what was left undone."""
        ...

    async def auto_merge(self, number: int, head: str) -> str:
        """Let it merge by itself; "" or why not."""
        ...


class Promoter:
    """Turns plans into pull requests."""

    def __init__(
        self, config: Config, repository: DesiredFiles, forge: Forge | None, journal: Journal, audit: Audit
    ) -> None:
        self._config = config
        self._repository = repository
        self._forge = forge
        self._journal = journal
        self._audit = audit

    async def preview(self, plan: Plan) -> Preview:
        """The plan against a freshly fetched repository.

        Raises:
            SgmError: the repository cannot be reached.
        """
        head = await self._repository.fetch()
        return await asyncio.to_thread(self._previewed, head, plan)

    def _previewed(self, head: str, plan: Plan) -> Preview:
        edits: list[FileEdit] = []
        refusals: list[Refusal] = []
        for change in plan.changes:
            try:
                before, after = self._edited(head, change)
            except EditRefusedError as error:
                refusals.append(Refusal(change.path, str(error)))
                continue
            edits.append(FileEdit(change, _diff(change.path, before, after)))
        owners = self._owners(head)
        return Preview(head, proposals(edits, self._config.github.labels, owners.of), tuple(refusals))

    async def submit(self, preview: Preview) -> AsyncIterator[Progress]:
        """Commit, push and open every proposal of a preview; what fails says what to do and stops nothing else."""
        for proposal in preview.proposals:
            step = Progress("committing", proposal, f"committing {proposal.title}")
            yield step
            try:
                async for step in self._submit(proposal):
                    yield step
            except (SgmError, EditRefusedError) as error:
                yield Progress("failed", proposal, _what_next(step, error))

    async def _submit(self, proposal: Proposal) -> AsyncIterator[Progress]:
        if self._forge is None:
            raise SgmError("pull requests need github.repository in sgm.yaml", "Nothing was written.")
        changes = [one.change for one in proposal.edits]
        identity = identity_of(changes)
        self._journal.note(identity, "commit", branch=proposal.branch, title=proposal.title)
        head = await self._repository.fetch()
        writes = await asyncio.to_thread(self._writes, head, changes)
        if not writes:
            yield Progress("nothing", proposal, "git already wants this: nothing to do")
            return
        commit, expected = await asyncio.to_thread(self._pushed_already, proposal, changes, writes, head)
        known = bool(commit)
        if not known:
            commit = await self._repository.commit(head, writes, message_of(changes), _AUTHOR)
            self._journal.note(identity, "push", branch=proposal.branch, commit=commit)
            yield Progress("pushing", proposal, f"pushing {proposal.branch}", commit=commit)
            await self._repository.push(commit, proposal.branch, expected)
        # Told before it is written down: whatever fails from here on, the branch is on the server.
        yield Progress("opening", proposal, "opening the pull request", commit=commit)
        if not known:
            self._audit.record("push", operation=identity, branch=proposal.branch, commit=commit)
        async for step in self._open(proposal, identity, commit):
            yield step

    async def _open(self, proposal: Proposal, identity: str, commit: str) -> AsyncIterator[Progress]:
        if self._forge is None:
            return
        self._journal.note(identity, "open", branch=proposal.branch, commit=commit)
        request, made, left = await self._forge.open(proposal, commit)
        self._audit.record("open", operation=identity, number=request.number, commit=commit, made=made)
        if proposal.stage in self._config.github.auto_merge:
            self._journal.note(identity, "auto-merge", number=request.number)
            refused = await self._forge.auto_merge(request.number, commit)
            self._audit.record("auto-merge", operation=identity, number=request.number, refused=refused)
            left = "; ".join(one for one in (left, refused) if one)
        self._journal.note(identity, "done", number=request.number)
        word = "" if made else "is there already: "
        text = f"{word}{request.title}" + (f" ({left})" if left else "")
        yield Progress("opened" if made else "adopted", proposal, text, request.number, request.url, commit)

    def _writes(self, head: str, changes: list[Change]) -> dict[str, bytes]:
        """New content of every file that does not hold it already."""
        writes: dict[str, bytes] = {}
        for change in changes:
            before, after = self._edited(head, change, writes.get(change.path))
            if before != after:
                writes[change.path] = after
        return writes

    def _pushed_already(
        self, proposal: Proposal, changes: list[Change], writes: Mapping[str, bytes], head: str
    ) -> tuple[str, str]:
        """The commit of an earlier try ("" when a new one is needed), and what the push may go over.

        A branch of this name is only ever taken for ours when it changes exactly our files in exactly our way:
        nobody is to open, and let merge, what nobody was shown. A merged branch holds nothing that could get lost.
        """
        pushed = self._repository.heads().get(proposal.branch, "")
        base = self._repository.merge_base(head, pushed) if pushed else ""
        if not pushed or base == pushed:
            return "", pushed
        before, after = self._repository.tree(base), self._repository.tree(pushed)
        touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        held = {path: self._repository.read(pushed, path) for path in touched}
        if held == writes:
            return pushed, ""
        if held == self._writes(base, changes):
            # Ours, and main moved on beside it: the same change is made anew on top.
            return "", pushed
        raise RefusedError(
            f"the branch {proposal.branch} is there already and holds other changes too",
            "Nothing was written. Look at that branch; delete it, or merge it by hand.",
        )

    def _edited(self, head: str, change: Change, data: bytes | None = None) -> tuple[bytes, bytes]:
        before = data if data is not None else self._repository.read(head, change.path)
        if before is None:
            raise EditRefusedError(f"{change.path} is not in git any more")
        try:
            return before, edit(before, change.key, change.to_version, expected=change.from_version)
        except EditRefusedError as refused:
            # Somebody else may have brought the very same version meanwhile: then there is nothing to do.
            try:
                return before, edit(before, change.key, change.to_version, expected=change.to_version)
            except EditRefusedError:
                raise refused from None

    def _owners(self, head: str) -> Owners:
        for place in PLACES:
            data = self._repository.read(head, place)
            if data is not None:
                return Owners(data.decode("utf-8", "replace"))
        return Owners("")


def _diff(path: str, before: bytes, after: bytes) -> str:
    """A unified diff, made harmless for showing."""
    old, new = (data.decode("utf-8", "replace").splitlines() for data in (before, after))
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=_DIFF_CONTEXT, lineterm="")
    return clean("\n".join(lines), _LONGEST_DIFF, keep_lines=True)


def _what_next(reached: Progress, error: Exception) -> str:
    """What happened, how far it got, and what to do."""
    done = {
        "committing": "Nothing was written.",
        "pushing": "No pull request was made. Try again: a branch that did reach the server is found.",
        "opening": "The branch is pushed; try again and it is found, nothing is doubled.",
    }
    return f"{error}\n{done.get(reached.step, 'Try again: what is there already is found.')}"
