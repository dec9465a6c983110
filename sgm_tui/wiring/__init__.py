"""The composition root: the one room that knows every adapter and connects a session to them.

A session exists at once and empty. The configuration, the client libraries and every connection come behind it in the
background, so that the first frame never waits, in the order in which a cell needs them: git, Argo CD and the clusters,
metrics, and then GitHub and all that writes.
"""

from sgm_tui.wiring.connection import Connection, open_session
from sgm_tui.wiring.directories import fleet_directory, state_directory

__all__ = ["Connection", "fleet_directory", "open_session", "state_directory"]
