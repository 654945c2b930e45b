"""Mouse and keys of the effect, and their sharing with Slicer."""

import types

import pytest
from fake_qt import send

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, axial, xy_of  # noqa: E402
from effect_host import (  # noqa: E402
    EVENTS,
    SliceWidget,
    cursor_file,
    drag,
    draw,
    finish,
    listed,
    living_shortcuts,
    mouse_event,
    of_kind,
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


def test_keys_choose_tools_delete_and_propagate(effect, host, red, volume, application):
    keys = {each.key: each for each in living_shortcuts() if each is not application.editorsEscape}
    assert {"B", "P", "N", "Del", "Return", "Enter", "Esc"} == set(keys)
    send(keys["P"], "activated()")
    assert cursor_file(red.cursor).endswith("ToolPositive.png")
    assert cursor_file(effect.createCursor(red)).endswith("ToolPositive.png")
    place = xy_of(red.node, world_of(volume, MIDDLE[::-1]))
    drag(effect, red, place, place)
    finish()
    assert listed() == [f"Point inside, slice {MIDDLE[0]}"]
    send(keys["Return"], "activated()")
    finish()
    assert written(host).any()
    drag(effect, red, place, place)  # selects the point
    send(keys["Del"], "activated()")
    finish()
    assert listed() == []


def test_enter_belongs_to_the_effect_only_in_slice_views(effect, red, application, scene, volume):
    """Elsewhere it ends the input in a number field or a segment's name."""

    def enters():
        shortcuts = [each for each in living_shortcuts() if each.key in ("Return", "Enter")]
        assert {each.context for each in shortcuts} == {1}  # WidgetWithChildrenShortcut
        return [(each.key, each.properties["parent"]) for each in shortcuts]

    assert enters() == [("Return", red), ("Enter", red)]
    green = application.views["Green"] = SliceWidget(axial(scene, volume))
    effect.layoutChanged()
    assert enters() == [("Return", red), ("Enter", red), ("Return", green), ("Enter", green)]


def test_esc_belongs_to_the_effect_only_while_there_is_something_to_cancel(effect, red, volume, application):
    editors = application.editorsEscape
    (own,) = [each for each in of_kind("QShortcut") if each.key == "Esc" and each is not editors]
    assert editors.enabled and not own.enabled
    mouse_event(effect, red, EVENTS.LeftButtonPressEvent)
    assert own.enabled and not editors.enabled
    send(own, "activated()")
    assert editors.enabled and not own.enabled
    assert not mouse_event(effect, red, EVENTS.LeftButtonReleaseEvent)
