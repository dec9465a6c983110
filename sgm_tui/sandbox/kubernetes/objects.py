"""The objects of one embedded API server: what etcd stores, and the registry's rules for writes.

Controllers call this store directly, and writes of people come to it through HTTP; listeners and watches see both.
Objects are never changed in place: a write replaces the whole object and shares unchanged parts, which makes comparing,
watching and reading the past cheap.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgm_tui.sandbox.clock import Clock
from sgm_tui.sandbox.kubernetes.kinds import BY_KIND, Generation, Resource
from sgm_tui.sandbox.kubernetes.owners import OwnerIndex, without_owner
from sgm_tui.sandbox.kubernetes.revisions import Change, KubeObject, Shelf, Version
from sgm_tui.sandbox.kubernetes.status import (
    ApiError,
    already_exists,
    bad_request,
    immutable,
    modified_since,
    not_found,
    precondition_failed,
)

__all__ = ["ApiError", "KubeObject", "ObjectStore"]

_SERVERS_OWN = (
    "uid", "creationTimestamp", "generation", "resourceVersion", "namespace",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip

_WRITES_PER_SECOND = 10_000
"""More than any store does over its whole life."""

Objects = list[KubeObject]

Listener = Callable[[str, str, KubeObject], None]


def _key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


def _resource(kind: str) -> Resource:
    resource = BY_KIND.get(kind)
    if resource is None:
        raise ApiError(404, "NotFound", f'no matches for kind "{kind}"')
    return resource


class ObjectStore:
    """Everything one API server stores.

    Listeners are called after a change is stored, in the order of changes. They must not write to the store from the
    call; they queue the work and do it in their own step.

    Longer than 200 lines because reading, writing, deleting and garbage collection share one revision counter: every
    change must be numbered, indexed and published in a single step.
    """

    def __init__(self, clock: Clock, *, seed: str, window: int = 4096) -> None:
        """Start empty; a watch may be `window` changes of a kind behind before it expires."""
        self.clock = clock
        self._window = window
        self._random = random.Random(f"{seed}:objects")
        # Revisions of a store started later are higher: what a client still holds from an earlier one has expired.
        self._revision = int(clock.started_at.timestamp()) * _WRITES_PER_SECOND
        self._origin = self._revision
        self._shelves: dict[str, Shelf] = {}
        self._owners = OwnerIndex()
        self.listeners: list[Listener] = []

    @property
    def revision(self) -> int:
        """Return the resourceVersion of the newest change."""
        return self._revision

    def get(self, kind: str, namespace: str, name: str) -> KubeObject | None:
        """Return the object of that name, or None."""
        version = self.version(kind, namespace, name)
        return version.object if version else None

    def list(self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> Objects:
        """Return all objects of a kind, of one namespace or of all, that have these labels, sorted by name."""
        objects = [version.object for version in self.shelf(kind).versions(namespace)]
        if not labels:
            return objects
        required = labels.items()
        return [obj for obj in objects if required <= (obj["metadata"].get("labels") or {}).items()]

    def owned(self, kind: str, uid: str) -> Objects:
        """Return the objects of a kind that have this uid among their owners, oldest first."""
        return [version.object for resource, version in self._dependents_of(uid) if resource.kind == kind]

    def version(self, kind: str, namespace: str, name: str) -> Version | None:
        """Return the newest version of one object, or None."""
        return self.shelf(kind).get(_key(namespace, name))

    def shelf(self, kind: str) -> Shelf:
        """All of one kind with its recent past: what lists and watches are served from.

        Raises:
            ApiError: no such kind.
        """
        shelf = self._shelves.get(kind)
        if shelf is None:
            _resource(kind)
            shelf = self._shelves[kind] = Shelf(self._window, self._origin)
        return shelf

    def compact(self) -> None:
        """Forget all history: every watch that has not seen the newest change expires, as after an etcd compaction."""
        for kind in BY_KIND:
            self.shelf(kind).compact(self._revision)

    def create(self, kind: str, obj: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Store a new object; sets uid, resourceVersion, generation 1 and, unless given, creationTimestamp.

        The status is kept, so a controller can create a thing as it stands after months; HTTP drops it before.

        Raises:
            ApiError: AlreadyExists, or BadRequest: no name, no namespace.
        """
        resource = _resource(kind)
        metadata = dict(obj.get("metadata") or {})
        name = metadata.get("name") or self._generated_name(metadata)
        if not name:
            raise bad_request("name or generateName is required")
        namespace = metadata.get("namespace", "") if resource.namespaced else ""
        if resource.namespaced and not namespace:
            raise bad_request("an empty namespace may not be set during creation")
        if self.version(kind, namespace, name) is not None:
            raise already_exists(resource, name)
        metadata.update(name=name, uid=self.new_uid())
        metadata.setdefault("creationTimestamp", self.clock.stamp())
        for part in ("generation", "resourceVersion", "deletionTimestamp"):
            metadata.pop(part, None)
        if resource.generation is not Generation.ABSENT:
            metadata["generation"] = 1
        if not resource.namespaced:
            metadata.pop("namespace", None)
        head = {"apiVersion": resource.api_version, "kind": kind, "metadata": metadata}
        stored = {**head, **{part: value for part, value in obj.items() if part not in head}}
        return stored if dry_run else self._store(resource, _key(namespace, name), stored, None)

    def write(self, kind: str, obj: KubeObject, *, subresource: str = "", dry_run: bool = False) -> KubeObject:
        """Replace an object: all of it, or with subresource "status" only its status.

        A resourceVersion in `obj` must be the newest one. A write that changes nothing keeps the resourceVersion and
        is no event. Taking the last finalizer off an object being deleted deletes it.

        Raises:
            ApiError: NotFound, Conflict (somebody wrote in between: read again), or Invalid (another uid).
        """
        resource = _resource(kind)
        previous = self._current(resource, obj["metadata"])
        old = previous.object
        if subresource == "status":
            rest = {part: value for part, value in old.items() if part != "status"}
            obj = {**rest, "status": obj["status"]} if "status" in obj else rest
        metadata = self._merged_metadata(old, obj)
        replacement = {**obj, "apiVersion": old["apiVersion"], "kind": kind, "metadata": metadata}
        if replacement == old:
            return old
        if resource.generation is not Generation.ABSENT and _raises_generation(resource, old, replacement):
            metadata["generation"] = old["metadata"].get("generation", 0) + 1
        if dry_run:
            return replacement
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            return self._remove(resource, previous, replacement)
        return self._store(resource, previous.key, replacement, previous)

    def delete(
        self, kind: str, namespace: str, name: str, *, propagation: str = "Background",
        uid: str = "", resource_version: str = "",
    ) -> KubeObject:  # fmt: skip
        """Delete an object, or mark it as being deleted while it has finalizers; returns its last state.

        What it owns goes with it (Background after it, Foreground before it), or is left without an owner (Orphan).

        Raises:
            ApiError: NotFound, or Conflict when uid or resourceVersion are another object's.
        """
        resource = _resource(kind)
        previous = self.version(kind, namespace, name)
        if previous is None:
            raise not_found(resource, name)
        old = previous.object
        metadata = old["metadata"]
        if uid and uid != metadata["uid"]:
            raise precondition_failed(resource, name, field="UID", expected=uid, actual=metadata["uid"])
        if resource_version and resource_version != metadata["resourceVersion"]:
            newest = metadata["resourceVersion"]
            raise precondition_failed(resource, name, field="ResourceVersion", expected=resource_version, actual=newest)
        if propagation == "Orphan":
            self._orphan(metadata["uid"])
        elif propagation == "Foreground":
            self._collect(metadata["uid"])
        if kind == "Namespace":
            self._empty_namespace(name)
        if not metadata.get("finalizers"):
            return self._remove(resource, previous, old)
        if "deletionTimestamp" in metadata:
            return old
        new_metadata = {**metadata, "deletionTimestamp": self.clock.stamp(), "deletionGracePeriodSeconds": 0}
        if "generation" in metadata:
            new_metadata["generation"] = metadata["generation"] + 1
        return self._store(resource, previous.key, {**old, "metadata": new_metadata}, previous)

    def new_uid(self) -> str:
        """Return the next uid; the same seed gives the same ones."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _generated_name(self, metadata: Mapping[str, Any]) -> str:
        prefix: str = metadata.get("generateName") or ""
        if not prefix:
            return prefix
        # The alphabet of the real server: no vowels, nothing that reads like another character.
        return prefix + "".join(self._random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))

    def _current(self, resource: Resource, metadata: Mapping[str, Any]) -> Version:
        name = metadata["name"]
        current = self.version(resource.kind, metadata.get("namespace", "") if resource.namespaced else "", name)
        if current is None:
            raise not_found(resource, name)
        stored = current.object["metadata"]
        if metadata.get("uid", stored["uid"]) != stored["uid"]:
            raise immutable(resource, name, "metadata.uid", metadata["uid"])
        if metadata.get("resourceVersion", stored["resourceVersion"]) != stored["resourceVersion"]:
            raise modified_since(resource, name)
        return current

    @staticmethod
    def _merged_metadata(old: KubeObject, obj: KubeObject) -> dict[str, Any]:
        """Return the writer's metadata, with the fields that only the server may set unchanged."""
        metadata = dict(obj["metadata"])
        for part in _SERVERS_OWN:
            metadata.pop(part, None)
            if part in old["metadata"]:
                metadata[part] = old["metadata"][part]
        return metadata

    def _store(self, resource: Resource, key: str, obj: KubeObject, previous: Version | None) -> KubeObject:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        change = Change("MODIFIED" if previous else "ADDED", Version(obj, key, self._revision), previous)
        self._owners.update((resource.kind, key), previous.object if previous else None, obj)
        self._publish(resource.kind, change)
        return obj

    def _remove(self, resource: Resource, previous: Version, last: KubeObject) -> KubeObject:
        self._revision += 1
        deleted = {**last, "metadata": {**last["metadata"], "resourceVersion": str(self._revision)}}
        self._owners.update((resource.kind, previous.key), previous.object, None)
        self._publish(resource.kind, Change("DELETED", Version(deleted, previous.key, self._revision), previous))
        self._collect(deleted["metadata"]["uid"])
        return deleted

    def _publish(self, kind: str, change: Change) -> None:
        shelf = self.shelf(kind)
        shelf.record(change)
        for listener in tuple(self.listeners):
            listener(change.type, kind, change.version.object)
        shelf.wake()

    def _dependents_of(self, uid: str) -> Sequence[tuple[Resource, Version]]:
        dependents = ((BY_KIND[kind], self.shelf(kind).get(key)) for kind, key in self._owners.dependents(uid))
        return [(resource, version) for resource, version in dependents if version is not None]

    def _collect(self, uid: str) -> None:
        """Delete what only this owner owned; what has another owner loses this one."""
        for resource, version in self._dependents_of(uid):
            remainder = without_owner(version.object, uid)
            metadata = remainder["metadata"]
            if "ownerReferences" in metadata:
                self.write(resource.kind, remainder)
            else:
                self.delete(resource.kind, metadata.get("namespace", ""), metadata["name"])

    def _orphan(self, uid: str) -> None:
        """Remove this owner from all its dependents."""
        for resource, version in self._dependents_of(uid):
            self.write(resource.kind, without_owner(version.object, uid))

    def _empty_namespace(self, namespace: str) -> None:
        for kind, shelf in tuple(self._shelves.items()):
            if not BY_KIND[kind].namespaced:
                continue
            for version in shelf.versions(namespace):
                if version.key in shelf:  # an owner deleted before may have taken it along
                    self.delete(kind, namespace, version.object["metadata"]["name"])


def _raises_generation(resource: Resource, old: KubeObject, new: KubeObject) -> bool:
    if resource.generation is Generation.SPEC:
        return bool(old.get("spec") != new.get("spec"))
    return {**old, "metadata": None} != {**new, "metadata": None}
