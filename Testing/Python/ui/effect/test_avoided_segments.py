"""The object is kept out of other segments by one mask prompt, which is replaced only if these segments change."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, paint  # noqa: E402
from nodes import add_linear_transform  # noqa: E402
from prompt_editing import finish, written  # noqa: E402

from StrokeSAMLib.interactive import Box, Mask  # noqa: E402
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice  # noqa: E402

LOW = np.s_[:, :, : MIDDLE[2] - 2]
HIGH = np.s_[:, :, MIDDLE[2] + 2 :]
MORE = np.s_[:, :, MIDDLE[2] - 2 : MIDDLE[2]]


@pytest.fixture
def neighbours(target, volume):
    """Two segments on both sides of the object's middle."""
    segmentation = target.segmentationNode
    ids = [segmentation.GetSegmentation().AddEmptySegment("", name) for name in ("Low", "High")]
    for id, where in zip(ids, (LOW, HIGH), strict=True):
        paint(segmentation, id, volume, where)
    return ids


def masks_of(editor):
    return [prompt for prompt in editor.prompts.values() if isinstance(prompt, Mask)]


def avoid(editor, ids):
    editor.avoid(ids)
    finish(editor)


def test_several_segments_give_one_prompt(boxed, target, neighbours):
    avoid(boxed, neighbours)
    assert len(masks_of(boxed)) == 1
    boxed.propagate()
    finish(boxed)
    assert not written(target)[LOW].any() and not written(target)[HIGH].any() and written(target)[MORE].any()


def test_writing_the_object_keeps_the_prompt(boxed, neighbours):
    avoid(boxed, neighbours)
    (mask,) = masks_of(boxed)
    boxed.propagate()
    finish(boxed)
    avoid(boxed, neighbours)
    assert masks_of(boxed) == [mask]


def test_two_calls_before_the_first_has_ended_give_one_prompt(boxed, target, neighbours):
    boxed.avoid(neighbours[:1])
    avoid(boxed, neighbours[1:])
    assert len(masks_of(boxed)) == 1
    boxed.apply()
    finish(boxed)
    assert written(target)[LOW].any() and not written(target)[HIGH].any()


def test_undone_prompts_are_added_again(boxed, neighbours):
    avoid(boxed, neighbours)
    boxed.undo()
    finish(boxed)
    assert masks_of(boxed) == []
    avoid(boxed, neighbours)
    assert len(masks_of(boxed)) == 1


def test_the_saved_prompt_is_kept_if_the_segments_are_the_same(boxed, target, volume, neighbours):
    avoid(boxed, neighbours)
    boxed.setTarget(None)
    boxed.setTarget(target)
    finish(boxed)
    numbers = list(boxed.prompts)
    avoid(boxed, neighbours)
    assert list(boxed.prompts) == numbers == [1, 2]
    paint(target.segmentationNode, neighbours[0], volume, MORE)
    avoid(boxed, neighbours)
    assert len(masks_of(boxed)) == 1 and list(boxed.prompts) != numbers


def test_with_another_engine_the_prompt_is_replaced(boxed, target, volume, neighbours):
    avoid(boxed, neighbours)
    boxed.setEngine(EngineChoice("random-walker", "cpu"))
    finish(boxed)
    paint(target.segmentationNode, neighbours[0], volume, MORE)
    avoid(boxed, neighbours)
    assert len(masks_of(boxed)) == 1


def test_segments_outside_the_volume_add_no_prompt(scene, boxed, view, target, neighbours):
    far = add_linear_transform(scene, np.eye(3), (0, 0, 1000)).GetID()
    target.segmentationNode.SetAndObserveTransformNodeID(far)
    avoid(boxed, neighbours)
    assert masks_of(boxed) == [] and isinstance(boxed.prompts[1], Box) and not view.messages
