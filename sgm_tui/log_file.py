"""The log file: written by a thread of its own, so that a slow disk never keeps the event loop waiting."""

from __future__ import annotations

import logging
import os
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Queue
from typing import Any

from sgm_tui.redaction import redact


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), os.environ)


class LogFileHandler(QueueHandler):
    """Hands each record to the thread that writes it; `flush` and `close` wait until all of them are in the file.

    Logging closes its handlers when the program ends, also after a crash.
    """

    def __init__(self, file: Path) -> None:
        """Open the file, readable by its owner only where it is new.

        Raises:
            OSError: it cannot be opened.
        """
        records: Queue[Any] = Queue()
        super().__init__(records)
        self.setFormatter(logging.Formatter())  # the record is laid out where it is written
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))  # it names hosts and paths
        self._records = records
        self._file = logging.FileHandler(file, encoding="utf-8")
        self._file.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._listener = QueueListener(records, self._file)
        self._listener.start()
        self._is_open = True

    def flush(self) -> None:
        """Wait until every record is in the file."""
        if self._is_open:
            self._records.join()
            self._file.flush()

    def close(self) -> None:
        """Write the records that are left, and close the file."""
        if self._is_open:
            self._is_open = False
            self._listener.stop()
            self._file.close()
        super().close()
