"""Another process that holds a file of ours, as a second sgm on a slow disk would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import sys
from pathlib import Path
from sgm_tui.operations.state_files import lock_file
with lock_file(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(file: Path) -> Iterator[Callable[[], None]]:
    """Hold `file` in another process; the function lets it go."""
    program = [sys.executable, "-c", _PROGRAM, str(file)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"

        def let_go() -> None:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
                process.wait(10)

        try:
            yield let_go
        finally:
            let_go()
