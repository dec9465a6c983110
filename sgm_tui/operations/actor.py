"""The user of sgm, as named in the audit log, in known-bad marks and in the commit trailer `Sgm-By`."""

from __future__ import annotations

import getpass
import os

from sgm_tui.untrusted_text import one_line

_LONGEST = 100
"""Characters of a name."""


def actor() -> str:
    """Return the name of the user.

    In a GitHub workflow it is who triggered it, because the system's user is the runner's; else the system's user.
    """
    if os.environ.get("GITHUB_ACTIONS") == "true" and os.environ.get("GITHUB_ACTOR"):
        return one_line(os.environ["GITHUB_ACTOR"], _LONGEST)
    try:
        return one_line(getpass.getuser(), _LONGEST)
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # a container may run as a user without an entry in /etc/passwd
