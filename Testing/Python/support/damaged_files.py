"""Image files with random damage in their headers, for tests and benchmarks of the readers."""

import gzip
import re
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

SHAPE = (6, 8, 10)
# Values that headers of damaged files have, or that overflow a reader's arithmetic.
_NUMBERS = ("0", "-1", "1", "2", "65536", "99999", "1000000000000", "1e30", "-1e30", "nan", "inf", "", "x", "1,2", "%d")
_STRUCTS = ("<h", "<i", "<f", "<d", "<q", ">h", ">f")
_EXTREMES = (0, -1, 1, 7, 127, 255, 32767, -32768)
_HEADER_BYTES = 560


def intact_files(folder: Path) -> list[Path]:
    """A small volume in every format; a header file stands for its voxel file beside it."""
    voxels = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.8, 3.0))
    paths = [folder / f"intact.{suffix}" for suffix in ("nrrd", "nhdr", "mha", "mhd")]
    for path in paths:
        sitk.WriteImage(image, str(path), useCompression=False)
    for path in (folder / "packed.nrrd", folder / "packed.mha"):
        sitk.WriteImage(image, str(path), useCompression=True)
        paths.append(path)
    affine = np.diag([-0.7, -0.8, 3.0, 1.0])
    for image_class, name in (
        (nib.Nifti1Image, "one.nii"),
        (nib.Nifti1Image, "one.nii.gz"),
        (nib.Nifti2Image, "two.nii"),
        (nib.Nifti1Pair, "pair.hdr"),
        (nib.AnalyzeImage, "analyze.hdr"),
    ):
        nib.save(image_class(voxels.T, affine), folder / name)
        paths.append(folder / name)
    return paths


def file_seeds(folder: Path) -> dict[str, bytes]:
    """The bytes of `intact_files` by name; the voxel files of pairs stay in the folder."""
    return {path.name: path.read_bytes() for path in intact_files(folder)}


def damaged_file(name: str, content: bytes, random: np.random.Generator) -> bytes:
    """The bytes of the file `name` with random damage, mostly in its header, below its compression."""
    packed = name.endswith(".gz")
    body = gzip.decompress(content) if packed else content
    is_text = Path(name).suffix in (".nrrd", ".nhdr", ".mha", ".mhd")
    for _ in range(int(random.integers(1, 4))):
        body = _damaged_text(body, random) if is_text and random.random() < 0.8 else _damaged_bytes(body, random)
    if not packed:
        return body
    return _damaged_bytes(gzip.compress(body), random) if random.random() < 0.1 else gzip.compress(body)


def _damaged_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with a changed number, a changed bit, or the end missing."""
    if not content:
        return content
    raw = bytearray(content)
    kind = rng.integers(10)
    place = int(rng.integers(min(len(raw), _HEADER_BYTES)))
    if kind == 0:
        return bytes(raw[: int(rng.integers(len(raw)))])
    if kind < 4:
        raw[place] ^= 1 << int(rng.integers(8))
        return bytes(raw)
    form = _STRUCTS[int(rng.integers(len(_STRUCTS)))]
    place -= place % 2
    if place + struct.calcsize(form) > len(raw):
        return bytes(raw)
    extreme = _EXTREMES[int(rng.integers(len(_EXTREMES)))]
    if form[1] in "fd" and rng.random() < 0.5:
        extreme = (float("nan"), float("inf"), 1e30, -1e-30)[int(rng.integers(4))]
    struct.pack_into(form, raw, place, extreme)
    return bytes(raw)


def _damaged_text(content: bytes, rng: np.random.Generator) -> bytes:
    """The text header with a changed number, or a line that is missing, doubled or exchanged."""
    end = content.find(b"\n\n") if b"\n\n" in content else content.find(b"\n", content.find(b"ElementDataFile"))
    if end < 0:
        return content
    lines = content[:end].split(b"\n")
    n = int(rng.integers(len(lines)))
    kind = rng.integers(6)
    if kind == 0 and len(lines) > 1:
        del lines[n]
    elif kind == 1:
        lines.insert(n, lines[int(rng.integers(len(lines)))])
    elif kind == 2:
        m = int(rng.integers(len(lines)))
        lines[n], lines[m] = lines[m], lines[n]
    else:
        numbers = list(re.finditer(rb"[-+.\w]+", lines[n]))
        if numbers:
            chosen = numbers[int(rng.integers(len(numbers)))]
            value = _NUMBERS[int(rng.integers(len(_NUMBERS)))].encode()
            lines[n] = lines[n][: chosen.start()] + value + lines[n][chosen.end() :]
    return b"\n".join(lines) + content[end:]
