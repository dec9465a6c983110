"""Index objects by the owners they name, for lookups by owner and for garbage collection."""

from __future__ import annotations

from collections.abc import Sequence

from sgm_tui.sandbox.kubernetes.revisions import KubeObject

ObjectKey = tuple[str, str]
"""Kind and `namespace/name`."""


class OwnerIndex:
    """The keys of all objects that name an owner, by the owner's uid."""

    def __init__(self) -> None:
        self._dependents: dict[str, dict[ObjectKey, None]] = {}

    def update(self, key: ObjectKey, old: KubeObject | None, new: KubeObject | None) -> None:
        """Follow one change of an object: `old` is None if it was created, `new` is None if it was deleted."""
        before = _owner_uids(old)
        after = _owner_uids(new)
        for uid in before - after:
            dependents = self._dependents[uid]
            del dependents[key]
            if not dependents:
                del self._dependents[uid]
        for uid in after - before:
            self._dependents.setdefault(uid, {})[key] = None

    def dependents(self, uid: str) -> Sequence[ObjectKey]:
        """Return the keys of the objects that name this owner, in the order in which they first named it."""
        return tuple(self._dependents.get(uid, ()))


def without_owner(obj: KubeObject, uid: str) -> KubeObject:
    """Return the object without its reference to this owner; without `ownerReferences` if it was the only one."""
    metadata = dict(obj["metadata"])
    owners = [owner for owner in metadata.pop("ownerReferences") if owner["uid"] != uid]
    if owners:
        metadata["ownerReferences"] = owners
    return {**obj, "metadata": metadata}


def _owner_uids(obj: KubeObject | None) -> set[str]:
    if obj is None:
        return set()
    return {owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()}
