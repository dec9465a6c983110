"""The log file, written by its own thread, so that a slow disk never blocks the event loop."""

from __future__ import annotations

import logging
import os
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Queue
from typing import Any

from sgm_tui.redaction import redact


class _RedactingFormatter(logging.Formatter):
    """Removes secrets from every record, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), os.environ)


class LogFileHandler(QueueHandler):
    """Passes each record to the thread that writes it; `flush` and `close` wait until all of them are in the file.

    The logging module closes its handlers when the program ends, also after a crash.
    """

    def __init__(self, file: Path) -> None:
        """Open the file; a new one is readable only by its owner.

        Raises:
            OSError: the file cannot be opened.
        """
        records: Queue[Any] = Queue()
        super().__init__(records)
        self.setFormatter(logging.Formatter())  # the writing thread formats the record
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))  # logs name hosts and paths
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
        """Write the remaining records, and close the file."""
        if self._is_open:
            self._is_open = False
            self._listener.stop()
            self._file.close()
        super().close()
