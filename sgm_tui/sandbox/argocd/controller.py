"""A simulated Argo CD: notices commits, wishes and live changes, and lets the Applications be looked at.

Who wants an Application looked at: a commit (by web hook or by polling), the refresh annotation, a change of the
Application itself, a change of one of its live objects. `argocd_refresh` looks, `argocd_operations` syncs,
`argocd_sets` makes the Applications.
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
"""At most so many Applications are polled a real second: a bigger fleet is polled less often, as a real one is."""
_PASSING_SECONDS = 1.5
"""Real seconds over which a commit moves on the Applications it does not concern."""
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
        hub.listeners.append(self._noticed_on_hub)
        for target in targets.values():
            target.store.listeners.append(self._watcher(target.name))

    def prepare(self) -> None:
        """Look at git for the first time; a settled world is laid out from what is there."""
        self.context.head = self.context.repository.head()

    def begin(self) -> None:
        """End of laying out: what is there counts as compared, and from here on everything is noticed."""
        self._settling = False
        for application in self._all():
            name = application["metadata"]["name"]
            if (application.get("status") or {}).get("sync", {}).get("status"):
                self.refresher.remember(name)
            else:
                self.refresher.later(name, self.context.jitter(0.1, 1.0), latest=True)
        for name in self.sets.names():
            self.sets.adopt(name)
        self.context.agenda.after(self._poll_period(), self._poll)
        self.context.agenda.after(_REPORT_SECONDS, self._report)

    def step(self) -> None:
        """Do what is due."""
        self.context.agenda.run()

    def on_push(self) -> None:
        """The web hook of the repository: Argo CD looks a second or two later."""
        self.context.agenda.after(self.context.jitter(0.5, 1.5), self._pull)

    def _all(self) -> list[KubeObject]:
        return self.context.hub.list(KIND, self.context.applications.namespace)

    def _watcher(self, cluster: str) -> Any:
        """A listener for one cluster: who owns what changed in a way that can matter."""

        def noticed(event: str, kind: str, obj: KubeObject) -> None:
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
                self.refresher.later(name, self.context.jitter(0.02, 0.1), latest=False)

        return noticed

    def _noticed_on_hub(self, event: str, kind: str, obj: KubeObject) -> None:
        if kind == KIND:
            self._noticed_application(event, obj)
        elif kind == SET_KIND and event != "DELETED":
            name, metadata = obj["metadata"]["name"], obj["metadata"]
            mark = (metadata["generation"], SET_REFRESH in (metadata.get("annotations") or {}))
            noted = self._marks.get(("", kind, "", name))
            self._marks["", kind, "", name] = mark
            if noted != mark and not self._settling:
                self.context.agenda.after(self.context.jitter(0.05, 0.1), functools.partial(self.sets.reconcile, name))

    def _noticed_application(self, event: str, obj: KubeObject) -> None:
        """People write wishes into Applications; what Argo CD itself writes there is none."""
        metadata, name = obj["metadata"], obj["metadata"]["name"]
        self._changed = True
        if event == "DELETED":
            self._marks.pop(("", KIND, "", name), None)
            self.refresher.forget(name)
            if not self._settling:
                self._restore_later(obj)
            return
        wish: _Mark = (
            (metadata.get("annotations") or {}).get(REFRESH, ""),
            obj.get("spec"),
            "deletionTimestamp" in metadata,
            "operation" in obj,
        )
        old = self._marks.get(("", KIND, "", name))
        self._marks["", KIND, "", name] = wish
        if not self._settling and wish != old:
            self._act(name, wish, old)

    def _act(self, name: str, wish: _Mark, old: _Mark | None) -> None:
        refresh, spec, deleting, operation = wish
        if deleting:
            if old is None or not old[2]:
                self.refresher.delete(name, 0.1)
            return
        if operation and name not in self.operations.running:
            self.refresher.operate(name, self.context.jitter(0.02, 0.1))
        if old is not None and spec != old[1]:
            self._restore_later(self.context.applications.get(name) or {"metadata": {}})
        if old is None or spec != old[1] or (refresh and refresh != old[0]):
            if refresh:
                self.context.head = self.context.repository.head()
            if refresh == "hard":
                self.context.manifests.forget()
            self.refresher.later(name, self.context.jitter(0.1, 0.2), latest=True)

    def _restore_later(self, application: KubeObject) -> None:
        """Somebody changed or deleted it: the set the Application comes from has the last word about it."""
        for owner in application["metadata"].get("ownerReferences") or ():
            if owner["kind"] == SET_KIND and owner["name"] not in self._restoring:
                self._restoring.add(owner["name"])
                self.context.agenda.after(1.0, functools.partial(self._restore, owner["name"]))

    def _restore(self, name: str) -> None:
        self._restoring.discard(name)
        self.sets.reconcile(name, force=True)

    def _pull(self) -> None:
        """Look at the branch: Applications the news concerns are compared soon, the others only move on."""
        context = self.context
        head = context.repository.head()
        if head == context.head and all(self._is_at(one, head) for one in self._all()):
            return
        context.head = head
        for name in self.sets.names():
            context.agenda.after(context.jitter(0.1, 0.6), functools.partial(self.sets.reconcile, name))
        spread = _PASSING_SECONDS * context.clock.speed
        for application in self._all():
            name = application["metadata"]["name"]
            if self.refresher.concerned(application, head):
                self.refresher.later(name, context.jitter(0.1, 0.8), latest=True)
            else:
                context.agenda.after(context.jitter(0.1, spread), functools.partial(self.refresher.pass_by, name, head))

    @staticmethod
    def _is_at(application: KubeObject, commit: str) -> bool:
        sync = (application.get("status") or {}).get("sync") or {}
        return sync.get("revision") == commit or commit in (sync.get("revisions") or ())

    def _poll_period(self) -> float:
        """Virtual seconds between two rounds of polling."""
        return max(_POLL_SECONDS, len(self._all()) / _POLLS_A_SECOND * self.context.clock.speed)

    def _poll(self) -> None:
        """One round: every Application is looked at afresh some time during it."""
        period = self._poll_period()
        self._pull()
        for application in self._all():
            name = application["metadata"]["name"]
            look = functools.partial(self.refresher.later, name, 0.0, latest=True)
            self.context.agenda.after(self.context.jitter(0.0, period), look)
        self.context.agenda.after(period + self.context.jitter(0.0, _POLL_JITTER), self._poll)

    def _report(self) -> None:
        if self._changed:
            self._changed = False
            self.sets.report()
        self.context.agenda.after(_REPORT_SECONDS * max(1.0, self.context.clock.speed / 2), self._report)


def _mark(obj: KubeObject) -> _Mark:
    """All of an object that a comparison could notice; parts are shared with the store, so this is cheap."""
    metadata = obj["metadata"]
    parts = tuple(value for key, value in obj.items() if key not in {"metadata", "status"})
    return (*parts, metadata.get("labels"), metadata.get("annotations"), health_of(obj))
