"""Background jobs: one persistent worker thread with progress and cancellation.

The worker touches neither MRML nor Qt. It puts its callbacks into a queue, and `Worker.poll` runs them on the thread
that calls it (from a timer in Slicer).

Slicer's main thread holds Python's global interpreter lock while it waits in Qt's event loop. The worker can run only
while Python code on the main thread releases the lock. `Worker.poll` can therefore wait, asleep and with the lock
released.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from StrokeSAMLib.core.errors import Cancelled
from StrokeSAMLib.core.monitor import Monitor

Work = Callable[[Monitor], Any]


@dataclass
class Job:
    """A function to run in the background, and the callbacks that `Worker.poll` runs for it.

    Exactly one of `finished`, `failed` and `cancelled` is called, once, after the last `progressed`.

    Attributes:
        work: called as ``work(monitor)`` on the worker thread.
        finished: called with the result of `work`.
        failed: called with the exception that `work` raised.
        cancelled: called if the job was cancelled.
        progressed: called as ``progressed(fraction, text)`` with a fraction in [0, 1].
    """

    work: Work
    finished: Callable[[Any], None] = lambda result: None
    failed: Callable[[BaseException], None] = lambda error: None
    cancelled: Callable[[], None] = lambda: None
    progressed: Callable[[float, str], None] = lambda fraction, text: None
    _cancel: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Stop the job at its next step; a waiting job never starts. Safe from any thread."""
        self._cancel.set()


class Worker:
    """One daemon thread that runs jobs in the order of their submission.

    The thread is persistent because PyTorch and cuDNN keep their plans per thread: a new thread for each job would
    build them again.
    """

    def __init__(self, name: str = "StrokeSAM worker"):
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._callbacks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._pending: list[Job] = []
        self._ended_count = 0

    def submit(self, job: Job) -> Job:
        """Queue `job` and return it; the first job starts the thread."""
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
        """Run the queued callbacks on this thread.

        Args:
            patience: wait up to this many seconds for further callbacks, or until a job ends (see the top of this
                file).
        """
        deadline, ended_before = time.monotonic() + patience, self._ended_count
        while True:
            wait = 0.0 if self._ended_count != ended_before else max(deadline - time.monotonic(), 0.0)
            try:
                callback = self._callbacks.get(timeout=wait)
            except queue.Empty:
                return
            callback()

    def post(self, callback: Callable[[], None]) -> None:
        """Queue `callback` for the next `poll`; call this from within a job."""
        self._callbacks.put(callback)

    def cancel_all(self) -> None:
        """Cancel the running job and every waiting job."""
        for job in list(self._pending):
            job.cancel()

    def stop(self, timeout: float | None = None) -> None:
        """Cancel all jobs and end the thread; wait at most `timeout` seconds for it."""
        self.cancel_all()
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            final_callback = self._execute(job)
            self._callbacks.put(lambda job=job, final_callback=final_callback: self._close(job, final_callback))

    def _execute(self, job: Job) -> Callable[[], None]:
        """Run the job's work; the callback that reports how it ended."""

        def progressed(fraction: float, text: str) -> None:
            self._callbacks.put(lambda: job.progressed(fraction, text))

        monitor = Monitor(progressed, job._cancel)
        try:
            monitor.check()
            result = job.work(monitor)
        except Cancelled:
            return job.cancelled
        except BaseException as error:  # every exception is reported on the thread that polls
            # `error` is unbound when this block ends, so the closure needs a name of its own.
            failure = error
            return lambda: job.failed(failure)
        # The job may still be cancelled between the end of its work and the poll.
        return lambda: job.cancelled() if job._cancel.is_set() else job.finished(result)

    def _close(self, job: Job, final_callback: Callable[[], None]) -> None:
        self._pending.remove(job)
        self._ended_count += 1
        final_callback()
