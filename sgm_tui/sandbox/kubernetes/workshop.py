"""What all simulated controllers of one cluster share."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sgm_tui.sandbox.kubernetes.events import Recorder
from sgm_tui.sandbox.kubernetes.objects import ObjectStore
from sgm_tui.sandbox.kubernetes.timestamps import Timestamps
from sgm_tui.sandbox.kubernetes.work_queue import WorkQueue


@dataclass(frozen=True, slots=True)
class Workshop:
    """The object store, work queue, timestamps, events and random numbers of one cluster."""

    store: ObjectStore
    queue: WorkQueue
    marks: Timestamps
    events: Recorder
    random: random.Random
