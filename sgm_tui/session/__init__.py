"""The session of a front end: snapshots out, intents in.

A session exists at once and empty; `wiring` connects it in the background and then gives it the services that write.
Reading never waits for writing, and read-only is refused in one place before anything is sent.
"""

from sgm_tui.session.live import LiveSession
from sgm_tui.session.write_services import WriteServices

__all__ = ["LiveSession", "WriteServices"]
