"""What tests of the prompt editor do: use the mouse, wait for the worker, and read the segment."""

import time

import pytest

pytest.importorskip("slicer")

from balls import box_of, xy_of
from nodes import segment_array, world_of

from StrokeSAMLib.interactive import Box, Point

AXIAL = ((0, 0, 1), (1, 0, 0))  # normal and right


def finish(editor, seconds=60):
    """Poll as the timer does, until the editor is idle."""
    end = time.monotonic() + seconds
    while editor.busy and time.monotonic() < end:
        editor.poll()
        time.sleep(0.005)
    editor.poll()
    assert not editor.busy


def drag(pointer, node, first, second):
    """Press, move and release; returns the pointer's band before the release."""
    pointer.press(first, node)
    pointer.move(tuple((a + b) / 2 for a, b in zip(first, second, strict=True)))
    pointer.move(second)
    band = pointer.band
    pointer.release(second)
    return band


def draw_box(pointer, node, volume):
    """Draw a box around the ball."""
    first, second = (xy_of(node, corner) for corner in box_of(volume))
    return drag(pointer, node, first, second)


def add_box(editor, volume):
    """Add a box around the ball without the mouse."""
    first, second = ((-x, -y, z) for x, y, z in box_of(volume))
    editor.add(Box(first, second), AXIAL)


def add_point(editor, volume, ijk, positive=True):
    """Add a point at a voxel (i, j, k)."""
    x, y, z = world_of(volume, ijk)
    editor.add(Point((-x, -y, z), positive), AXIAL)


def written(target):
    """The voxels of the target's segment."""
    return segment_array(target.segmentationNode, target.segmentId, target.volumeNode)
