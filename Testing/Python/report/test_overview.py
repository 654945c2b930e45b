"""The pixels of the contact sheet, on a head of 100 mm with lesions at known places."""

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.report import overview, write_overview
from StrokeSAMLib.report.axial_view import axial_view, choose_slices, small_components
from StrokeSAMLib.report.overview import COLUMNS, OUTLINE, ROWS, _to_ascii, _wrapped

TILE = 250
HEADER = 46
LEFT_BALL = ((30, 0, 0), 12)
RADIUS = 50


def grid(spacing=(2.0, 2.0, 5.0), direction=None):
    """A grid of about 120 mm around the origin."""
    axes = np.eye(3) if direction is None else np.asarray(direction, float)
    size = [int(120 / step) for step in spacing]
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetDirection(axes.ravel().tolist())
    image.SetOrigin((-axes @ ((np.array(size) - 1) / 2 * spacing)).tolist())
    return image


def points(image):
    k, j, i = np.indices(image.GetSize()[::-1])
    axes = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    return np.stack([i, j, k], axis=-1) @ axes.T + np.asarray(image.GetOrigin())


def head(image, *balls, key="ncct", warnings=()):
    """A result with a ball of brain of 30 HU, its front (y < 0) 10 HU denser, and balls of lesion (centre, radius)."""
    positions = points(image)
    brain = np.linalg.norm(positions, axis=-1) < RADIUS
    lesion = np.zeros_like(brain)
    for centre, radius in balls:
        lesion |= np.linalg.norm(positions - centre, axis=-1) < radius
    hu = np.where(brain, 30.0 + 10 * (positions[..., 1] < 0), -1000)
    return result_of_arrays(image, lesion, brain, hu, key, warnings)


def result_of_arrays(image, lesion, brain, hu, key="ncct", warnings=()):
    def like(array):
        copy = sitk.GetImageFromArray(array)
        copy.CopyInformation(image)
        return copy

    return LesionResult(
        mask=like(lesion.astype(np.uint8)),
        score=like(lesion.astype(np.float32)),
        brain=like(brain.astype(np.uint8)),
        midsagittal=Plane((1.0, 0.0, 0.0), 0.0),
        method="asymmetry",
        options={},
        images={key: like(hu.astype(np.float32))},
        warnings=tuple(warnings),
    )


def outline_places(sheet):
    """Places (x, y within the tile) of the outline's pixels."""
    pixels = np.asarray(sheet).astype(int)[HEADER : HEADER + ROWS * TILE]
    places = np.argwhere(np.abs(pixels - OUTLINE).max(axis=-1) < 60)
    return places[:, ::-1] % TILE


TURN = sitk.Euler3DTransform()
TURN.SetRotation(0.3, -0.25, 0.4)
OBLIQUE = np.asarray(TURN.GetMatrix()).reshape(3, 3)
GRIDS = {
    "axial": grid(),
    "flipped": grid(direction=np.diag([-1.0, -1.0, 1.0])),
    "left-handed": grid(direction=np.diag([1.0, 1.0, -1.0])),
    "sagittal": grid((1.5, 1.5, 4.0), [[0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "oblique": grid((2.0, 2.0, 3.0), OBLIQUE),
    "thin": grid((2.0, 2.0, 1.0)),
}


@pytest.mark.parametrize("image", GRIDS.values(), ids=GRIDS.keys())
def test_a_lesion_on_the_patients_left_is_on_the_right_of_the_picture(image):
    places = outline_places(overview(head(image, LEFT_BALL)))
    assert len(places) > 200
    scale = TILE / 124  # 100 mm of head and two margins
    assert places[:, 0].mean() == pytest.approx(TILE / 2 + 30 * scale, abs=8)
    assert places[:, 1].mean() == pytest.approx(TILE / 2, abs=8)
    assert np.ptp(places[:, 0]) == pytest.approx(24 * scale, abs=8)


@pytest.mark.parametrize("image", GRIDS.values(), ids=GRIDS.keys())
def test_anterior_is_up(image):
    tile = np.asarray(overview(head(image)).convert("L"))[HEADER + TILE * 2 :][:TILE, :TILE].astype(float)
    assert tile[80:110, 110:140].mean() > tile[140:170, 110:140].mean() + 15


def tiles_with_outline(sheet):
    pixels = np.asarray(sheet).astype(int)[HEADER : HEADER + ROWS * TILE]
    rows, columns = np.unique(np.argwhere(np.abs(pixels - OUTLINE).max(axis=-1) < 60) // TILE, axis=0).T
    return (rows * COLUMNS + columns).tolist()


def test_slices_run_upwards_and_each_has_its_own_outline():
    result = head(grid(), ((0, 0, 33), 8))
    assert axial_view(result, "ncct").brain.any(axis=(1, 2)).sum() == COLUMNS * ROWS
    # Two slices are below the brain.
    lesion_slices = np.flatnonzero(axial_view(result, "ncct").lesion.any(axis=(1, 2))) - 2
    assert tiles_with_outline(overview(result)) == lesion_slices.tolist()


def test_anisotropic_pixels_keep_their_true_aspect():
    sheet = overview(head(grid((1.0, 3.0, 5.0))))
    tile = np.asarray(sheet.convert("L"))[HEADER + TILE * 2 :][:TILE, :TILE] > 50
    tile[:, :20] = tile[:, -20:] = False  # R and L
    tile[-25:] = False
    height, width = (np.ptp(np.flatnonzero(tile.any(axis=axis))) for axis in (1, 0))
    assert height == pytest.approx(width, abs=14)


def test_the_window_of_ct_is_level_40_width_80():
    tile = np.asarray(overview(head(grid())).convert("L"))[HEADER + TILE * 2 :][:TILE, :TILE]
    assert np.median(tile[80:110, 110:140]) == pytest.approx(255 * 40 / 80, abs=3)
    assert np.median(tile[140:170, 110:140]) == pytest.approx(255 * 30 / 80, abs=3)


def test_the_window_of_mr_comes_from_the_whole_volume():
    image = grid()
    ball = np.linalg.norm(points(image), axis=-1) < RADIUS
    bright = np.where(ball, 300.0 + 10 * points(image)[..., 2], 0)  # from 0 at the base to 800 at the top
    sheet = overview(result_of_arrays(image, np.zeros_like(ball), ball, bright, key="dwi"))
    grey = np.asarray(sheet.convert("L")).astype(float)

    def middle(place):
        row, column = divmod(place, COLUMNS)
        return grey[HEADER + TILE * row + 125, TILE * column + 125]

    assert middle(16) - middle(3) > 100


def test_single_voxels_have_rings_even_in_a_resampled_scan():
    image = GRIDS["oblique"]
    result = head(image)
    lesion = np.zeros(image.GetSize()[::-1], bool)
    for voxel in [(12, 30, 18), (20, 22, 40), (31, 35, 30)]:
        lesion[voxel] = True
    brain, hu = (sitk.GetArrayFromImage(each) for each in (result.brain, result.images["ncct"]))
    result = result_of_arrays(image, lesion, brain > 0, hu)
    view = axial_view(result, "ncct")
    assert np.count_nonzero(view.lesion) >= 3
    assert len(tiles_with_outline(overview(result))) == 3


def test_a_ring_marks_a_single_voxel_and_not_a_large_lesion():
    def extent(ball):
        pixels = np.asarray(overview(head(grid(), ball))).astype(int)[HEADER : HEADER + ROWS * TILE]
        places = np.argwhere(pixels[..., 0] - pixels[..., 2] > 60)
        return np.ptp(places[places[:, 0] // TILE == places[0, 0] // TILE], axis=0)

    assert extent(((31, 1, 2.5), 0.5)) == pytest.approx(12, abs=2)
    assert not small_components(axial_view(head(grid(), LEFT_BALL), "ncct").lesion, 30).any()


def test_a_small_section_of_a_large_lesion_is_not_a_small_component():
    lesion = np.zeros((4, 9, 9), bool)
    lesion[0, 1:6, 1:6] = lesion[1, 3, 3] = True  # the small end of a large lesion
    lesion[3, 7, 7:] = True
    assert np.argwhere(small_components(lesion, 5)).tolist() == [[3, 7, 7], [3, 7, 8]]


def test_without_a_lesion_there_is_no_outline():
    assert not len(outline_places(overview(head(grid()))))


def test_the_title_differs_with_the_lesion():
    def title(result):
        return np.asarray(overview(result))[:HEADER]

    no_lesion, lesion, larger_lesion = (
        title(head(grid(), *balls)) for balls in ((), (LEFT_BALL,), (((30, 0, 0), 16),))
    )
    assert (no_lesion != lesion).any()
    assert (lesion != larger_lesion).any()


def test_the_sheet_grows_with_the_warnings():
    without = overview(head(grid()))
    warned = overview(head(grid(), warnings=("a doubt", "another")))
    assert without.size == (COLUMNS * TILE, ROWS * TILE + 80)
    assert warned.height == without.height + 36
    foot = np.asarray(warned).astype(int)[without.height - 10 :]
    assert (np.abs(foot - OUTLINE).max(axis=-1) < 60).any()


def test_long_warnings_are_wrapped_without_losing_a_word():
    words = " ".join(f"word{n}" for n in range(300))
    lines = _wrapped((words,), 600)
    assert len(lines) > 5
    assert " ".join(lines) == words


def test_text_is_written_in_ascii():
    assert _to_ascii("2 × 3 – Ödem ≥ 5 µm 脳") == "2 x 3 - Odem >= 5 um ?"


def test_without_a_brain_the_sheet_shows_the_whole_volume():
    image = grid()
    empty = np.zeros(image.GetSize()[::-1], bool)
    sheet = overview(result_of_arrays(image, empty, empty, np.full(empty.shape, 40.0)))
    assert np.asarray(sheet.convert("L"))[HEADER + 100, 100] == pytest.approx(127, abs=3)


def test_an_unknown_image_is_refused():
    with pytest.raises(KeyError, match="adc"):
        overview(head(grid()), "adc")


def test_another_image_can_be_shown():
    result = head(grid())
    two_images = dataclasses.replace(result, images={**result.images, "adc": result.images["ncct"] * 0 + 700})
    assert (np.asarray(overview(two_images)) != np.asarray(overview(two_images, "adc"))).any()


def test_the_file_is_a_png(tmp_path):
    write_overview(head(grid(), LEFT_BALL), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert len(outline_places(sheet)) > 200


class TestChooseSlices:
    def test_both_ends_of_the_brain_and_most_of_the_lesion_are_chosen(self):
        brain, lesion = np.zeros((2, 100, 4, 4), bool)
        brain[10:90] = True
        lesion[40:60] = True
        chosen = choose_slices(lesion, brain, 20)
        assert len(chosen) == 20
        assert (chosen[0], chosen[-1]) == (10, 89)
        assert 12 <= sum(40 <= k < 60 for k in chosen) <= 16
        assert chosen == sorted(set(chosen))

    def test_every_component_has_a_slice(self):
        brain, lesion = np.zeros((2, 200, 4, 4), bool)
        brain[:] = True
        lesion[20:181, :2, :2] = True
        for k in (51, 77, 113):
            lesion[k, 3, 3] = True
        assert {51, 77, 113} <= set(choose_slices(lesion, brain, 20))

    def test_few_slices_are_all_chosen_with_a_lesion_beyond_the_brain(self):
        brain, lesion = np.zeros((2, 9, 4, 4), bool)
        brain[8] = True
        lesion[:7] = True
        assert choose_slices(lesion, brain, 8) == [0, 1, 2, 3, 4, 5, 6, 8]


def test_a_possible_lesion_has_a_dashed_outline():
    drawn = head(grid(), LEFT_BALL)
    possible = dataclasses.replace(drawn, mask=drawn.mask * 0, possible=drawn.mask)
    full, dashed = (len(outline_places(overview(result))) for result in (drawn, possible))
    assert 0.3 * full < dashed < 0.75 * full
