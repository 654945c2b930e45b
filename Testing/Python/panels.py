"""What the tests of the module's panel share: its widgets, a view and a logic that remember, and patience."""

import threading
import time
from types import SimpleNamespace
from xml.etree import ElementTree

from helpers import ROOT
from lesion_results import block, lesion_result

from StrokeSAMLib.errors import Cancelled
from StrokeSAMLib.lesion import METHODS

PANEL = ElementTree.parse(ROOT / "StrokeSAM/Resources/UI/StrokeSAM.ui")
WIDGETS = {widget.get("name"): widget for widget in PANEL.iter("widget")}


class FakeView:
    """Remembers what it was told to show."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))

    def all(self, name):
        return [call[1:] for call in self.calls if call[0] == name]

    def last(self, name):
        return self.all(name)[-1]


def poll_until_idle(target, seconds=60):
    deadline = time.monotonic() + seconds
    while target.busy:
        assert time.monotonic() < deadline
        target.poll()
        time.sleep(0.002)


class FakeLogic:
    """Prepares a request that waits until it is let go, and remembers what is applied."""

    def __init__(self):
        self.go, self.applied, self.maps, self.refuse = threading.Event(), [], [], None

    def prepare(self, inputs, method, **options):
        self.given = (inputs, method, options)
        if self.refuse:
            raise self.refuse
        return SimpleNamespace(run=self._run, notes=("CT: resampled",))

    def _run(self, progress, cancel):
        while not self.go.wait(0.005):
            progress(0.3, "waiting")
            if cancel.is_set():
                raise Cancelled()
        lesion = block(2, 2, 2)
        return lesion_result(lesion, ncct=40.0 - 8.0 * lesion)

    def fitting(self, request, segmentationNode):
        return segmentationNode

    def apply(self, request, result, segmentationNode):
        self.applied.append(segmentationNode)
        return segmentationNode or "made"

    def addProbability(self, request, result):
        self.maps.append(result)


def new_state(**changes):
    chosen = {key: None for method in METHODS for entry in method.inputs for key in (entry.key,)}
    made = {**chosen, "method": "asymmetry", "segmentation": None, "device": "auto", "probability": False}
    return SimpleNamespace(**{**made, "options": "{}", **changes})
