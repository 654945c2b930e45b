"""The worker, and the module's panel on top of it, with fakes in the place of widgets and of MRML."""

import threading
import time
import types

import pytest
from test_report import block, lesion_result

from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.jobs import Job, Worker
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.ui.lesion_panel import LesionPanel


def poll_until_idle(target, seconds=10):
    deadline = time.monotonic() + seconds
    while target.busy:
        assert time.monotonic() < deadline
        target.poll()
        time.sleep(0.002)


class Record:
    """A job whose callbacks are written down with the thread they ran on."""

    def __init__(self, work):
        self.events, self.threads = [], set()
        names = ("finished", "failed", "cancelled", "progressed")
        self.job = Job(work, **{name: self._noting(name) for name in names})

    def _noting(self, name):
        def note(*arguments):
            self.events.append((name, *arguments))
            self.threads.add(threading.current_thread())

        return note


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.stop(timeout=5)


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

    def test_a_failure_is_told_and_the_next_job_runs(self, worker):
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


def test_monitor_parts_fill_their_share():
    seen = []
    monitor = Monitor(lambda fraction, text: seen.append(round(fraction, 3)))
    monitor.part(0.2, 0.6).part(0.5, 1.0).step(0.5, "")
    assert seen == [0.5]


class FakeView:
    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))

    def last(self, name):
        return next(call[1:] for call in reversed(self.calls) if call[0] == name)


class FakeLogic:
    """Prepares a request that waits until it is let go, and counts what is applied."""

    def __init__(self):
        self.go, self.applied, self.refuse = threading.Event(), [], None

    def prepare(self, inputs, method):
        if self.refuse:
            raise self.refuse
        return types.SimpleNamespace(run=self._run, notes=())

    def _run(self, progress, cancel):
        while not self.go.wait(0.005):
            progress(0.3, "waiting")
            if cancel.is_set():
                raise Cancelled()
        return lesion_result(block(2, 2, 2))

    def apply(self, request, result, segmentationNode):
        self.applied.append(result)
        return "segmentation"


class TestPanel:
    @pytest.fixture
    def panel(self):
        made = LesionPanel(FakeView(), FakeLogic())
        made.view, made.logic = made._view, made._logic
        yield made
        made.close()

    def test_shows_the_inputs_of_the_method_and_says_what_is_missing(self, panel):
        panel.setMethod("diffusion")
        assert panel.view.last("showInputs") == (("dwi", "adc", "b0"),)
        assert panel.view.last("setApplyEnabled")[0] is False
        panel.setInput("dwi", "node")
        assert panel.view.last("setApplyEnabled") == (False, "Select ADC or b=0 image")
        panel.setInput("b0", "node")
        assert panel.view.last("setApplyEnabled")[0] is True

    def test_runs_off_the_thread_and_applies_on_it(self, panel):
        panel.setMethod("asymmetry")
        panel.setInput("ncct", "node")
        written = []
        panel.applied = written.append
        panel.start(None)
        assert panel.view.last("setApplyEnabled") == (False, "Segmentation is under way")
        assert panel.logic.applied == []
        panel.logic.go.set()
        poll_until_idle(panel)
        assert len(panel.logic.applied) == 1
        assert written == ["segmentation"]
        rows = dict(panel.view.last("showResult")[0])
        assert rows["Volume"].endswith(" ml")
        assert panel.view.last("setRunning") == (False,)
        assert panel.view.last("setApplyEnabled")[0] is True

    def test_cancel_applies_nothing(self, panel):
        panel.setInput("ncct", "node")
        panel.start(None)
        panel.cancel()
        poll_until_idle(panel)
        assert panel.logic.applied == []
        assert panel.view.last("setRunning") == (False,)

    def test_a_refused_volume_is_told_in_the_panel(self, panel):
        panel.setInput("ncct", "node")
        panel.logic.refuse = InputError("CT: the volume has no voxels")
        panel.start(None)
        assert panel.view.last("showError") == ("CT: the volume has no voxels",)
        assert not panel.busy
