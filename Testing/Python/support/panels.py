"""Support for tests of the module's panel: its widgets, stand-ins for view and logic, and waiting."""

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from xml.etree import ElementTree

from helpers import ROOT
from lesion_results import block, lesion_result

from StrokeSAMLib.core.errors import Cancelled
from StrokeSAMLib.lesion import METHODS

PANEL = ElementTree.parse(ROOT / "StrokeSAM/Resources/UI/StrokeSAM.ui")
WIDGETS = {widget.get("name"): widget for widget in PANEL.iter("widget")}


class FakeView:
    """A view that records its calls."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))

    @contextmanager
    def waiting(self):
        self.calls.append(("waiting", True))
        yield
        self.calls.append(("waiting", False))

    def all(self, name):
        """The arguments of every call of the method `name`."""
        return [call[1:] for call in self.calls if call[0] == name]

    def last(self, name):
        """The arguments of the last call of the method `name`."""
        return self.all(name)[-1]


def poll_until_idle(target, seconds=60):
    deadline = time.monotonic() + seconds
    while target.busy:
        assert time.monotonic() < deadline
        target.poll()
        time.sleep(0.002)


class FakeLogic:
    """Prepares a request that runs until `go` is set, and records the results that are applied."""

    def __init__(self):
        self.go, self.applied, self.maps, self.refuse = threading.Event(), [], [], None
        self.jumps, self.lesion, self.error = [], block(2, 2, 2), None

    def prepare(self, inputs, method, **options):
        self.prepared = (inputs, method, options)
        if self.refuse:
            raise self.refuse
        return SimpleNamespace(run=self._run, notes=("CT: resampled",), names={"ncct": "CT"})

    def _run(self, progress, cancel):
        while not self.go.wait(0.005):
            progress(0.3, "waiting")
            if cancel.is_set():
                raise Cancelled()
        if self.error:
            raise self.error
        return lesion_result(self.lesion, ncct=40.0 - 8.0 * self.lesion)

    def fitting(self, request, segmentationNode):
        return segmentationNode

    def apply(self, request, result, segmentationNode):
        self.applied.append(segmentationNode)
        return segmentationNode or "new"

    def addProbability(self, request, result):
        self.maps.append(result)

    def jumpTo(self, position):
        self.jumps.append(position)


def new_state(**changes):
    """The choices in a new scene, with some changes."""
    inputs = {entry.key: None for method in METHODS for entry in method.inputs}
    choices = {**inputs, "method": "asymmetry", "segmentation": None, "device": "auto", "probability": False}
    return SimpleNamespace(**{**choices, "options": "{}", **changes})
