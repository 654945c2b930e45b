"""Mouse and keys of the effect, and their sharing with Slicer."""

import types

import pytest
from fake_qt import send
from helpers import dice

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, ball, box_of, xy_of  # noqa: E402
from effect_host import (  # noqa: E402
    EVENTS,
    cursor_file,
    drag,
    draw,
    finish,
    listed,
    living_shortcuts,
    mouse_event,
    of_kind,
    press_key,
    timer_runs,
    written,
)
from nodes import world_of  # noqa: E402


def test_slicer_handles_the_mouse_with_a_modifier_or_another_button(effect, red):
    assert drag(effect, red, (100, 100), (200, 200), shift=True) == [False, False, False]
    assert not mouse_event(effect, red, EVENTS.RightButtonPressEvent)
    assert not mouse_event(effect, red, EVENTS.MouseWheelForwardEvent)
    view3d = types.SimpleNamespace(className=lambda: "qMRMLThreeDWidget")
    assert not mouse_event(effect, view3d, EVENTS.LeftButtonPressEvent)


@pytest.fixture
def mouse(scene, effect):
    """The interaction node, whose changes Slicer reports to the effect."""
    node = slicer.vtkMRMLInteractionNode()
    node.SetSingletonTag("Singleton")
    node = scene.AddNode(node)
    node.AddObserver(EVENTS.ModifiedEvent, lambda caller, event: effect.interactionNodeModified(node))
    return node


@pytest.mark.parametrize("mode", ["Place", "AdjustWindowLevel"])
def test_slicer_handles_the_mouse_in_another_mouse_mode(effect, host, red, volume, mouse, mode):
    mouse.SetCurrentInteractionMode(getattr(mouse, mode))
    assert draw(effect, red, volume) == [False, False, False]
    red.cursor = "Slicer's"
    host.setParameter("Tool", "positive")
    assert red.cursor == "Slicer's"
    mouse.SetCurrentInteractionMode(mouse.ViewTransform)
    assert cursor_file(red.cursor).endswith("ToolPositive.png")
    assert draw(effect, red, volume) == [True, True, True]
    finish()
    assert len(listed()) == 1


def test_another_mouse_mode_ends_a_drag(effect, red, mouse):
    assert mouse_event(effect, red, EVENTS.LeftButtonPressEvent)
    mouse.SetCurrentInteractionMode(mouse.Place)
    assert not mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent)
    effect.deactivate()
    mouse.SetCurrentInteractionMode(mouse.ViewTransform)


@pytest.mark.parametrize("answer", ["NotConfirmed", "ConfirmedWithDialog"])
def test_a_press_that_asks_about_a_hidden_segment_draws_nothing(effect, host, red, volume, answer):
    """Slicer's dialog takes the release of the button, so neither the effect nor Slicer may wait for it."""
    host.confirmed = getattr(host, answer)
    assert draw(effect, red, volume) == [True, False, False]
    assert not timer_runs()
    host.confirmed = host.ConfirmedWithoutDialog
    assert draw(effect, red, volume) == [True, True, True]
    finish()
    assert len(listed()) == 1


def test_keys_in_a_slice_view_choose_tools_delete_and_propagate(effect, host, red, volume):
    assert press_key(effect, red, "p")
    assert cursor_file(red.cursor).endswith("ToolPositive.png")
    assert cursor_file(effect.createCursor(red)).endswith("ToolPositive.png")
    place = xy_of(red.node, world_of(volume, MIDDLE[::-1]))
    drag(effect, red, place, place)
    finish()
    assert listed() == [f"Point inside, slice {MIDDLE[0]}"]
    assert press_key(effect, red, "Return")
    finish()
    assert written(host).any()
    drag(effect, red, place, place)  # selects the point
    assert press_key(effect, red, "d")
    finish()
    assert listed() == []
    assert press_key(effect, red, "x")
    assert cursor_file(red.cursor).endswith("ToolBox.png")


def test_a_lasso_and_a_line_are_drawn_listed_and_written(effect, host, red, volume):
    k, j, i = MIDDLE
    corners = [(i - 10, j - 9), (i + 10, j - 9), (i + 10, j + 9), (i - 10, j + 9)]
    places = [tuple(map(round, xy_of(red.node, world_of(volume, (*corner, k))))) for corner in corners]
    press_key(effect, red, "l")
    assert cursor_file(red.cursor).endswith("ToolLasso.png")
    assert mouse_event(effect, red, EVENTS.LeftButtonPressEvent, places[0])
    assert all(mouse_event(effect, red, EVENTS.MouseMoveEvent, place) for place in places[1:])
    assert mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent, places[-1])
    finish()
    press_key(effect, red, "p")
    drag(effect, red, *(xy_of(red.node, world_of(volume, (i + d, j, k))) for d in (-3, 3)))
    press_key(effect, red, "Return")
    finish()
    assert listed() == [f"Lasso around the object, slice {k}", f"Scribble inside, slice {k}"]
    assert dice(written(host), ball()) > 0.8


def test_the_outline_follows_a_prompt_that_is_dragged(effect, red, volume):
    draw(effect, red, volume)
    finish()
    first, _ = (xy_of(red.node, corner) for corner in box_of(volume))
    mouse_event(effect, red, EVENTS.LeftButtonPressEvent, first)
    assert mouse_event(effect, red, EVENTS.MouseMoveEvent, (first[0] + 30, first[1]))
    assert timer_runs()
    finish()
    editor = effect.promptEditor
    live = editor.live[MIDDLE[0]]
    assert live.shape != editor.sessionView.outlines[MIDDLE[0]].shape and len(listed()) == 1
    mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent, (first[0] + 30, first[1]))
    finish()
    assert editor.sessionView.outlines[MIDDLE[0]].shape == live.shape and not editor.live


@pytest.mark.parametrize("key", ["b", "f", "g", "Delete", "Left", "z"])
def test_keys_of_slicer_stay_slicers(effect, red, key):
    """B and F are the previous and next slice, Delete removes a markup's point, Z is the Segment Editor's undo."""
    assert not press_key(effect, red, key)


def test_a_key_with_a_modifier_is_not_the_effects(effect, red):
    assert not press_key(effect, red, "p", shift=True)


def test_the_window_has_no_shortcut_of_the_effect_but_esc(effect, application):
    assert [each.key for each in living_shortcuts() if each is not application.editorsEscape] == ["Esc"]
    assert [each.key for each in of_kind("QShortcut") if each.context == 0] == ["Del"]  # works in the list of prompts


def test_two_quick_points_do_not_maximise_the_view(effect, host, red, volume):
    host.setParameter("Tool", "positive")
    place = tuple(round(n) for n in xy_of(red.node, world_of(volume, MIDDLE[::-1])))
    assert mouse_event(effect, red, EVENTS.LeftButtonDoubleClickEvent, place)
    assert mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent, place)
    finish()
    assert len(listed()) == 1


def test_esc_belongs_to_the_effect_only_while_there_is_something_to_cancel(effect, red, volume, application):
    editors = application.editorsEscape
    (own,) = [each for each in of_kind("QShortcut") if each.key == "Esc" and each is not editors]
    assert editors.enabled and not own.enabled
    mouse_event(effect, red, EVENTS.LeftButtonPressEvent)
    assert own.enabled and not editors.enabled
    send(own, "activated()")
    assert editors.enabled and not own.enabled
    assert not mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent)


@pytest.mark.parametrize(("scale", "selected"), [(1.0, False), (2.0, True)])
def test_grips_have_the_same_size_at_any_resolution(effect, host, red, volume, scale, selected):
    """The press is 12 of the view's pixels beside the corner of the box."""
    draw(effect, red, volume)
    finish()
    red.scale = scale
    x, y = xy_of(red.node, box_of(volume)[0])
    host.setParameter("Tool", "positive")
    mouse_event(effect, red, EVENTS.LeftButtonPressEvent, (round(x) - 12, round(y)))
    assert (effect.promptEditor.selected is not None) == selected
