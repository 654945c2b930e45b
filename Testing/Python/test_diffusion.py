"""Method diffusion: on a real patient, and on a simulated scan with what is not a lesion."""

import numpy as np
import pytest
import SimpleITK as sitk
from diffusion_phantom import RNG, DiffusionPhantom
from helpers import array, dice, oblique_grid, real_image, volume_ml

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.report import measure


@pytest.fixture(scope="module")
def scan():
    return DiffusionPhantom()


class TestSimulated:
    def test_finds_restricted_diffusion_and_nothing_else(self, scan):
        found = segment({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)}, "diffusion")
        mask = array(found.mask) > 0
        assert dice(found.mask, scan.image(scan.lesion | scan.small)) > 0.9
        assert mask[scan.small].mean() > 0.5  # 0.3 ml
        assert not mask[scan.shine].any()
        assert measure(found)["side"] == "left"

    @pytest.mark.parametrize(("factor", "unit"), [(1, None), (1e-3, "10⁻³ mm²/s"), (1e-6, "mm²/s")])
    def test_recognises_the_unit_of_the_adc(self, scan, factor, unit):
        adc = np.where(scan.adc > 0, scan.adc * factor, np.nan)
        found = segment({"dwi": scan.image(scan.dwi), "adc": scan.image(adc)}, "diffusion")
        assert dice(found.mask, scan.image(scan.lesion | scan.small)) > 0.9
        assert (f"adc: values are in {unit}" in found.warnings) == (unit is not None)
        assert measure(found)["intensities"]["adc"]["mean"] == pytest.approx(500, abs=60)

    def test_resamples_an_adc_of_another_grid(self, scan):
        other = sitk.Resample(scan.image(scan.adc), oblique_grid(scan.grid, 10))
        found = segment({"dwi": scan.image(scan.dwi), "adc": other}, "diffusion")
        assert "adc: resampled onto the grid of dwi" in found.warnings
        assert dice(found.mask, scan.image(scan.lesion)) > 0.8

    @pytest.mark.parametrize("taken", ["dwi", "adc"])
    def test_says_that_a_b0_was_taken_for_another_image(self, scan, taken):
        images = {"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc)}
        doubt = "is one of them the b = 0 image?"
        assert not any(doubt in note for note in segment(images, "diffusion").warnings)
        images[taken] = scan.image(scan.b0)
        assert any(doubt in note for note in segment(images, "diffusion").warnings)

    def test_looks_at_a_b0_beside_an_adc(self, scan):
        images = {"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc)}
        dropped = scan.image(np.where(scan.lesion, 0.05 * scan.b0, scan.b0))
        assert dice(segment(images, "diffusion").mask, scan.image(scan.lesion)) > 0.8
        assert not array(segment({**images, "b0": dropped}, "diffusion").mask)[scan.lesion].any()

    def test_the_b_value_is_an_option(self, scan):
        with_b = segment({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)}, "diffusion", b_value=2000)
        assert np.median(array(with_b.images["adc"])[scan.lesion]) == pytest.approx(240, abs=10)

    def test_no_lesion_is_said(self, scan):
        healthy = scan.image(np.abs(np.where(scan.adc > 0, 450, 0) + 15 * RNG.standard_normal(scan.adc.shape)))
        found = segment({"dwi": healthy, "adc": scan.image(np.where(scan.adc > 0, 800.0, 0))}, "diffusion")
        assert volume_ml(found.mask) == 0
        assert measure(found)["side"] == "none"
        assert any("no lesion found" in text for text in found.warnings)


class TestRefusals:
    def refuse(self, inputs, reason):
        with pytest.raises(InputError, match=reason):
            segment(inputs, "diffusion")

    def test_an_adc_of_colours(self, scan):
        colours = sitk.Compose([scan.image(scan.adc)] * 3)
        self.refuse({"dwi": scan.image(scan.dwi), "adc": colours}, "adc: a 3-D scalar .* 3 components a voxel")

    def test_neither_adc_nor_b0(self, scan):
        self.refuse({"dwi": scan.image(scan.dwi)}, "needs adc or b0")

    def test_images_of_different_extents(self, scan):
        other = scan.image(scan.adc)
        other.SetOrigin((200.0, 0.0, 0.0))
        self.refuse({"dwi": scan.image(scan.dwi), "adc": other}, "adc: covers .* not of the same patient")

    def test_an_adc_that_is_none(self, scan):
        self.refuse({"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc * 1e-4)}, "none of the known units")

    def test_a_ct(self, scan):
        self.refuse({"dwi": scan.image(scan.dwi - 1000), "b0": scan.image(scan.b0)}, "dwi: .*CT")

    def test_a_b0_that_gives_no_tissue_an_adc(self, scan):
        self.refuse({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.dwi * 1.01)}, "b0: hardly any voxel")

    def test_nan_in_the_dwi(self, scan):
        broken = np.where(scan.shine, np.nan, scan.dwi)
        self.refuse({"dwi": scan.image(broken), "b0": scan.image(scan.b0)}, "dwi: .* NaN")


class TestRealPatient:
    """An acute MCA infarct; the reference is what DAGMNet, trained on 2,348 patients, sees."""

    def test_subject01(self):
        dwi, b0 = real_image("dwi/subject01_dwi.nii.gz"), real_image("dwi/subject01_b0.nii.gz")
        found = segment({"dwi": dwi, "b0": b0}, "diffusion")
        assert dice(found.mask, real_image("dwi/subject01_lesion_dagmnet.nii.gz")) >= 0.90
        assert dice(found.brain, real_image("dwi/subject01_brain.nii.gz") > 0.5) >= 0.93
        assert measure(found)["side"] == "left"
