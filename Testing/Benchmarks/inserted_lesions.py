"""Count how many small infarcts are found that are inserted into the real diffusion patient of STROKESAM_TEST_DATA.

The infarcts are spheres in normal tissue, far from the patient's own infarct. Their ADC is multiplied by a factor, b0
is a tenth brighter, and the DWI follows from S = b0·exp(−b·ADC). The patient's own infarct of 165 ml is there, or
painted over by normal signal. The shipped network and the method `diffusion` run on the same images. Prints Markdown.

    python Testing/Benchmarks/inserted_lesions.py
"""

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

from StrokeSAMLib.imaging.geometry import array_spacing, image_like
from StrokeSAMLib.lesion import segment

DATA = Path(os.environ.get("STROKESAM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "dwi"
METHODS = ("dwi-unet", "diffusion")
VOLUMES_ML, ADC_PARTS = (0.1, 0.2, 0.4), (0.55, 0.7)
# The number of infarcts in one scan, their least distance from each other and from the patient's own, and the b-value.
_COUNT, _DISTANCE_MM, _FROM_INFARCT_MM, _B = 6, 22.0, 25.0, 1e-3
_B0_RISE = 0.1


class Scan:
    """The patient's scan; arrays are (k, j, i).

    Attributes:
        grid: the image with the scan's grid.
        b0: signal.
        adc: 10⁻⁶ mm²/s.
        own: bool, the patient's infarct.
        allowed: bool, where infarcts may be put.
    """

    def __init__(self, painted_over: bool):
        self.grid = sitk.ReadImage(str(DATA / "subject01_dwi.nii.gz"))
        dwi, self.b0, own, brain = (
            sitk.GetArrayFromImage(sitk.ReadImage(str(DATA / f"subject01_{name}.nii.gz"))).astype(float)
            for name in ("dwi", "b0", "lesion_dagmnet", "brain")
        )
        self.spacing = array_spacing(self.grid)
        self.own = own > 0
        self.adc = np.log(np.maximum(self.b0, 1) / np.maximum(dwi, 1)) / _B
        normal = (brain > 0.5) & (self.adc > 550) & (self.adc < 1000)
        self.allowed = ndi.binary_erosion(brain > 0.5, iterations=4) & normal
        self.allowed &= ndi.distance_transform_edt(~self.own, self.spacing) > _FROM_INFARCT_MM
        if painted_over:
            self._paint(normal & ~self.own)

    def _paint(self, normal: np.ndarray) -> None:
        """Paint normal signal over the patient's infarct, with a deviation near that of tissue."""
        rng = np.random.default_rng(1)
        soft = ndi.gaussian_filter(ndi.binary_dilation(self.own, iterations=3).astype(float), (0.5, 2, 2))
        part = np.clip(1.3 * soft, 0, 1)
        for array in (self.b0, self.adc):
            usual = np.median(array[normal]) * (1 + 0.08 * rng.standard_normal(array.shape))
            array += part * (usual - array)

    def places(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Random centres of infarcts, voxels (k, j, i)."""
        points, chosen = np.argwhere(self.allowed), []
        while len(chosen) < _COUNT:
            point = points[rng.integers(len(points))]
            if all(np.linalg.norm((point - other) * self.spacing) > _DISTANCE_MM for other in chosen):
                chosen.append(point)
        return chosen

    def with_infarcts(self, part: np.ndarray, adc_part: float) -> dict[str, sitk.Image]:
        """DWI and b0 with infarcts; `part` is the infarcted part of each voxel, 0…1."""
        b0 = self.b0 * (1 + _B0_RISE * part)
        dwi = b0 * np.exp(-_B * self.adc * (1 - part * (1 - adc_part)))
        return {name: image_like(array.astype(np.float32), self.grid) for name, array in (("dwi", dwi), ("b0", b0))}

    def spheres(self, places: list[np.ndarray], volume_ml: float) -> np.ndarray:
        """Spheres of `volume_ml` around `places`: 1 inside, 0 outside, with a soft edge."""
        radius = (volume_ml * 1000 * 3 / 4 / np.pi) ** (1 / 3)
        elsewhere = np.ones(self.b0.shape, bool)
        elsewhere[tuple(np.transpose(places))] = False
        distance = ndi.distance_transform_edt(elsewhere, self.spacing)
        return 1 / (1 + np.exp(np.clip((distance - radius) / 0.5, -30, 30)))


def found_by(method: str, scan: Scan, part: np.ndarray, adc_part: float) -> tuple[int, float]:
    """The number of infarcts that the predicted lesion touches, and the volume of it outside all infarcts, ml."""
    mask = sitk.GetArrayFromImage(segment(scan.with_infarcts(part, adc_part), method).mask) > 0
    near, count = ndi.label(ndi.binary_dilation(part > 0.5))
    touched = len(np.unique(near[mask & (near > 0)]))
    other = mask & ~ndi.binary_dilation(part > 0.3, iterations=2) & ~ndi.binary_dilation(scan.own, iterations=3)
    assert count == _COUNT
    return touched, float(other.sum() * np.prod(scan.spacing) / 1000)


def main() -> None:
    """Print the table."""
    print("| own infarct | ml | ADC × |" + "".join(f" {method}: found | false, ml |" for method in METHODS))
    print("|---|---|---|" + "---|---|" * len(METHODS))
    for painted_over in (True, False):
        scan, rng = Scan(painted_over), np.random.default_rng(0)
        for volume_ml in VOLUMES_ML:
            for adc_part in ADC_PARTS:
                spheres = [scan.spheres(scan.places(rng), volume_ml) for _ in range(2)]
                cells = ""
                for method in METHODS:
                    counts, false = zip(*(found_by(method, scan, each, adc_part) for each in spheres), strict=True)
                    cells += f" {sum(counts)} of {2 * _COUNT} | {np.mean(false):.1f} |"
                own = "painted over" if painted_over else "there"
                print(f"| {own} | {volume_ml} | {adc_part} |{cells}", flush=True)


if __name__ == "__main__":
    main()
