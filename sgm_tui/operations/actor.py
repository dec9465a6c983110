"""Who uses sgm: what the audit, a mark and a commit's `Sgm-By` say."""

from __future__ import annotations

import getpass
import os

from sgm_tui.untrusted_text import one_line

_LONGEST = 100
"""Characters of a name."""


def actor() -> str:
    """The person: in a GitHub workflow who set it off, for there the user is the runner's; else the system's user."""
    if os.environ.get("GITHUB_ACTIONS") == "true" and os.environ.get("GITHUB_ACTOR"):
        return one_line(os.environ["GITHUB_ACTOR"], _LONGEST)
    try:
        return one_line(getpass.getuser(), _LONGEST)
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # a container may run as somebody no file knows
