"""Where the effect draws, what its panel shows, and what of both is saved with the scene."""

import pytest

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, axial, slice_node, xy_of  # noqa: E402
from effect_host import SliceWidget, click, drag, draw, finish, listed, of_kind  # noqa: E402
from fake_qt import send  # noqa: E402
from nodes import world_of  # noqa: E402


def shown(view):
    """Whether anything of the effect is visible in a view."""
    return any(actor.GetVisibility() for actor in view.actors)


def check_box(text):
    return next(each for each in of_kind("QCheckBox") if each.text == text)


def test_nothing_is_drawn_in_a_view_that_does_not_display_the_segmentation(
    effect, host, red, scene, volume, application
):
    green = application.views["Green"] = SliceWidget(axial(scene, volume))
    effect.layoutChanged()
    draw(effect, red, volume)
    finish()
    assert shown(red) and shown(green)
    display = host.node.GetSegmentationNode().GetDisplayNode()
    display.AddViewNodeID(red.node.GetID())
    assert shown(red) and not green.actors
    display.SetVisibility(False)
    assert not red.actors and not green.actors
    display.SetVisibility(True)
    display.RemoveAllViewNodeIDs()
    assert shown(red) and shown(green)


def test_a_view_is_rendered_only_when_its_drawing_changes(effect, red, scene, volume, application):
    far = world_of(volume, (MIDDLE[2], MIDDLE[1], MIDDLE[0] + 5))
    other = application.views["Green"] = SliceWidget(slice_node(scene, far, (-1, 0, 0), (0, -1, 0)))
    effect.layoutChanged()
    draw(effect, red, volume)
    finish()
    assert red.renders and not other.renders
    count = red.renders
    effect.updateGUIFromMRML()
    effect.layoutChanged()
    effect.updateGUIFromMRML()
    assert red.renders <= count + 2 and not other.renders  # taken out of the view, and drawn anew
    count = red.renders
    effect.deactivate()
    assert red.renders == count + 1 and not other.renders


def test_a_view_that_qt_deleted_does_not_disturb_leaving_the_effect(effect, red, volume):
    draw(effect, red, volume)
    finish()
    red.deleted = True
    effect.deactivate()
    assert effect.promptEditor is None


def test_the_range_and_the_other_segments_stay_when_the_effect_is_chosen_again(effect, host, red, volume):
    draw(effect, red, volume)
    finish()
    send(check_box("Not in other segments"), "toggled(bool)", True)
    first, last = of_kind("QSpinBox")
    limited = check_box("Only slices")
    limited.setChecked(True)
    send(limited, "toggled(bool)", True)
    first.setValue(4)
    send(first, "valueChanged(int)", 4)
    assert host.parameter("SliceRange") == f"4 {last.maximum}" and host.parameter("AvoidOtherSegments") == "1"
    effect.deactivate()
    effect.activate()
    finish()
    assert check_box("Not in other segments").checked and limited.checked and first.value == 4


def test_the_range_ends_at_the_slice_that_a_view_shows(effect, host, red, volume):
    draw(effect, red, volume)
    finish()
    click("From here")
    assert host.parameter("SliceRange").split()[0] == str(MIDDLE[0])
    click("To here")
    assert host.parameter("SliceRange") == f"{MIDDLE[0]} {MIDDLE[0]}"
    text = next(each.text for each in of_kind("QLabel") if " mm – " in each.text)
    assert text.startswith(("S ", "I "))


def test_without_a_session_the_range_cannot_start_at_a_view(effect, host):
    click("From here")
    assert host.parameter("SliceRange") == "all"


@pytest.mark.parametrize(("engine", "tools"), [("lite-medsam", ["Box"]), ("medsam2", ["Box", "Inside", "Outside"])])
def test_tools_that_an_engine_cannot_use_are_disabled(effect, host, engine, tools):
    host.setParameter("Engine", engine)
    buttons = of_kind("QToolButton")
    assert [each.text for each in buttons if each.enabled] == tools
    assert all(each.enabled != each.toolTip.endswith("cannot use this tool.") for each in buttons)
    host.setParameter("Engine", "random-walker")
    assert [each.text for each in buttons if each.enabled] == ["Box", "Lasso", "Inside", "Outside"]


def test_tooltips_name_the_keys_and_lines_only_if_the_engine_takes_them(effect, host):
    buttons = of_kind("QToolButton")
    assert [each.toolTip.split("(key ")[1][0] for each in buttons] == ["X", "L", "P", "N"]
    assert [each.text for each in buttons if each.toolTip.endswith("Drag to draw a line.")] == ["Inside", "Outside"]
    host.setParameter("Engine", "medsam2")
    assert not any(each.toolTip.endswith("Drag to draw a line.") for each in buttons)


def test_an_unknown_engine_falls_back_and_the_effect_can_be_left(effect, host, red, volume):
    host.setParameter("Engine", "sam9")
    assert any("no engine sam9" in each.text for each in of_kind("QLabel"))
    draw(effect, red, volume)
    finish()
    assert len(listed()) == 1
    effect.deactivate()
    assert not red.actors


def test_a_prompt_that_is_clicked_in_the_list_is_selected_and_shown(effect, host, red, scene, volume):
    host.setParameter("Tool", "positive")
    place = xy_of(red.node, world_of(volume, MIDDLE[::-1]))
    drag(effect, red, place, place)
    finish()
    red.node.JumpSliceByOffsetting(0, 0, 500)
    (prompts,) = of_kind("QListWidget")
    send(prompts, "currentRowChanged(int)", 0)
    matrix = red.node.GetSliceToRAS()
    assert matrix.GetElement(2, 3) == pytest.approx(world_of(volume, MIDDLE[::-1])[2], abs=0.1)


@pytest.mark.parametrize(("tool", "count"), [("box", 1), ("positive", 2)])
def test_only_the_box_tool_grips_the_sides_of_a_box(effect, host, red, volume, tool, count):
    """A correction by a point is needed just beside the side of a box."""
    draw(effect, red, volume)
    finish()
    host.setParameter("Tool", tool)
    side = xy_of(red.node, world_of(volume, (MIDDLE[2] - 10, MIDDLE[1], MIDDLE[0])))
    drag(effect, red, (side[0] + 3, side[1]), (side[0] + 3, side[1]))
    finish()
    assert len(listed()) == count
