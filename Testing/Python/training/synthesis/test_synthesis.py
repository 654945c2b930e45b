"""Synthetic patients: the same for the same seed, with lesions and signals in their intended ranges."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError

pytest.importorskip("torch")
from StrokeSAMLib.training.synthesis import KINDS, ct, make_patient, read_anatomies
from StrokeSAMLib.training.synthesis.diffusion import diffusion_scan
from StrokeSAMLib.training.synthesis.fields import smooth_noise
from StrokeSAMLib.training.synthesis.lesions import infarct, no_lesion
from StrokeSAMLib.training.synthesis.physics import thick_slices
from StrokeSAMLib.training.synthesis.posed_head import pose

GRID = ((56, 72, 56), (3.0, 3.0, 3.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an egg of 140 × 170 × 130 mm: shells of CSF and grey matter, white matter, a ventricle."""
    k, j, i = np.indices((80, 96, 80)) * 2.0
    radius = np.sqrt(((k - 80) / 65) ** 2 + ((j - 96) / 85) ** 2 + ((i - 80) / 70) ** 2)
    labels = np.select([radius > 1, radius > 0.95, radius > 0.8, radius < 0.15], [0, 1, 2, 1], 3).astype(np.uint8)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((2.0, 2.0, 2.0))
    path = tmp_path_factory.mktemp("anatomy")
    sitk.WriteImage(image, str(path / "egg.nii.gz"))
    return path


@pytest.fixture(scope="module")
def anatomies(folder):
    return read_anatomies(folder)


class TestAnatomy:
    def test_a_label_map_becomes_tissue_parts_cut_to_the_brain(self, anatomies):
        (egg,) = anatomies
        assert egg.tissue.shape[0] == 3
        assert set(np.unique(egg.tissue)) <= {0.0, 1.0}
        assert egg.half_extent == pytest.approx((65, 85, 70), abs=3)

    def test_probability_maps_belong_together_by_their_names(self, folder, tmp_path, anatomies):
        labels = sitk.ReadImage(str(folder / "egg.nii.gz"))
        for number, tissue in enumerate(("csf", "grey", "white"), 1):
            sitk.WriteImage(sitk.Cast(labels == number, sitk.sitkFloat32), str(tmp_path / f"egg{tissue}.nii.gz"))
        (same,) = read_anatomies(tmp_path)
        assert np.array_equal(same.tissue, anatomies[0].tissue)
        moved = sitk.Cast(labels == 1, sitk.sitkFloat32)
        moved.SetOrigin((20.0, 0.0, 0.0))
        for image, error in ((moved, "egg have different grids"), (100 * (labels == 1), "eggcsf.* from 0 to 100")):
            sitk.WriteImage(image, str(tmp_path / "eggcsf.nii.gz"))
            with pytest.raises(InputError, match=error):
                read_anatomies(tmp_path)
        (tmp_path / "eggcsf.nii.gz").unlink()
        with pytest.raises(InputError, match="egg lacks the map of csf"):
            read_anatomies(tmp_path)
        (tmp_path / "eggwhite.nii.gz").unlink()
        with pytest.raises(InputError, match="egg lacks the map of csf and white"):
            read_anatomies(tmp_path)

    def test_a_folder_without_an_anatomy_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="no images in that folder"):
            read_anatomies(tmp_path)
        sitk.WriteImage(sitk.GetImageFromArray(np.ones((9, 9, 9), np.uint8)), str(tmp_path / "ones.nii.gz"))
        with pytest.raises(InputError, match="no label map"):
            read_anatomies(tmp_path)

    @pytest.mark.parametrize(
        ("part", "spacing", "reason"),
        [
            (slice(None), (0.4, 0.4, 0.4), "13 ml in"),
            (slice(None), (6.0, 6.0, 6.0), r"4\d{4} ml in"),
            (slice(40, 41), (2.0, 2.0, 60.0), "ml in 1 slices"),
        ],
    )
    def test_an_object_without_the_size_of_a_brain_is_refused(self, part, spacing, reason, folder, tmp_path):
        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "egg.nii.gz")))
        image = sitk.GetImageFromArray(labels[part])
        image.SetSpacing(spacing)
        sitk.WriteImage(image, str(tmp_path / "other.nii.gz"))
        with pytest.raises(InputError, match=rf"other\.nii\.gz: no brain of an adult: .*{reason}"):
            read_anatomies(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
class TestPatient:
    def test_is_the_same_for_the_same_seed(self, kind, anatomies):
        first, again, other = (make_patient(kind, anatomies, seed) for seed in (3, 3, 4))
        assert np.array_equal(first.network_inputs, again.network_inputs)
        assert np.array_equal(first.lesion, again.lesion)
        assert not np.array_equal(first.network_inputs, other.network_inputs)

    def test_network_inputs_are_finite_near_one_in_size_and_zero_outside_the_brain(self, kind, anatomies):
        for seed in range(6):
            patient = make_patient(kind, anatomies, seed)
            assert patient.network_inputs.dtype == np.float32
            assert np.isfinite(patient.network_inputs).all()
            assert not patient.network_inputs[:, ~patient.brain].any()
            assert 0.1 < patient.network_inputs[:, patient.brain].std() < 3
            assert not (patient.lesion & ~patient.brain).any()

    def test_some_are_free_of_lesions(self, kind, anatomies):
        assert not make_patient(kind, anatomies, 1, lesion_free=1.0).lesion.any()
        assert make_patient(kind, anatomies, 1, lesion_free=0.0).lesion.any()


class TestLesion:
    @pytest.mark.parametrize("volume", [0.2, 3.0, 30.0, 120.0, 250.0])
    def test_has_the_requested_volume_and_side(self, volume, anatomies):
        head = pose(anatomies[0], *GRID, np.random.default_rng(1))
        left = head.place[2] > 0
        for seed in range(12):
            lesion = infarct(head, 1, volume, np.random.default_rng(seed))
            assert lesion.mask.sum() * 0.027 == pytest.approx(volume, abs=0.015)
            assert (lesion.mask & left).sum() >= 0.9 * lesion.mask.sum()

    def test_leaves_the_diffusion_of_fluid_in_the_sulci(self, anatomies):
        head = pose(anatomies[0], *GRID, np.random.default_rng(5))
        wet_head = replace(head, tissue=head.brain * np.array([0.9, 0.1, 0], np.float32)[:, None, None, None])
        lesion = infarct(head, 1, 120.0, np.random.default_rng(6))
        core = (lesion.part > 0.95) & (wet_head.brain > 0.99)
        for each, least, most in ((head, 0.4, 0.9), (wet_head, 0.9, 1.0)):
            lesions = (lesion, no_lesion(each))
            adc, normal = (diffusion_scan(each, one, np.random.default_rng(7))[1] for one in lesions)
            assert least < np.median(adc[core] / normal[core]) < most

    def test_is_bright_in_the_dwi_and_dark_in_the_adc(self, anatomies):
        head = pose(anatomies[0], *GRID, np.random.default_rng(2))
        lesion = infarct(head, -1, 60.0, np.random.default_rng(5))
        with_it, without = (diffusion_scan(head, each, np.random.default_rng(7)) for each in (lesion, no_lesion(head)))
        core = lesion.part > 0.95
        assert 0.4 < np.median(with_it[1][core] / without[1][core]) < 0.9
        assert np.median(with_it[0][core] / without[0][core]) > 1.1

    def test_healthy_tissue_has_the_diffusion_of_tissue(self, anatomies):
        head = pose(anatomies[0], *GRID, np.random.default_rng(2))
        _, adc, _ = diffusion_scan(head, no_lesion(head), np.random.default_rng(8))
        assert 600 < np.median(adc[head.white > 0.9]) < 900


class TestPhysics:
    def test_noise_has_the_same_deviation_everywhere_and_the_requested_smoothness(self):
        noise = smooth_noise((10, 20, 12), 35.0, (6.0, 3.0, 3.0), np.random.default_rng(1), 2)
        assert noise.shape == (2, 10, 20, 12)
        rng = np.random.default_rng(2)
        fields = np.stack([smooth_noise((10, 20, 12), 35.0, (6.0, 3.0, 3.0), rng)[0] for _ in range(1000)])
        assert fields.std(0) == pytest.approx(1.0, abs=0.15)
        # Alike within a cell, independent two cells apart.
        together = [np.corrcoef(fields[:, 4, 0, 6], fields[:, 4, j, 6])[0, 1] for j in (1, 6, 18)]
        assert together[0] > 0.95 > 0.9 > together[1] > 0.5
        assert abs(together[2]) < 0.1

    def test_thick_slices_average_along_k_and_keep_a_uniform_array(self):
        ramp = np.arange(30, dtype=np.float32)[:, None, None] + np.zeros((30, 4, 5), np.float32)
        thick = thick_slices(ramp, 9.0, 0.0, (3.0, 3.0, 3.0))
        assert thick[4:-4] == pytest.approx(ramp[4:-4], abs=1e-3)
        spike = np.zeros_like(ramp)
        spike[13] = 1
        assert 0.1 < thick_slices(spike, 9.0, 0.0, (3.0, 3.0, 3.0)).max() < 0.4
        assert thick_slices(np.full_like(ramp, 7), 8.0, 0.4, (3.0, 3.0, 3.0)) == pytest.approx(7.0, abs=1e-4)


def test_an_infarct_darkens_the_tissue_in_voxels_that_are_half_sulcus(anatomies, monkeypatch):
    head = pose(anatomies[0], *GRID, np.random.default_rng(5))
    head = replace(head, tissue=head.brain * np.array([0.5, 0.5, 0], np.float32)[:, None, None, None])
    lesion = infarct(head, 1, 120.0, np.random.default_rng(6))
    monkeypatch.setattr(ct, "_effaced", lambda head, lesion, rng: head.csf)
    facts = {}
    with_it, without = (ct.density(head, each, facts, np.random.default_rng(7)) for each in (lesion, no_lesion(head)))
    inside = (lesion.part > 0.5) & (head.brain > 0.99)
    darker = ((without - with_it)[inside] / (head.grey * lesion.part)[inside]).mean()
    # The infarct also takes a part of the contrast between grey and white matter.
    assert 0.8 * facts["contrast_hu"] < darker < facts["contrast_hu"] + 9


def test_the_mirror_image_is_that_of_the_turned_head(anatomies):
    """The mirror image of a left infarct is on the right, less than 6 mm off in height and depth."""
    head = pose(anatomies[0], *GRID, np.random.default_rng(9))
    assert head.turn > 8
    lesion = infarct(head, 1, 40.0, np.random.default_rng(6))
    mirrored = ct._mirrored(lesion.part, head, np.random.default_rng(7))
    assert np.average(head.place[2], weights=mirrored) < -0.1 < 0.1 < np.average(head.place[2], weights=lesion.part)
    for axis, half_mm in ((0, 65), (1, 85)):
        own, other = (np.average(head.place[axis], weights=weights) for weights in (lesion.part, mirrored))
        assert other * half_mm == pytest.approx(own * half_mm, abs=6)
    turned_only = np.flip(lesion.part, 2)
    assert np.corrcoef(mirrored.ravel(), turned_only.ravel())[0, 1] < 0.8
