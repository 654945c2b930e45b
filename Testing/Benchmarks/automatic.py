"""Compare the methods without weights, the shipped networks and plain rules: Dice on the same cases, time and memory.

The plain rule for NCCT is a mirror difference below −3 HU, after a 3 mm Gaussian within tissue of 15–60 HU, 4 mm from
the brain's edge, at least 3 ml, with the same brain mask and mid-sagittal plane as the methods. The plain rule for
diffusion is ADC < 800 × 10⁻⁶ mm²/s in the brain. The cases are phantoms, infarcts of known shape in the mean CT of 35
adults, and the real patient of STROKESAM_TEST_DATA.

    python Testing/Benchmarks/automatic.py
"""

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

from StrokeSAMLib.anatomy.brain_ct import brain_mask as ct_brain
from StrokeSAMLib.anatomy.midsagittal import find_plane
from StrokeSAMLib.imaging.geometry import array_spacing, canonical, image_like, mask_like, shrink
from StrokeSAMLib.imaging.morphology import erode, masked_gaussian, remove_small
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.phantom import Infarct, Pose, head_ct

DATA = Path(os.environ.get("STROKESAM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def dice(first: sitk.Image, second: sitk.Image) -> float:
    """Dice of two masks on one grid."""
    a, b = (sitk.GetArrayFromImage(image) > 0 for image in (first, second))
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def plain_ncct(ncct: sitk.Image) -> sitk.Image:
    """The lesion by the plain rule for NCCT."""
    work = sitk.Cast(shrink(canonical(ncct), (1.0, 1.0, 2.0)), sitk.sitkFloat32)
    brain, spacing = ct_brain(work), array_spacing(work)
    hu, inside = sitk.GetArrayFromImage(work), sitk.GetArrayFromImage(brain) > 0
    structure = masked_gaussian(np.clip(hu, 0, 27), inside, 1.5, spacing) * inside
    plane, _ = find_plane(image_like(structure.astype(np.float32), work), brain)
    tissue = inside & (hu > 15) & (hu < 60)
    density = image_like(masked_gaussian(hu, tissue, 3.0, spacing).astype(np.float32), work)
    mirrored = sitk.Resample(density, density, plane.reflection(), sitk.sitkLinear, 30.0)
    low = sitk.GetArrayFromImage(density) - sitk.GetArrayFromImage(mirrored) < -3
    lesion = remove_small(low & tissue & erode(inside, 4.0, spacing), 3000 / np.prod(spacing))
    return mask_like(image_like(lesion, work), ncct)


def phantoms() -> list[tuple[str, sitk.Image, sitk.Image]]:
    """Synthetic heads: name, scan and lesion of each."""
    kinds = [("left", -6, 1.0, 3.5), ("right", -4, 1.1, 3.5), ("left", -8, 0.6, 4.5), ("right", -6, 1.3, 6.0)]
    cases = []
    for seed, (side, density, size, noise) in enumerate(kinds, 21):
        pose = Pose(yaw=4 * seed - 90, roll=2 * seed - 45)
        phantom = head_ct(seed, infarct=Infarct(side, density, size), pose=pose, noise_hu=noise)
        cases.append((f"phantom {side} {density} HU, noise {noise}", phantom.ncct, phantom.lesion))
    return cases


def templates() -> list[tuple[str, sitk.Image, sitk.Image]]:
    """Real anatomy (a mean CT, without sulci) with spheroids of −3…−8 HU and noise: name, scan and lesion of each."""
    path = DATA / "ct" / "template_with_skull_2mm.nii.gz"
    if not path.exists():
        return []
    template = sitk.ReadImage(str(path))
    hu = sitk.GetArrayFromImage(template)
    brain = sitk.GetArrayFromImage(sitk.ReadImage(str(DATA / "ct" / "template_2mm.nii.gz"))) > 20
    k, j, i = np.indices(hu.shape)
    cases = []
    for number, (radius, change) in enumerate([(28, -5), (20, -8), (36, -4), (24, -3)]):
        centre = (66, 60 + 4 * number, 88 if number % 2 else 40)
        distance_mm = np.sqrt((k - centre[0]) ** 2 + ((j - centre[1]) / 1.3) ** 2 + (i - centre[2]) ** 2) * 2
        lesion = brain & (distance_mm < radius)
        noise = ndi.gaussian_filter(np.random.default_rng(number).standard_normal(hu.shape), 0.4)
        scan = np.where(np.abs(hu) < 1e-3, -1000, hu) + change * lesion + 3.5 * noise / noise.std()
        name = f"template {change} HU, radius {radius} mm"
        cases.append((name, image_like(scan.astype(np.float32), template), image_like(lesion, template)))
    return cases


def healthy() -> list[tuple[str, sitk.Image]]:
    """Heads without a lesion: name and scan of each."""
    cases = [(f"phantom {seed} without a lesion", head_ct(seed, infarct=None).ncct) for seed in (31, 32)]
    path = DATA / "ct" / "template_with_skull_2mm.nii.gz"
    if path.exists():
        template = sitk.ReadImage(str(path))
        hu = sitk.GetArrayFromImage(template)
        noise = 3.5 * np.random.default_rng(9).standard_normal(hu.shape)
        scan = np.where(np.abs(hu) < 1e-3, -1000, hu) + noise
        cases.append(("template without a lesion", image_like(scan.astype(np.float32), template)))
    return cases


def volume_ml(mask: sitk.Image) -> float:
    """The volume of a mask, ml."""
    return float(sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing()) / 1000)


def line(name: str, figures: dict[str, float], form: str = ".2f") -> None:
    """Print a row of the table: the case, then each contender with its figure."""
    print(
        f"{name:36}" + "".join(f"   {contender} {figure:{form}}" for contender, figure in figures.items()), flush=True
    )


def compare_ncct() -> None:
    """Print the Dice of methods and plain rule on each case, the means, and the false volume in healthy heads."""
    figures = []
    for name, scan, truth in phantoms() + templates():
        scores = {id: dice(segment({"ncct": scan}, id).mask, truth) for id in ("asymmetry", "ncct-unet")}
        figures.append({**scores, "plain rule": dice(plain_ncct(scan), truth)})
        line(name, figures[-1])
    line("mean", {name: float(np.mean([each[name] for each in figures])) for name in figures[0]})
    for name, scan in healthy():
        volumes = {id: volume_ml(segment({"ncct": scan}, id).mask) for id in ("asymmetry", "ncct-unet")}
        line(f"{name}, ml", {**volumes, "plain rule": volume_ml(plain_ncct(scan))}, ".1f")


def compare_diffusion() -> None:
    """Print the same for the real diffusion patient."""
    folder = DATA / "dwi"
    if not folder.exists():
        print("no real diffusion patient here: set STROKESAM_TEST_DATA")
        return
    dwi, b0, truth, brain = (
        sitk.ReadImage(str(folder / f"subject01_{name}.nii.gz")) for name in ("dwi", "b0", "lesion_dagmnet", "brain")
    )
    scores = {id: dice(segment({"dwi": dwi, "b0": b0}, id).mask, truth) for id in ("diffusion", "dwi-unet")}
    signals = [np.maximum(sitk.GetArrayFromImage(image).astype(float), 1) for image in (b0, dwi)]
    low = (np.log(signals[0] / signals[1]) * 1000 < 800) & (sitk.GetArrayFromImage(brain) > 0)
    line("subject01 against DAGMNet", {**scores, "ADC < 800": dice(image_like(low, dwi), truth)})


def measure_scan() -> None:
    """Print the time of a scan of 512 × 512 × 32, and the peak memory of this process."""
    scan = head_ct(7, size=(512, 512, 32), spacing_mm=(0.45, 0.45, 5.0)).ncct
    seconds = {}
    for id in ("asymmetry", "ncct-unet"):
        start = time.perf_counter()
        segment({"ncct": scan}, id)
        seconds[id] = time.perf_counter() - start
    line("512 × 512 × 32, s", seconds, ".1f")
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(f"peak memory of this run, including the phantoms: {peak:.0f} MiB")


if __name__ == "__main__":
    compare_diffusion()
    compare_ncct()
    measure_scan()
