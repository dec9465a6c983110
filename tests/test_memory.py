"""All threads of a dashboard share one heap, where the C library lets one ask for that."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, ctypes, sys, threading
from sgm_tui.memory import share_one_heap

async def start():
    share_one_heap()

asyncio.run(start())
here = threading.Barrier(8)

def work():
    kept = [bytearray(5_000) for _ in range(200)]
    here.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
told = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="needs glibc to tell its heaps"
)
def test_threads_share_one_heap(tmp_path: Path) -> None:
    told = tmp_path / "heaps.xml"
    subprocess.run([sys.executable, "-c", PROGRAM, str(told)], check=True)
    assert told.read_text().count("<heap nr=") == 1
