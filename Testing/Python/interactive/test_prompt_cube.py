"""The cube of a scan around prompts: its place and size, and the way there and back."""

import numpy as np
import pytest

from StrokeSAMLib.interactive.prompt_cube import PromptCube
from StrokeSAMLib.interactive.prompt_maps import CUBE


def ball(shape, spacing, centre, radius_mm):
    grid = np.meshgrid(*[np.arange(n) * step for n, step in zip(shape, spacing, strict=True)], indexing="ij")
    middle = np.array(centre) * spacing
    return sum((axis - c) ** 2 for axis, c in zip(grid, middle, strict=True)) < radius_mm**2


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


CASES = [
    ((20, 256, 256), (5.0, 0.5, 0.5), (9, 120, 130), 20.0),
    ((160, 160, 160), (1.0, 1.0, 1.0), (80, 90, 70), 30.0),
    ((10, 90, 96), (6.0, 2.0, 2.0), (2, 20, 80), 12.0),
    ((400, 60, 60), (0.1, 0.9, 0.9), (210, 30, 30), 10.0),
]


@pytest.mark.parametrize(("shape", "spacing", "centre", "radius"), CASES)
def test_an_object_survives_the_way_into_the_cube_and_back(shape, spacing, centre, radius):
    truth = ball(shape, spacing, centre, radius)
    rows, columns = np.nonzero(truth[centre[0]])
    low, high = (centre[0], rows.min(), columns.min()), (centre[0], rows.max(), columns.max())
    cube = PromptCube.around(low, high, shape[0], spacing)
    values, back = cube.cut(truth), np.zeros(shape, bool)
    region = cube.region(values > 0.5, shape)
    back[region] = cube.spread(values, region) > 0.5
    assert dice(back, truth) > 0.93


@pytest.mark.parametrize(("shape", "spacing", "centre", "radius"), CASES)
def test_positions_and_cuts_agree(shape, spacing, centre, radius):
    cube = PromptCube.around(
        (centre[0], centre[1] - 8, centre[2] - 8), (centre[0], centre[1] + 8, centre[2] + 8), shape[0], spacing
    )
    for axis in range(3):
        ramp = np.arange(shape[axis], dtype=np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
        cut = cube.cut(np.broadcast_to(ramp, shape))
        valid = cube.valid(shape)
        inner = np.argwhere(valid)[len(np.argwhere(valid)) // 2]
        value = float(cut[tuple(inner)])
        position = [float(c) for c in centre]
        position[axis] = value
        assert cube.voxel(tuple(position))[axis] == pytest.approx(inner[axis], abs=0.51)


def test_the_cube_keeps_native_slices_where_the_scan_has_few():
    cube = PromptCube.around((4, 100, 100), (4, 300, 300), 9, (5.0, 0.5, 0.5))
    assert cube.merged == 1
    assert cube.valid((9, 512, 512)).any((1, 2)).sum() == 9


def test_thin_slices_are_merged_until_the_cube_is_higher_than_the_box_is_wide():
    cube = PromptCube.around((150, 100, 100), (150, 179, 179), 300, (0.5, 0.5, 0.5))
    assert cube.merged * CUBE[0] * 0.5 >= 1.3 * 40
    assert cube.merged == 5


def test_prompts_on_many_slices_all_lie_in_the_cube():
    cube = PromptCube.around((10, 100, 100), (90, 120, 120), 100, (5.0, 0.5, 0.5))
    for k in (10, 90):
        assert 0 <= cube.voxel((k, 110, 110))[0] <= CUBE[0] - 1


def test_outside_the_scan_the_cube_is_empty_and_not_valid():
    cube = PromptCube.around((0, 0, 0), (0, 20, 20), 3, (5.0, 1.0, 1.0))
    cut, valid = cube.cut(np.ones((3, 40, 40))), cube.valid((3, 40, 40))
    assert valid.any() and not valid.all()
    np.testing.assert_allclose(cut, valid, atol=1e-6)


def test_values_move_to_another_cube():
    first = PromptCube.around((10, 100, 100), (10, 160, 160), 40, (3.0, 0.5, 0.5))
    second = PromptCube.around((12, 90, 95), (12, 190, 170), 40, (3.0, 0.5, 0.5))
    truth = ball((40, 256, 256), (3.0, 0.5, 0.5), (10, 130, 130), 15.0)
    moved, direct = first.onto(second, first.cut(truth)) > 0.5, second.cut(truth) > 0.5
    assert dice(moved, direct) > 0.95
    np.testing.assert_allclose(first.onto(first, first.cut(truth)), first.cut(truth), atol=1e-5)
