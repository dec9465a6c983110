"""Where `sgm` begins: before anything is loaded an interrupt simply ends it, without a word of Python's."""

from __future__ import annotations

import signal


def main() -> int:
    """Run `sgm` and return its exit code."""
    python_s = signal.default_int_handler
    waits = signal.getsignal(signal.SIGINT) is python_s  # whoever started us may have had it ignored: it stays so
    if waits:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sgm_tui import cli

    if waits:
        signal.signal(signal.SIGINT, python_s)
    return cli.main()
