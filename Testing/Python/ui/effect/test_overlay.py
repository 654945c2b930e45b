"""The drawing of prompts and the preview in a slice view, rendered off-screen."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from balls import MIDDLE, axial, box_of, slice_node, xy_of  # noqa: E402
from nodes import world_of  # noqa: E402
from prompt_editing import drag, draw_box, finish  # noqa: E402
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from StrokeSAMLib.ui.effect.overlay import Overlay  # noqa: E402


def render(overlay, size=400):
    """The overlay's image (row, column, colour)."""
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetSize(size, size)
    window.AddRenderer(renderer)
    for actor in overlay.actors:
        renderer.AddViewProp(actor)
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.Update()
    return vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(size, size, -1)[..., :3]


def test_prompts_and_preview_are_drawn_at_their_places(scene, editor, pointer, volume):
    node = axial(scene, volume)
    overlay = Overlay(node)
    draw_box(pointer, node, volume)
    finish(editor)
    overlay.update(editor, pointer)
    drawn = render(overlay).any(axis=2)
    rows, columns = np.nonzero(drawn)
    first, second = np.array([xy_of(node, corner) for corner in box_of(volume)])
    low, high = np.minimum(first, second), np.maximum(first, second)
    np.testing.assert_allclose([columns.min(), rows.min()], low, atol=3)
    np.testing.assert_allclose([columns.max(), rows.max()], high, atol=3)
    inside = drawn[int(low[1]) + 4 : int(high[1]) - 3, int(low[0]) + 4 : int(high[0]) - 3]
    assert inside.any()  # the preview


def test_nothing_is_drawn_on_another_slice_or_another_plane(scene, editor, pointer, volume):
    draw_box(pointer, axial(scene, volume), volume)
    finish(editor)
    far = world_of(volume, (MIDDLE[2], MIDDLE[1], MIDDLE[0] + 3))
    for node in (
        slice_node(scene, far, (-1, 0, 0), (0, -1, 0)),
        slice_node(scene, world_of(volume, MIDDLE[::-1]), (-1, 0, 0), (0, 0, -1)),
    ):
        overlay = Overlay(node)
        overlay.update(editor, pointer)
        assert not render(overlay).any()


def test_the_band_is_drawn_while_dragging(scene, editor, pointer, volume):
    node = axial(scene, volume)
    overlay = Overlay(node)
    pointer.press((100, 100), node)
    pointer.move((200, 160))
    overlay.update(editor, pointer)
    drawn = render(overlay).any(axis=2)
    assert drawn[100, 150] and drawn[160, 150] and drawn[130, 100] and not drawn[130, 150]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_point_has_the_same_size_at_any_resolution(scene, editor, pointer, volume, scale):
    """A green plus sign of 12 logical pixels, with a line around it."""
    node = axial(scene, volume)
    pointer.tool = "positive"
    place = xy_of(node, world_of(volume, MIDDLE[::-1]))
    drag(pointer, node, place, place)
    finish(editor)
    overlay = Overlay(node)
    overlay.update(editor, pointer, scale)
    image = render(overlay)
    # The preview may be drawn in cyan.
    rows, columns = np.nonzero((image[..., 1] > 150) & (image[..., 0] < 80) & (image[..., 2] < 180))
    for width in (np.ptp(rows), np.ptp(columns)):
        assert 12 * scale <= width <= 27 * scale
