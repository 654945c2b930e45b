"""The synthetic cubes of `prompt-unet`."""

import numpy as np
import pytest

pytest.importorskip("torch")
import scipy.ndimage as ndi

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.interactive.prompt_maps import CUBE
from StrokeSAMLib.training.prompts.cubes import KINDS, make_cube
from StrokeSAMLib.training.prompts.shapes import Shapes, draw_shape, read_shapes


@pytest.fixture(scope="module")
def cubes(heads, shape_folder):
    shapes = read_shapes(shape_folder)
    return [make_cube(heads, shapes, seed) for seed in range(24)]


def test_a_cube_is_the_same_for_the_same_seed_and_another_for_another(heads, cubes, shape_folder):
    again = make_cube(heads, read_shapes(shape_folder), 3)
    np.testing.assert_array_equal(again.image, cubes[3].image)
    np.testing.assert_array_equal(again.truth, cubes[3].truth)
    assert not np.array_equal(cubes[3].image, cubes[4].image)


def test_cubes_are_of_every_kind_and_look_like_bytes_of_a_scan(cubes):
    assert {cube.kind for cube in cubes} == KINDS.keys()
    for cube in cubes:
        assert cube.image.shape == cube.truth.shape == cube.valid.shape == CUBE
        assert cube.image.dtype == np.float32 and np.isfinite(cube.image).all()
        assert cube.image.min() >= 0 and cube.image.max() <= 255 and np.ptp(cube.image[cube.valid]) > 20


def test_every_cube_has_an_object_that_lies_in_the_scan_and_in_the_middle(cubes):
    for cube in cubes:
        assert cube.truth.sum() >= 30 and not (cube.truth & ~cube.valid).any()
        largest = int(cube.truth.sum((1, 2)).argmax())
        assert abs(largest - CUBE[0] // 2) <= 8
        rows, columns = np.nonzero(cube.truth[largest])
        assert max(np.ptp(rows), np.ptp(columns)) < 0.8 * CUBE[1]


def test_objects_can_be_told_from_what_is_around_them(cubes):
    contrasts = []
    for cube in cubes:
        shell = ndi.binary_dilation(cube.truth, iterations=3) & ~cube.truth & cube.valid
        difference = abs(cube.image[cube.truth].mean() - cube.image[shell].mean())
        contrasts.append(difference / max(float(cube.image[shell].std()), 1e-6))
    assert np.median(contrasts) > 0.3


def test_a_cube_of_another_shape_shows_an_object_too(heads):
    cube = make_cube(heads, Shapes(), 5, (16, 48, 48))
    assert cube.truth.shape == (16, 48, 48) and cube.truth.any()


def test_shapes_come_from_masks_and_from_blobs(shape_folder):
    shapes = read_shapes(shape_folder)
    drawn = [draw_shape(shapes, np.random.default_rng(seed)) for seed in range(60)]
    sides = {shape.shape for shape in drawn}
    # The whole beam with the part beside it, the beam alone, blobs; each mask has a margin of two voxels.
    assert sides == {(17, 22, 34), (14, 10, 28), (48, 48, 48)}
    assert all((shape > 0.5).any() for shape in drawn)


def test_the_fingerprint_names_the_masks(shape_folder):
    assert read_shapes(shape_folder).fingerprint.startswith("2 shapes ")
    assert Shapes().fingerprint == "blobs"


def test_a_folder_without_masks_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no images"):
        read_shapes(tmp_path)
