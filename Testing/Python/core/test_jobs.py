"""The worker: callbacks on the thread that polls, failures and cancellation; parts of a monitor."""

import threading
import time

import pytest
from panels import poll_until_idle

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.jobs import Job, Worker
from StrokeSAMLib.core.monitor import Monitor


class Record:
    """A job that records its callbacks and the threads that they ran on."""

    def __init__(self, work):
        self.events, self.threads = [], set()
        names = ("finished", "failed", "cancelled", "progressed")
        self.job = Job(work, **{name: self._recorder(name) for name in names})

    def _recorder(self, name):
        def record(*arguments):
            self.events.append((name, *arguments))
            self.threads.add(threading.current_thread())

        return record


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.stop(timeout=5)


class TestWorker:
    def test_progress_then_result_arrive_on_the_polling_thread(self, worker):
        def work(monitor):
            monitor.step(0.5, "half")
            return threading.current_thread()

        record = Record(work)
        worker.submit(record.job)
        poll_until_idle(worker)
        assert record.events[0] == ("progressed", 0.5, "half")
        assert record.events[1][0] == "finished"
        assert record.events[1][1] is not threading.current_thread()
        assert record.threads == {threading.current_thread()}

    def test_one_thread_runs_all_jobs_in_order(self, worker):
        records = [Record(lambda monitor, n=n: (n, threading.get_ident())) for n in range(5)]
        for record in records:
            worker.submit(record.job)
        poll_until_idle(worker)
        results = [record.events[0][1] for record in records]
        assert [n for n, _ in results] == list(range(5))
        assert len({ident for _, ident in results}) == 1

    def test_a_failure_is_reported_and_the_next_job_runs(self, worker):
        def fail(monitor):
            raise InputError("broken")

        records = [Record(fail), Record(lambda monitor: 7)]
        for record in records:
            worker.submit(record.job)
        poll_until_idle(worker)
        assert [str(argument) for argument in records[0].events[0]] == ["failed", "broken"]
        assert records[1].events == [("finished", 7)]

    def test_cancel_while_running_while_waiting_and_before_polling(self, worker):
        entered = threading.Event()

        def work(monitor):
            entered.set()
            while True:
                monitor.step(0.1, "working")
                time.sleep(0.002)

        running, waiting, done = Record(work), Record(lambda monitor: 1), Record(lambda monitor: 2)
        worker.submit(running.job)
        worker.submit(waiting.job)
        entered.wait(5)
        waiting.job.cancel()
        running.job.cancel()
        poll_until_idle(worker)
        assert running.events[-1] == ("cancelled",)
        assert waiting.events == [("cancelled",)]
        finished = threading.Event()
        done.job.work = lambda monitor: finished.set()
        worker.submit(done.job)
        finished.wait(5)
        done.job.cancel()
        poll_until_idle(worker)
        assert done.events == [("cancelled",)]

    def test_poll_with_patience_waits_until_a_job_ends(self, worker):
        def work(monitor):
            monitor.step(0.5, "half")
            time.sleep(0.02)

        record = Record(work)
        worker.submit(record.job)
        start = time.monotonic()
        worker.poll(patience=60)
        assert [event[0] for event in record.events] == ["progressed", "finished"]
        assert time.monotonic() - start < 60


def test_parts_of_a_monitor_are_scaled_to_the_whole():
    fractions = []
    monitor = Monitor(lambda fraction, text: fractions.append(round(fraction, 3)))
    monitor.part(0.2, 0.6).part(0.5, 1.0).step(0.5, "")
    assert fractions == [0.5]
