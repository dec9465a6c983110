"""The sandbox as a child process: whoever waits for it is let go when it is stopped."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading

from sgm_tui.embedded import EmbeddedFleet
from sgm_tui.errors import UnreachableError


def test_who_waits_for_a_fleet_that_is_stopped_is_let_go_though_its_pipe_is_closed() -> None:
    told: list[str] = []
    asking = threading.Event()
    with (
        tempfile.TemporaryFile() as error_output,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        # The pipe outlives the process, as it does while another program holds its other end.
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=process.stdout) as holder,
    ):
        fleet = EmbeddedFleet(process, error_output)

        def wait() -> None:
            asking.set()
            try:
                fleet.wait_for_config_file()
            except UnreachableError as error:
                told.append(error.message)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert asking.wait(10)
        fleet.stop()
        waiting.join(10)
        assert not waiting.is_alive()
        holder.kill()
    assert len(told) == 1
    assert "stopped" in told[0]
