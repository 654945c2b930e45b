"""Rules, the networks that ship, and plain rules: Dice on the same cases in one run, a whole scan's time and memory.

Peers: for NCCT the mirror difference below −3 HU of a 3 mm Gaussian within tissue of 15–60 HU, 4 mm from the brain's
edge, at least 3 ml, with the same brain mask and mid-sagittal plane; for diffusion ADC < 800 × 10⁻⁶ mm²/s in the
brain. Cases: phantoms; infarcts of known shape put into the mean CT of 35 adults; the real patient of
STROKESAM_TEST_DATA.

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

from StrokeSAMLib.imaging.brain_ct import brain_mask as ct_brain
from StrokeSAMLib.imaging.geometry import array_spacing, canonical, like, mask_like, shrink
from StrokeSAMLib.imaging.mirror import find_plane
from StrokeSAMLib.imaging.morphology import erode, masked_gaussian, remove_small
from StrokeSAMLib.imaging.phantom import Infarct, Pose, head_ct
from StrokeSAMLib.lesion import segment

DATA = Path(os.environ.get("STROKESAM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def dice(first: sitk.Image, second: sitk.Image) -> float:
    """Dice of two masks on one grid."""
    a, b = (sitk.GetArrayFromImage(image) > 0 for image in (first, second))
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def plain_ncct(ncct: sitk.Image) -> sitk.Image:
    """The peer for NCCT."""
    work = sitk.Cast(shrink(canonical(ncct), (1.0, 1.0, 2.0)), sitk.sitkFloat32)
    brain, spacing = ct_brain(work), array_spacing(work)
    hu, inside = sitk.GetArrayFromImage(work), sitk.GetArrayFromImage(brain) > 0
    structure = masked_gaussian(np.clip(hu, 0, 27), inside, 1.5, spacing) * inside
    plane = find_plane(like(structure.astype(np.float32), work), brain)
    normal = np.asarray(plane.normal)
    mirror = sitk.AffineTransform(3)
    mirror.SetMatrix((np.eye(3) - 2 * np.outer(normal, normal)).ravel().tolist())
    mirror.SetTranslation((2 * plane.offset * normal).tolist())
    tissue = inside & (hu > 15) & (hu < 60)
    density = like(masked_gaussian(hu, tissue, 3.0, spacing).astype(np.float32), work)
    other = sitk.Resample(density, density, mirror, sitk.sitkLinear, 30.0)
    low = sitk.GetArrayFromImage(density) - sitk.GetArrayFromImage(other) < -3
    found = remove_small(low & tissue & erode(inside, 4.0, spacing), 3000 / np.prod(spacing))
    return mask_like(like(found, work), ncct)


def phantoms() -> list[tuple[str, sitk.Image, sitk.Image]]:
    """Synthetic heads: names, scans, lesions."""
    kinds = [("left", -6, 1.0, 3.5), ("right", -4, 1.1, 3.5), ("left", -8, 0.6, 4.5), ("right", -6, 1.3, 6.0)]
    cases = []
    for seed, (side, density, size, noise) in enumerate(kinds, 21):
        pose = Pose(yaw=4 * seed - 90, roll=2 * seed - 45)
        made = head_ct(seed, infarct=Infarct(side, density, size), pose=pose, noise_hu=noise)
        cases.append((f"phantom {side} {density} HU, noise {noise}", made.ncct, made.lesion))
    return cases


def templates() -> list[tuple[str, sitk.Image, sitk.Image]]:
    """Real anatomy (a mean: without sulci) with spheroids of −3…−8 HU, and noise."""
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
        away = np.sqrt((k - centre[0]) ** 2 + ((j - centre[1]) / 1.3) ** 2 + (i - centre[2]) ** 2) * 2
        lesion = brain & (away < radius)
        noise = ndi.gaussian_filter(np.random.default_rng(number).standard_normal(hu.shape), 0.4)
        scan = np.where(np.abs(hu) < 1e-3, -1000, hu) + change * lesion + 3.5 * noise / noise.std()
        name = f"template {change} HU, radius {radius} mm"
        cases.append((name, like(scan.astype(np.float32), template), like(lesion, template)))
    return cases


def healthy() -> list[tuple[str, sitk.Image]]:
    """Heads without a lesion."""
    cases = [(f"phantom {seed} without a lesion", head_ct(seed, infarct=None).ncct) for seed in (31, 32)]
    path = DATA / "ct" / "template_with_skull_2mm.nii.gz"
    if path.exists():
        template = sitk.ReadImage(str(path))
        hu = sitk.GetArrayFromImage(template)
        noise = 3.5 * np.random.default_rng(9).standard_normal(hu.shape)
        scan = np.where(np.abs(hu) < 1e-3, -1000, hu) + noise
        cases.append(("template without a lesion", like(scan.astype(np.float32), template)))
    return cases


def volume_ml(mask: sitk.Image) -> float:
    """Of a mask."""
    return float(sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing()) / 1000)


def line(name: str, figures: dict[str, float], form: str = ".2f") -> None:
    """Print a row of the table."""
    print(f"{name:36}" + "".join(f"   {who} {figure:{form}}" for who, figure in figures.items()), flush=True)


def compare_ncct() -> None:
    """Dice of the methods and of their peer, a line a case, and their means; false millilitres without a lesion."""
    figures = []
    for name, scan, truth in phantoms() + templates():
        found = {id: dice(segment({"ncct": scan}, id).mask, truth) for id in ("asymmetry", "ncct-unet")}
        figures.append({**found, "plain rule": dice(plain_ncct(scan), truth)})
        line(name, figures[-1])
    line("mean", {who: float(np.mean([each[who] for each in figures])) for who in figures[0]})
    for name, scan in healthy():
        found = {id: volume_ml(segment({"ncct": scan}, id).mask) for id in ("asymmetry", "ncct-unet")}
        line(f"{name}, ml", {**found, "plain rule": volume_ml(plain_ncct(scan))}, ".1f")


def compare_diffusion() -> None:
    """The same for the real diffusion patient."""
    folder = DATA / "dwi"
    if not folder.exists():
        print("no real diffusion patient here: set STROKESAM_TEST_DATA")
        return
    dwi, b0, truth, brain = (
        sitk.ReadImage(str(folder / f"subject01_{name}.nii.gz")) for name in ("dwi", "b0", "lesion_dagmnet", "brain")
    )
    found = {id: dice(segment({"dwi": dwi, "b0": b0}, id).mask, truth) for id in ("diffusion", "dwi-unet")}
    signals = [np.maximum(sitk.GetArrayFromImage(image).astype(float), 1) for image in (b0, dwi)]
    low = (np.log(signals[0] / signals[1]) * 1000 < 800) & (sitk.GetArrayFromImage(brain) > 0)
    line("subject01 against DAGMNet", {**found, "ADC < 800": dice(like(low, dwi), truth)})


def whole_scan() -> None:
    """Time and peak memory of a scan of 512 × 512 × 32, in this process."""
    scan = head_ct(7, size=(512, 512, 32), spacing_mm=(0.45, 0.45, 5.0)).ncct
    taken = {}
    for id in ("asymmetry", "ncct-unet"):
        start = time.perf_counter()
        segment({"ncct": scan}, id)
        taken[id] = time.perf_counter() - start
    line("512 × 512 × 32, s", taken, ".1f")
    # In KiB on Linux, in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(f"peak of this whole run, phantoms included: {peak:.0f} MiB")


if __name__ == "__main__":
    compare_diffusion()
    compare_ncct()
    whole_scan()
