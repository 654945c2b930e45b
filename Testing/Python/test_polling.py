"""A worker beside a main thread that holds Python's lock while it waits for events, as Slicer's does."""

import ctypes
import os
import sys
import time

import pytest
from fake_qt import make_module

from StrokeSAMLib.jobs import Job, Worker

STEPS = 40
TRIES = 3

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no usleep to hold the lock with")


@pytest.fixture
def polling(monkeypatch):
    """The class Polling, on a fake of Qt."""
    monkeypatch.setitem(sys.modules, "qt", make_module())
    monkeypatch.delitem(sys.modules, "StrokeSAMLib.ui.polling", raising=False)
    from StrokeSAMLib.ui.polling import Polling

    yield Polling
    sys.modules.pop("StrokeSAMLib.ui.polling", None)


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.stop(timeout=5)


def lets_go_often(monitor):
    """Gives the lock up and asks for it again, as each call of NumPy or PyTorch does; as fast on a busy machine."""
    for _ in range(STEPS):
        time.sleep(0.002)


def duration(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def wait_for_events(timer):
    """Qt's event loop in Slicer: until the timer is due the lock is held (a `PyDLL` does not let it go)."""
    end = time.monotonic() + 30
    while timer.active:
        ctypes.PyDLL(None).usleep(int(timer.interval * 1000))
        timer.send("timeout()")
        assert time.monotonic() < end


def test_the_worker_goes_on_while_the_main_thread_waits_for_events(polling, worker):
    made = polling(worker)

    def beside_the_event_loop():
        worker.submit(Job(lets_go_often))
        made.wake()
        wait_for_events(made._timer)

    alone = min(duration(lambda: lets_go_often(None)) for _ in range(TRIES))
    assert min(duration(beside_the_event_loop) for _ in range(TRIES)) < 3 * alone


def test_ended_by_a_callback_it_does_not_tick_again(polling, worker):
    made = polling(worker)
    worker.submit(Job(lambda monitor: None, finished=lambda result: made.end()))
    worker.submit(Job(lambda monitor: time.sleep(0.05)))
    made.wake()
    timer = made._timer
    slots = list(timer.slots["timeout()"])
    while timer.active:
        slots[0]()
    assert worker.busy and not timer.slots
