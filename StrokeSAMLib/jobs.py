"""Work off the GUI thread: one persistent worker, progress, cancel.

The worker touches neither MRML nor Qt. Its messages wait in a queue until the caller's own thread asks for them
with `Worker.poll` (from a timer in Slicer), so every callback runs on the thread that polls.

Slicer's main thread holds Python's global interpreter lock while it waits in Qt's event loop, so the worker goes on
only while Python on the main thread gives the lock up. `Worker.poll` can therefore wait: asleep, with the lock free.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from StrokeSAMLib.errors import Cancelled
from StrokeSAMLib.monitor import Monitor

Work = Callable[[Monitor], Any]


@dataclass
class Job:
    """One piece of work and the callbacks that `Worker.poll` runs about it.

    Exactly one of `finished`, `failed` and `cancelled` is called, once, after the last `progressed`.
    """

    work: Work
    finished: Callable[[Any], None] = lambda result: None
    failed: Callable[[BaseException], None] = lambda error: None
    cancelled: Callable[[], None] = lambda: None
    progressed: Callable[[float, str], None] = lambda fraction, text: None
    _cancel: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the job to stop at its next step; a job still waiting never starts. Safe from any thread."""
        self._cancel.set()


class Worker:
    """One daemon thread that runs jobs in the order of their submission.

    It is persistent because PyTorch and cuDNN keep their plans per thread: a new thread for each job would make
    them anew.
    """

    def __init__(self, name: str = "StrokeSAM worker"):
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._pending: list[Job] = []
        self._ended = 0

    def submit(self, job: Job) -> Job:
        """Queue `job` and return it; the thread starts with the first job."""
        if not self._thread.is_alive():
            self._thread.start()
        self._pending.append(job)
        self._jobs.put(job)
        return job

    @property
    def busy(self) -> bool:
        """Whether a job is waiting, running, or done but not yet polled."""
        return bool(self._pending)

    def poll(self, patience: float = 0.0) -> None:
        """Run, on this thread, the callbacks that the worker has asked for since the last call.

        With `patience`, seconds, wait so long for more of them, unless a job ends: see the top of this file.
        """
        end, ended = time.monotonic() + patience, self._ended
        while True:
            wait = 0.0 if self._ended != ended else max(end - time.monotonic(), 0.0)
            try:
                message = self._messages.get(timeout=wait)
            except queue.Empty:
                return
            message()

    def tell(self, message: Callable[[], None]) -> None:
        """From within a job: have `message` run by the next `poll`."""
        self._messages.put(message)

    def cancel_all(self) -> None:
        """Cancel the running job and every waiting one."""
        for job in list(self._pending):
            job.cancel()

    def stop(self, timeout: float | None = None) -> None:
        """Cancel everything and end the thread, waiting at most `timeout` seconds for it."""
        self.cancel_all()
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            outcome = self._outcome(job)
            self._messages.put(lambda job=job, outcome=outcome: self._close(job, outcome))

    def _outcome(self, job: Job) -> Callable[[], None]:
        def progressed(fraction: float, text: str) -> None:
            self._messages.put(lambda: job.progressed(fraction, text))

        monitor = Monitor(progressed, job._cancel)
        try:
            monitor.check()
            result = job.work(monitor)
        except Cancelled:
            return job.cancelled
        except BaseException as error:  # whatever it is, the thread that polls must hear of it
            # `error` is unbound when this block ends, so the closure needs a name of its own.
            failure = error
            return lambda: job.failed(failure)
        # A cancel that comes after the work is done, but before it is polled, still holds.
        return lambda: job.cancelled() if job._cancel.is_set() else job.finished(result)

    def _close(self, job: Job, outcome: Callable[[], None]) -> None:
        self._pending.remove(job)
        self._ended += 1
        outcome()
