"""A worker next to a main thread that holds Python's lock while it waits for events, as Slicer's main thread does."""

import ctypes
import os
import sys
import time

import pytest
from fake_qt import make_module, send

from StrokeSAMLib.core.jobs import Job, Worker

STEPS = 40
TRIES = 3

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no usleep, which holds the lock")


@pytest.fixture
def polling(monkeypatch):
    """The class Polling, with a stand-in for Qt."""
    monkeypatch.setitem(sys.modules, "qt", make_module())
    monkeypatch.delitem(sys.modules, "StrokeSAMLib.ui.polling", raising=False)
    from StrokeSAMLib.ui.polling import Polling

    yield Polling
    sys.modules.pop("StrokeSAMLib.ui.polling", None)


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.stop(timeout=5)


def release_lock_often(monitor):
    """Release the lock and take it again, as calls of NumPy or PyTorch do. A busy machine does not slow this down."""
    for _ in range(STEPS):
        time.sleep(0.002)


def duration(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def wait_for_events(timer):
    """Do as Qt's event loop in Slicer: hold the lock until the timer is due (a `PyDLL` does not release it)."""
    end = time.monotonic() + 30
    while timer.active:
        ctypes.PyDLL(None).usleep(int(timer.interval * 1000))
        send(timer, "timeout()")
        assert time.monotonic() < end


@pytest.mark.perf
def test_the_worker_runs_while_the_main_thread_waits_for_events(polling, worker):
    panel_polling = polling(worker)

    def beside_the_event_loop():
        worker.submit(Job(release_lock_often))
        panel_polling.wake()
        wait_for_events(panel_polling._timer)

    alone = min(duration(lambda: release_lock_often(None)) for _ in range(TRIES))
    assert min(duration(beside_the_event_loop) for _ in range(TRIES)) < 3 * alone


def test_the_timer_does_not_start_again_after_a_callback_ended_it(polling, worker):
    panel_polling = polling(worker)
    worker.submit(Job(lambda monitor: None, finished=lambda result: panel_polling.end()))
    worker.submit(Job(lambda monitor: time.sleep(0.05)))
    panel_polling.wake()
    timer = panel_polling._timer
    slots = list(timer.record.slots["timeout()"])
    while timer.active:
        slots[0]()
    assert worker.busy and not timer.record.slots
