"""Reading and patching one Rollout of a cluster; a patch names the version that was read, and applies only to it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from sgm_tui.errors import RefusedError
from sgm_tui.fleet.model import ClusterName
from sgm_tui.fleet.rollouts.actions import Patch
from sgm_tui.fleet.rollouts.objects import RolloutObject
from sgm_tui.live.connection import AbsentError, ClusterConnection, decode
from sgm_tui.live.rollout_wire import RolloutWire, to_rollout
from sgm_tui.permission import NO_CONSENT, Consent

_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Current:
    """A Rollout as it was read from the API server."""

    rollout: RolloutObject
    version: str
    """Its `resourceVersion`: the server refuses a patch that names it once the Rollout has changed."""


class RolloutActor:
    """Reads and patches the Rollouts of one cluster."""

    def __init__(self, connection: ClusterConnection, cluster: ClusterName) -> None:
        self._connection = connection
        self._cluster = cluster

    async def read(self, namespace: str, name: str) -> Current:
        """Fetch a Rollout.

        Raises:
            RefusedError: there is none of that name.
            SgmError: the cluster refused the request or did not answer.
        """
        try:
            return self._decode(await self._connection.get(_path(namespace, name)))
        except AbsentError as error:
            where = f"{self._connection.context} has no Rollout {namespace}/{name} any more"
            raise RefusedError(f"{where}: nothing was done", "Check the cell and try again.") from error

    async def patch(self, current: Current, patch: Patch, consent: Consent = NO_CONSENT) -> Current:
        """Send one patch, once, and return the Rollout it results in.

        A CRD older than 0.10 has no status subresource: there the same patch is sent to the object itself.

        Raises:
            ConflictError: the Rollout has changed since it was read, and was not patched.
            SgmError: the server refused it, or did not answer: then it may have been applied.
        """
        path = _path(current.rollout.namespace, current.rollout.name)
        body = {**patch.body, "metadata": {"resourceVersion": current.version}}
        if patch.subresource:
            try:
                place = f"{path}/{patch.subresource}"
                return self._decode(await self._connection.patch(place, body, content_type=_MERGE, consent=consent))
            except AbsentError:
                await self.read(current.rollout.namespace, current.rollout.name)
        return self._decode(await self._connection.patch(path, body, content_type=_MERGE, consent=consent))

    def _decode(self, data: bytes) -> Current:
        wire: RolloutWire = decode(data, RolloutWire, self._connection)
        return Current(to_rollout(wire, self._cluster), wire.metadata.resource_version)


def _path(namespace: str, name: str) -> str:
    return f"/apis/argoproj.io/v1alpha1/namespaces/{quote(namespace, safe='')}/rollouts/{quote(name, safe='')}"
