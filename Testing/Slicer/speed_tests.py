"""What the effect costs the main thread, beside Slicer's own Paint on the same scene."""

import time

import numpy as np
import qt
import slicer
from slicer_case import SlicerCase, waitFor

ROWS = COLUMNS = 512
OBJECT = (slice(-3, 4), slice(200, 300), slice(180, 300))  # of the middle slice
# Main-thread CPU time of the effect beside that of Paint. Both draw in the same views and write with the same function
# of Slicer. The effect also draws its prompts and updates its panel: that is a constant, ALLOWANCE, for each action.
RATIO, ALLOWANCE = 1.0, 0.05
# No other step of the effect holds the main thread for longer, seconds. The rest is Slicer's drawing of its views.
LONGEST = 0.1
# A sign of work is seen after this time, seconds.
SIGN = 0.2
# In this time Slicer draws its views after an action, seconds.
SETTLED = 0.3


# Wider than the options of either effect, so that no effect changes the size of the views, pixels.
PANEL_WIDTH = 600


class SpeedTests(SlicerCase):
    def setUp(self):
        super().setUp()
        panel = slicer.util.mainWindow().findChild("QDockWidget")
        self.addCleanup(panel.setMinimumWidth, panel.minimumWidth)
        panel.setMinimumWidth(PANEL_WIDTH)

    def test_no_action_costs_the_main_thread_more_than_paint(self):
        for slices, transformed in ((40, False), (40, True), (200, False)):
            with self.subTest(slices=slices, transformed=transformed):
                slicer.mrmlScene.Clear(0)
                self.openScene(slices, transformed)
                paint, own = (self.timed(each) for each in (self.paintActions(), self.ownActions()))
                # The effect has drawn in a view, which is drawn once more without it; Paint has drawn nothing.
                paint["leave"] += self.timed([("draw", self.widget.sliceView().scheduleRender, lambda: True)])["draw"]
                for action, seconds in own.items():
                    print(f"{slices} slices, {action}: Paint {paint[action]:.3f} s, StrokeSAM {seconds:.3f} s")
                for action, seconds in own.items():
                    self.assertLessEqual(seconds, RATIO * paint[action] + ALLOWANCE, action)

    def test_a_sign_of_work_is_seen_at_once(self):
        self.openScene(200)
        self.editor.setActiveEffectByName("StrokeSAM")
        self.adoptEditor()
        self.settle()
        self.dragBox()
        self.assertTrue(self.progressBar().visible)
        start = time.thread_time()
        slicer.app.processEvents()  # paints the panel
        self.assertLess(time.thread_time() - start, SIGN)
        self.idle()

    def test_nothing_holds_the_main_thread_between_the_actions(self):
        self.openScene(200)
        self.editor.setActiveEffectByName("StrokeSAM")
        self.adoptEditor()
        self.effect.scriptedEffect.setParameter("AvoidOtherSegments", "1")
        times, poll = [], self.prompts.poll

        def timedPoll(patience=0.0):
            start = time.thread_time()
            poll(patience)
            times.append(time.thread_time() - start)

        self.prompts.poll = timedPoll
        self.dragBox()
        self.idle()
        self.assertLess(max(times), LONGEST)

    # Helpers

    def openScene(self, slices, transformed=False):
        """A volume of 512 × 512 × `slices` with ten segments, and an eleventh in the Segment Editor."""
        self.slices = slices
        values = np.random.default_rng(0).normal(30, 3, (slices, ROWS, COLUMNS)).astype(np.int16)
        middle = slice(slices // 2 + OBJECT[0].start, slices // 2 + OBJECT[0].stop)
        values[middle, OBJECT[1], OBJECT[2]] += 40
        self.volumeNode = slicer.util.addVolumeFromArray(values, name="Large")
        self.volumeNode.SetSpacing(0.5, 0.5, 1.0)
        if transformed:
            self.transform(self.volumeNode)
        slicer.util.setSliceViewerLayers(background=self.volumeNode, fit=True)
        self.segmentationNode = self.openEffect(self.volumeNode)
        self.editor.setActiveEffectByName("")
        labels = np.zeros(values.shape, np.uint8)
        for number in range(10):
            segment = self.segmentationNode.GetSegmentation().AddEmptySegment("", f"Stripe {number}")
            labels[:] = 0
            labels[:, 20:180, number * 50 : number * 50 + 45] = 1
            slicer.util.updateSegmentBinaryLabelmapFromArray(labels, self.segmentationNode, segment, self.volumeNode)
        self.editor.setCurrentSegmentID(self.segmentId)
        self.widget = self.view("Red", self.rasOf(self.volumeNode, (240, 250, slices // 2)))
        slicer.app.processEvents()

    def timed(self, actions):
        """The main thread's CPU time of each action until it has ended and is drawn, seconds."""
        times = {}
        for name, run, ended in actions:
            self.settle()
            start = time.thread_time()
            run()
            waitFor(ended, seconds=120)
            self.settle()
            times[name] = time.thread_time() - start
        return times

    def settle(self):
        end = time.monotonic() + SETTLED
        waitFor(lambda: time.monotonic() > end)

    def paintActions(self):
        """Activate Paint, a stroke, a click, a stroke across the object, and leave."""
        return [
            ("activate", lambda: self.editor.setActiveEffectByName("Paint"), lambda: True),
            ("first box", self.dragBox, lambda: True),
            ("point", self.clickPoint, lambda: True),
            ("write", self.dragBox, lambda: True),
            ("leave", lambda: self.editor.setActiveEffectByName(""), lambda: True),
        ]

    def ownActions(self):
        """Activate the effect, a box, a point, the result written into the segment, and leave."""
        return [
            ("activate", self.activate, lambda: True),
            ("first box", self.dragBox, lambda: not self.prompts.busy),
            ("point", self.clickInside, lambda: not self.prompts.busy),
            ("write", lambda: self.prompts.apply(), lambda: not self.prompts.busy),
            ("leave", lambda: self.editor.setActiveEffectByName(""), lambda: True),
        ]

    def activate(self):
        self.editor.setActiveEffectByName("StrokeSAM")
        self.adoptEditor()

    def corner(self, i, j):
        return self.xyOf(self.widget, self.rasOf(self.volumeNode, (i, j, self.slices // 2)))

    def dragBox(self):
        self.drag(self.widget, self.corner(170, 190), self.corner(310, 310))

    def clickPoint(self):
        self.drag(self.widget, self.corner(240, 250), self.corner(240, 250))

    def clickInside(self):
        self.effect.scriptedEffect.setParameter("Tool", "positive")
        self.clickPoint()

    def progressBar(self):
        return next(bar for bar in self.effect.scriptedEffect.optionsFrame().findChildren(qt.QProgressBar))
