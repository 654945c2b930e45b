"""The simulated user of the training."""

import numpy as np
import pytest

pytest.importorskip("torch")
from StrokeSAMLib.interactive.prompt_maps import CUBE, CubePrompts
from StrokeSAMLib.training.prompts.cubes import Cube
from StrokeSAMLib.training.prompts.user import Turn, first_turn, next_turn


@pytest.fixture
def cube():
    truth = np.zeros(CUBE, bool)
    truth[8:16, 20:40, 24:36] = True
    return Cube("ct", np.where(truth, 50, 20).astype(np.float32), truth, np.ones(CUBE, bool), 2.0, 1.0)


def answer(*wrong):
    """A right answer but for some boxes (slices), which are inverted."""
    truth = np.zeros(CUBE, bool)
    truth[8:16, 20:40, 24:36] = True
    for box in wrong:
        truth[box] ^= True
    return truth.astype(np.float32)


def inside(cube, point):
    return cube.truth[tuple(np.rint(point.at).astype(int))]


def test_sessions_begin_with_boxes_clicks_and_masks(cube):
    turns = [first_turn(cube, np.random.default_rng(seed)) for seed in range(200)]
    boxes = [turn for turn in turns if turn.prompts.boxes]
    assert 0.6 < len(boxes) / len(turns) < 0.95
    assert any(turn.previous is not None for turn in turns)
    assert any(turn.previous is None and turn.prompts.points for turn in turns)
    assert any(len(turn.prompts.boxes) == 2 for turn in turns)
    assert any(turn.prompts.boxes[0].last > turn.prompts.boxes[0].first for turn in boxes)


def test_the_box_surrounds_the_object_up_to_an_unsteady_hand(cube):
    for seed in range(50):
        for box in first_turn(cube, np.random.default_rng(seed)).prompts.boxes:
            np.testing.assert_allclose(box.low, (20, 24), atol=1.5)
            np.testing.assert_allclose(box.high, (39, 35), atol=1.5)
            assert cube.truth[box.first].any() and cube.truth[box.last].any()


@pytest.mark.parametrize(
    ("wrong", "positive"),
    [((slice(9, 14), slice(22, 38), slice(26, 34)), True), ((slice(2, 6), slice(20, 40), slice(24, 36)), False)],
)
def test_a_correction_lies_in_an_error_and_says_what_is_there(cube, wrong, positive):
    given = answer(wrong)
    for seed in range(20):
        turn = next_turn(cube, Turn(CubePrompts()), given, np.random.default_rng(seed))
        assert turn is not None and turn.previous is given and turn.newest
        for point in turn.newest:
            assert point.positive == positive == inside(cube, point)
            place = tuple(np.rint(point.at).astype(int))
            assert (given[place] > 0.5) != cube.truth[place]


def test_most_corrections_are_in_the_largest_error(cube):
    large, small = (slice(2, 6), slice(20, 40), slice(24, 36)), (slice(20, 22), slice(0, 4), slice(0, 4))
    turns = [next_turn(cube, Turn(CubePrompts()), answer(large, small), np.random.default_rng(n)) for n in range(50)]
    assert sum(turn.newest[0].at[0] < 8 for turn in turns) > 40


def test_earlier_prompts_are_kept(cube):
    rng = np.random.default_rng(1)
    first = next_turn(cube, Turn(CubePrompts()), answer((slice(9, 14), slice(22, 38), slice(26, 34))), rng)
    second = next_turn(cube, first, answer((slice(2, 6), slice(20, 40), slice(24, 36))), rng)
    assert second.prompts.points[: len(first.prompts.points)] == first.prompts.points


def test_a_right_answer_ends_the_session(cube):
    assert next_turn(cube, Turn(CubePrompts()), answer(), np.random.default_rng(1)) is None
