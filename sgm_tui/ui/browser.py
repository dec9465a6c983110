"""Opening a web page beside the dashboard: never in its terminal, and never so that the dashboard waits for it.

Python's own way starts a text browser where there is no other, in the terminal that is taken already, and lets every
browser write there. So that is asked first, and the rest is left to a process of its own without a terminal.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import webbrowser
from pathlib import PurePath

_IN_THE_TERMINAL = frozenset({"www-browser", "links", "elinks", "lynx", "w3m", "links2", "browsh", "carbonyl"})


def open_page(url: str) -> str:
    """Open `url` in the person's browser; why it cannot be, or "" where it was handed over."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return "no browser found"
    name = PurePath(getattr(browser, "name", "")).name
    if name in _IN_THE_TERMINAL:
        return f"the only browser found, {name}, needs this terminal"
    try:
        started = subprocess.Popen(
            [sys.executable, "-m", "webbrowser", "-t", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"no process can be started: {error.strerror}"
    threading.Thread(target=started.wait, name="browser", daemon=True).start()  # or it stays as a zombie
    return ""
