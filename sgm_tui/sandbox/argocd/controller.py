"""A simulated Argo CD: notices commits, requests and live changes, and refreshes the Applications they affect.

An Application is refreshed after a commit (found by web hook or polling), by the refresh annotation, after a change of
the Application itself and after a change of one of its live objects. `refresh` compares, `operations` syncs and
`application_sets` generates the Applications.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from typing import Any

from sgm_tui.sandbox.agenda import Agenda
from sgm_tui.sandbox.argocd.application_sets import SET_KIND, SET_REFRESH, ApplicationSets
from sgm_tui.sandbox.argocd.applications import KIND, REFRESH, Applications
from sgm_tui.sandbox.argocd.context import Context, Target
from sgm_tui.sandbox.argocd.health import health_of
from sgm_tui.sandbox.argocd.manifests import Manifests, Repository
from sgm_tui.sandbox.argocd.operations import Operations
from sgm_tui.sandbox.argocd.refresh import Refresher
from sgm_tui.sandbox.argocd.sync import tracked_by
from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.objects import KubeObject, ObjectStore

_POLL_SECONDS = 120.0
_POLL_JITTER = 60.0
_POLLS_A_SECOND = 10.0
"""The most Applications polled in a real second: a bigger fleet is polled less often, as with a real Argo CD."""
_PASSING_SECONDS = 1.5
"""Real seconds over which the Applications a commit does not affect move to its revision."""
_REPORT_SECONDS = 10.0

_Mark = tuple[object, ...]


class ArgoController:
    """Argo CD on one hub."""

    def __init__(
        self,
        hub: ObjectStore,
        targets: Mapping[str, Target],
        repository: Repository,
        clock: Clock,
        *,
        seed: str,
        namespace: str = "argocd",
    ) -> None:
        applications = Applications(hub, clock, namespace)
        generator = random.Random(f"{seed}:argocd")
        self.context = Context(
            applications, targets, repository, Manifests(repository), clock, Agenda(clock), generator
        )
        self.operations = Operations(self.context)
        self.refresher = Refresher(self.context, self.operations)
        self.sets = ApplicationSets(self.context)
        self._marks: dict[tuple[str, str, str, str], _Mark] = {}
        self._restoring: set[str] = set()
        self._changed = False
        self._settling = True
        hub.listeners.append(self._notice_on_hub)
        for target in targets.values():
            target.store.listeners.append(self._build_listener(target.name))

    def prepare(self) -> None:
        """Fetch the newest commit, from which a settled world is laid out."""
        self.context.head = self.context.repository.head()

    def begin(self) -> None:
        """Start watching: the laid-out Applications count as compared."""
        self._settling = False
        for application in self._all():
            name = application["metadata"]["name"]
            if (application.get("status") or {}).get("sync", {}).get("status"):
                self.refresher.mark_as_compared(name)
            else:
                self.refresher.refresh_later(name, self.context.jitter(0.1, 1.0), latest=True)
        for name in self.sets.names():
            self.sets.adopt(name)
        self.context.agenda.after(self._poll_period(), self._poll)
        self.context.agenda.after(_REPORT_SECONDS, self._report)

    def step(self) -> None:
        """Run what is due."""
        self.context.agenda.run()

    def on_push(self) -> None:
        """Handle the web hook of the repository: Argo CD fetches a second or two later."""
        self.context.agenda.after(self.context.jitter(0.5, 1.5), self._pull)

    def _all(self) -> list[KubeObject]:
        return self.context.hub.list(KIND, self.context.applications.namespace)

    def _build_listener(self, cluster: str) -> Any:
        """Return a listener for one cluster, which refreshes the owner of an object whose comparison may change."""

        def notice(event: str, kind: str, obj: KubeObject) -> None:
            name = tracked_by(obj)
            if not name:
                return
            metadata = obj["metadata"]
            key = (cluster, kind, metadata.get("namespace", ""), metadata["name"])
            old = self._marks.pop(key, None)
            if event != "DELETED":
                self._marks[key] = mark = _mark(obj)
                if old == mark:
                    return
            if not self._settling:
                self.refresher.refresh_later(name, self.context.jitter(0.02, 0.1), latest=False)

        return notice

    def _notice_on_hub(self, event: str, kind: str, obj: KubeObject) -> None:
        if kind == KIND:
            self._notice_application(event, obj)
        elif kind == SET_KIND and event != "DELETED":
            name, metadata = obj["metadata"]["name"], obj["metadata"]
            mark = (metadata["generation"], SET_REFRESH in (metadata.get("annotations") or {}))
            noted = self._marks.get(("", kind, "", name))
            self._marks["", kind, "", name] = mark
            if noted != mark and not self._settling:
                self.context.agenda.after(self.context.jitter(0.05, 0.1), functools.partial(self.sets.reconcile, name))

    def _notice_application(self, event: str, obj: KubeObject) -> None:
        """React to what clients write into Applications, but not to what Argo CD writes there itself."""
        metadata, name = obj["metadata"], obj["metadata"]["name"]
        self._changed = True
        if event == "DELETED":
            self._marks.pop(("", KIND, "", name), None)
            self.refresher.forget(name)
            if not self._settling:
                self._restore_later(obj)
            return
        request: _Mark = (
            (metadata.get("annotations") or {}).get(REFRESH, ""),
            obj.get("spec"),
            "deletionTimestamp" in metadata,
            "operation" in obj,
        )
        old = self._marks.get(("", KIND, "", name))
        self._marks["", KIND, "", name] = request
        if not self._settling and request != old:
            self._act(name, request, old)

    def _act(self, name: str, request: _Mark, old: _Mark | None) -> None:
        refresh, spec, deleting, operation = request
        if deleting:
            if old is None or not old[2]:
                self.refresher.delete_later(name, 0.1)
            return
        if operation and name not in self.operations.running:
            self.refresher.operate_later(name, self.context.jitter(0.02, 0.1))
        if old is not None and spec != old[1]:
            self._restore_later(self.context.applications.get(name) or {"metadata": {}})
        if old is None or spec != old[1] or (refresh and refresh != old[0]):
            if refresh:
                self.context.head = self.context.repository.head()
            if refresh == "hard":
                self.context.manifests.forget()
            self.refresher.refresh_later(name, self.context.jitter(0.1, 0.2), latest=True)

    def _restore_later(self, application: KubeObject) -> None:
        """Let the ApplicationSet restore an Application that somebody changed or deleted."""
        for owner in application["metadata"].get("ownerReferences") or ():
            if owner["kind"] == SET_KIND and owner["name"] not in self._restoring:
                self._restoring.add(owner["name"])
                self.context.agenda.after(1.0, functools.partial(self._restore, owner["name"]))

    def _restore(self, name: str) -> None:
        self._restoring.discard(name)
        self.sets.reconcile(name, force=True)

    def _pull(self) -> None:
        """Fetch the branch: refresh the Applications a new commit affects, and move the others to its revision."""
        context = self.context
        head = context.repository.head()
        if head == context.head and all(self._is_at(application, head) for application in self._all()):
            return
        context.head = head
        for name in self.sets.names():
            context.agenda.after(context.jitter(0.1, 0.6), functools.partial(self.sets.reconcile, name))
        spread = _PASSING_SECONDS * context.clock.speed
        for application in self._all():
            name = application["metadata"]["name"]
            if self.refresher.is_affected(application, head):
                self.refresher.refresh_later(name, context.jitter(0.1, 0.8), latest=True)
            else:
                context.agenda.after(context.jitter(0.1, spread), functools.partial(self.refresher.move_to, name, head))

    @staticmethod
    def _is_at(application: KubeObject, commit: str) -> bool:
        sync = (application.get("status") or {}).get("sync") or {}
        return sync.get("revision") == commit or commit in (sync.get("revisions") or ())

    def _poll_period(self) -> float:
        """Return the virtual seconds between two rounds of polling."""
        return max(_POLL_SECONDS, len(self._all()) / _POLLS_A_SECOND * self.context.clock.speed)

    def _poll(self) -> None:
        """Start a round of polling, which refreshes every Application once."""
        period = self._poll_period()
        self._pull()
        for application in self._all():
            name = application["metadata"]["name"]
            look = functools.partial(self.refresher.refresh_later, name, 0.0, latest=True)
            self.context.agenda.after(self.context.jitter(0.0, period), look)
        self.context.agenda.after(period + self.context.jitter(0.0, _POLL_JITTER), self._poll)

    def _report(self) -> None:
        if self._changed:
            self._changed = False
            self.sets.report()
        self.context.agenda.after(_REPORT_SECONDS * max(1.0, self.context.clock.speed / 2), self._report)


def _mark(obj: KubeObject) -> _Mark:
    """Return all parts of an object that can change a comparison; they are shared with the store, so this is cheap."""
    metadata = obj["metadata"]
    parts = tuple(value for key, value in obj.items() if key not in {"metadata", "status"})
    return (*parts, metadata.get("labels"), metadata.get("annotations"), health_of(obj))
