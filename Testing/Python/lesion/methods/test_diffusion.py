"""The method `diffusion` on a real patient, and on a simulated scan with T2 shine-through beside the lesion."""

import numpy as np
import pytest
import SimpleITK as sitk
from diffusion_phantom import RNG, DiffusionPhantom
from helpers import array, dice, oblique_grid, real_image, volume_ml

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.report import measure


@pytest.fixture(scope="module")
def scan():
    return DiffusionPhantom()


class TestSimulated:
    def test_finds_restricted_diffusion_and_nothing_else(self, scan):
        result = segment({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)}, "diffusion")
        mask = array(result.mask) > 0
        assert dice(result.mask, scan.image(scan.lesion | scan.small)) > 0.9
        assert mask[scan.small].mean() > 0.5  # 0.3 ml
        assert not mask[scan.shine].any()
        assert measure(result)["side"] == "left"

    @pytest.mark.parametrize(("factor", "unit"), [(1, None), (1e-3, "10⁻³ mm²/s"), (1e-6, "mm²/s")])
    def test_recognises_the_unit_of_the_adc(self, scan, factor, unit):
        adc = np.where(scan.adc > 0, scan.adc * factor, np.nan)
        result = segment({"dwi": scan.image(scan.dwi), "adc": scan.image(adc)}, "diffusion")
        assert dice(result.mask, scan.image(scan.lesion | scan.small)) > 0.9
        assert (f"adc: values are in {unit}" in result.warnings) == (unit is not None)
        assert measure(result)["intensities"]["adc"]["mean"] == pytest.approx(500, abs=60)

    def test_resamples_an_adc_of_another_grid(self, scan):
        other = sitk.Resample(scan.image(scan.adc), oblique_grid(scan.grid, 10))
        result = segment({"dwi": scan.image(scan.dwi), "adc": other}, "diffusion")
        assert "adc: resampled onto the grid of dwi" in result.warnings
        assert dice(result.mask, scan.image(scan.lesion)) > 0.8

    @pytest.mark.parametrize("replaced", ["dwi", "adc"])
    def test_warns_of_a_b0_in_place_of_another_image(self, scan, replaced):
        images = {"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc)}
        warning = "is one of them the b = 0 image?"
        assert not any(warning in line for line in segment(images, "diffusion").warnings)
        images[replaced] = scan.image(scan.b0)
        assert any(warning in line for line in segment(images, "diffusion").warnings)

    def test_nan_around_the_brain_is_background(self, scan):
        images = {"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)}
        plain = segment(images, "diffusion")
        holes = scan.image(np.where(scan.dwi > 0.01 * scan.dwi.max(), scan.dwi, np.nan))
        result = segment({**images, "dwi": holes}, "diffusion")
        assert dice(result.mask, plain.mask) > 0.95
        assert any("dwi: " in line and "NaN" in line for line in result.warnings)

    def test_uses_a_b0_beside_an_adc(self, scan):
        images = {"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc)}
        dropped = scan.image(np.where(scan.lesion, 0.05 * scan.b0, scan.b0))
        assert dice(segment(images, "diffusion").mask, scan.image(scan.lesion)) > 0.8
        assert not array(segment({**images, "b0": dropped}, "diffusion").mask)[scan.lesion].any()

    def test_the_b_value_is_an_option(self, scan):
        with_b = segment({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)}, "diffusion", b_value=2000)
        assert np.median(array(with_b.images["adc"])[scan.lesion]) == pytest.approx(240, abs=10)

    def test_a_healthy_brain_gives_a_warning(self, scan):
        healthy = scan.image(np.abs(np.where(scan.adc > 0, 450, 0) + 15 * RNG.standard_normal(scan.adc.shape)))
        result = segment({"dwi": healthy, "adc": scan.image(np.where(scan.adc > 0, 800.0, 0))}, "diffusion")
        assert volume_ml(result.mask) == 0
        assert measure(result)["side"] == "none"
        assert any("no lesion found" in text for text in result.warnings)


class TestDwiAlone:
    def segmented(self, scan, infarct, small):
        """The result for an infarct and a small spot of this brightness, as parts of that of tissue."""
        tissue = scan.dwi[scan.adc == 800].mean()
        dwi = np.select([scan.lesion, scan.small], [infarct * tissue, small * tissue], scan.dwi)
        return segment({"dwi": scan.image(dwi)}, "diffusion")

    def test_finds_infarcts_and_shine_through_with_a_note_and_without_an_adc(self, scan):
        result = self.segmented(scan, 2.3, 2.3)
        assert dice(result.mask, scan.image(scan.lesion | scan.small | scan.shine)) > 0.85
        assert any("cannot tell an infarct from T2 shine-through" in line for line in result.warnings)
        assert list(result.images) == ["dwi"]

    @pytest.mark.parametrize("brightness", [1.85, 5.0])
    def test_what_is_too_dark_or_too_bright_for_an_infarct_is_a_possible_lesion(self, scan, brightness):
        result = self.segmented(scan, 2.3, brightness)
        middle = tuple(np.argwhere(scan.small).mean(axis=0).round().astype(int))
        assert array(result.possible)[middle] and not array(result.mask)[middle]
        assert array(result.mask)[scan.lesion].mean() > 0.8


class TestRefusals:
    def check_refused(self, inputs, reason):
        with pytest.raises(InputError, match=reason):
            segment(inputs, "diffusion")

    def test_refuses_an_adc_of_colours(self, scan):
        colours = sitk.Compose([scan.image(scan.adc)] * 3)
        self.check_refused(
            {"dwi": scan.image(scan.dwi), "adc": colours}, "adc: a scalar volume .* 3 components a voxel"
        )

    def test_refuses_images_of_different_extents(self, scan):
        other = scan.image(scan.adc)
        other.SetOrigin((200.0, 0.0, 0.0))
        self.check_refused({"dwi": scan.image(scan.dwi), "adc": other}, "adc: covers .* not of the same patient")

    def test_refuses_an_adc_in_an_unknown_unit(self, scan):
        self.check_refused({"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc * 1e-4)}, "none of the known units")

    def test_refuses_a_ct(self, scan):
        self.check_refused({"dwi": scan.image(scan.dwi - 1000), "b0": scan.image(scan.b0)}, "dwi: .*CT")

    def test_refuses_a_b0_that_gives_no_voxel_the_adc_of_tissue(self, scan):
        self.check_refused({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.dwi * 1.01)}, "b0: hardly any voxel")

    def test_refuses_a_dwi_without_any_value(self, scan):
        broken = np.full_like(scan.dwi, np.nan, dtype=np.float32)
        self.check_refused({"dwi": scan.image(broken), "b0": scan.image(scan.b0)}, "dwi: every voxel is NaN")


class TestRealPatient:
    """An acute MCA infarct. The reference is the lesion predicted by DAGMNet, which was trained on 2,348 patients."""

    def test_subject01(self):
        dwi, b0 = real_image("dwi/subject01_dwi.nii.gz"), real_image("dwi/subject01_b0.nii.gz")
        result = segment({"dwi": dwi, "b0": b0}, "diffusion")
        assert dice(result.mask, real_image("dwi/subject01_lesion_dagmnet.nii.gz")) >= 0.90
        assert dice(result.brain, real_image("dwi/subject01_brain.nii.gz") > 0.5) >= 0.93
        assert measure(result)["side"] == "left"
