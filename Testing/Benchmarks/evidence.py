"""Run every ready method over the real patients of STROKESAM_TEST_DATA and over phantoms, and write docs/evidence.md.

The contenders are network, rule, their combination in CT, and the plain rules of automatic.py. The patients are in the
folders patients/ and dwi/; the README there names their sources. Their images must not be published: the contact sheet
of all patients, with reference and answer, is written only where --sheet says.

    python Testing/Benchmarks/evidence.py docs/evidence.md --sheet SHEET.png
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from automatic import DATA, healthy, phantoms, plain_ncct
from evidence_sheet import Row, write_sheet

from StrokeSAMLib.evaluation.lesions import detect_lesions
from StrokeSAMLib.evaluation.metrics import dice
from StrokeSAMLib.imaging.geometry import image_like, mask_volume_ml, voxel_volume_ml
from StrokeSAMLib.io.reading import read_image
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.lesion.result import LesionResult

_ADC_LIMIT = 800.0
Images = dict[str, sitk.Image]


@dataclass(frozen=True)
class Case:
    """A scan: its images by input key, and its reference, which is None where there is nothing to find or no mask."""

    name: str
    images: Images
    reference: sitk.Image | None
    nothing_to_find: bool = False


@dataclass
class Contender:
    """A way to segment, and its figures on the cases so far."""

    name: str
    run: Callable[[Images], LesionResult | sitk.Image]
    rows: list[dict[str, float]] = field(default_factory=list)


def contenders(kind: str) -> list[Contender]:
    """The contenders for "ncct" or "dwi"."""
    if kind == "ncct":
        return [
            Contender("network and rule (`ncct-unet`)", lambda images: segment(images, "ncct-unet")),
            Contender("network alone", lambda images: segment(images, "ncct-unet", rule=False)),
            Contender("rule (`asymmetry`)", lambda images: segment(images, "asymmetry")),
            Contender("plain difference", lambda images: plain_ncct(images["ncct"])),
        ]
    return [
        Contender("network (`dwi-unet`)", lambda images: segment(images, "dwi-unet")),
        Contender("rule (`diffusion`)", lambda images: segment(images, "diffusion")),
        Contender("ADC < 800", _low_adc),
    ]


def _low_adc(images: Images) -> sitk.Image:
    result = segment(images, "diffusion")
    low = sitk.GetArrayViewFromImage(result.images["adc"]) < _ADC_LIMIT
    return image_like(low & (sitk.GetArrayViewFromImage(result.brain) > 0), result.mask)


def ct_cases() -> Iterator[Case]:
    """The real CT scans."""
    patients = DATA / "patients"
    for folder in sorted(patients.glob("tekno-*")):
        yield Case(folder.name, {"ncct": read_image(folder / "ct.nii.gz")}, read_image(folder / "msk.nii.gz"))
    clip = read_image(patients / "isles18-case1/ct.nii")
    clip.SetSpacing((*clip.GetSpacing()[:2], 5.0))  # its sform lacks the 5 mm of its pixdim
    for name, image in (
        ("aisd-0226308", read_image(patients / "aisd-0226308/CT")),
        ("deepbleed-ivh", read_image(patients / "deepbleed-ivh/tmpfile.nii.gz")),
        ("isles18-case1", clip),
    ):
        yield Case(name, {"ncct": image}, None, nothing_to_find=True)


def phantom_cases() -> Iterator[Case]:
    """Phantoms, with an infarct and without, and a mean CT."""
    for name, image, truth in phantoms():
        yield Case(name, {"ncct": image}, truth)
    for name, image in healthy():
        yield Case(name, {"ncct": image}, None, nothing_to_find=True)


def dwi_cases() -> Iterator[Case]:
    """The real diffusion scans with ADC or b = 0."""
    patients = DATA / "patients"
    for folder in sorted(patients.glob("isles22-*")):
        yield Case(folder.name, _read(folder, ("dwi.nii.gz", "adc.nii.gz")), read_image(folder / "msk.nii.gz"))
    subject = DATA / "dwi"
    images = {key: read_image(subject / f"subject01_{key}.nii.gz") for key in ("dwi", "b0")}
    yield Case("subject01", images, read_image(subject / "subject01_lesion_dagmnet.nii.gz"))
    yield Case("isles-oblique", _read(patients / "isles-oblique", ("dwi.mha", "adc.mha")), None)
    for name, files in (
        ("healthy-xa30", ("dwi.nii.gz", "adc.nii.gz")),
        ("healthy-uih", ("dwi.nii.gz", "b0.nii.gz")),
    ):
        yield Case(name, _read(patients / name, files), None, nothing_to_find=True)


def _read(folder: Path, files: tuple[str, ...]) -> Images:
    return {file.partition(".")[0]: read_image(folder / file) for file in files}


def figures(case: Case, answer: LesionResult | sitk.Image, seconds: float) -> dict[str, float]:
    """The figures of one answer; NaN where the case has no reference."""
    mask = answer.mask if isinstance(answer, LesionResult) else answer
    possible = answer.possible if isinstance(answer, LesionResult) else None
    values = {
        "ml": mask_volume_ml(mask),
        "possible": mask_volume_ml(possible) if possible is not None else 0.0,
        "s": seconds,
    }
    if case.reference is None:
        return values
    first, second = (sitk.GetArrayViewFromImage(image) > 0 for image in (case.reference, mask))
    error = mask_volume_ml(mask) - mask_volume_ml(case.reference)
    false = np.count_nonzero(second & ~first) * voxel_volume_ml(mask)
    return {
        **values,
        "dice": dice(first, second),
        "f1": detect_lesions(first, second).f1,
        "error": error,
        "false": false,
    }


def compare(cases: Iterator[Case], kind: str, sheet: list[Row]) -> str:
    """Run the contenders for `kind` on the cases; return the two tables, and add to the rows of the sheet."""
    entrants, lines = contenders(kind), []
    for case in cases:
        cells = []
        for entrant in entrants:
            start = time.process_time()
            answer = entrant.run(case.images)
            row = figures(case, answer, time.process_time() - start)
            entrant.rows.append({**row, "nothing": float(case.nothing_to_find)})
            cells.append(_cell(row))
            if entrant is entrants[0] and isinstance(answer, LesionResult):
                sheet.append(Row(case.name, answer, case.reference))
        lines.append(f"| {case.name} | {_truth(case)} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    head = f"| case | reference, ml | {' | '.join(entrant.name for entrant in entrants)} |"
    return "\n".join([_summary(entrants), "", head, "|---" * (len(entrants) + 2) + "|", *lines])


def _truth(case: Case) -> str:
    if case.reference is not None:
        return f"{mask_volume_ml(case.reference):.1f}"
    return "nothing to find" if case.nothing_to_find else "no mask"


def _cell(row: Mapping[str, float]) -> str:
    possible = f" (+ {row['possible']:.1f} possible)" if row["possible"] >= 0.05 else ""
    return (f"**{row['dice']:.2f}**, " if "dice" in row else "") + f"{row['ml']:.1f} ml{possible}"


def _summary(entrants: list[Contender]) -> str:
    """The table of means; empty where no case has a reference."""
    if not any("dice" in row for row in entrants[0].rows):
        return ""
    lines = [
        "| | n | mean Dice | found | mean lesion F1 | median volume error, ml | mean false, ml "
        "| nothing to find: n | most ml | median CPU s |",
        "|---" * 10 + "|",
    ]
    for entrant in entrants:
        known = [row for row in entrant.rows if "dice" in row]
        none = [row["ml"] for row in entrant.rows if row["nothing"]]
        dices, f1s, errors, falses = ([row[key] for row in known] for key in ("dice", "f1", "error", "false"))
        lines.append(
            f"| {entrant.name} | {len(known)} | {np.mean(dices):.2f} | {sum(value > 0.1 for value in dices)}"
            f" | {np.mean(f1s):.2f} | {np.median(np.abs(errors)):.1f} | {np.mean(falses):.1f}"
            f" | {len(none)} | {max(none, default=np.nan):.1f} | {np.median([row['s'] for row in entrant.rows]):.1f} |"
        )
    return "\n".join(lines)


_HEAD = """# Evidence

Written by `Testing/Benchmarks/evidence.py`. The real cases served the development of the methods, so that figures of
unseen patients are lower. *Found*: Dice above 0.1. *False*: what is marked outside the reference. Time: of one process,
with reading left out.
"""


def main() -> None:
    """Write the page, and the contact sheet where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--sheet", type=Path, help="PNG of all patients; keep it out of the repository")
    arguments = parser.parse_args()
    rows: list[Row] = []
    sections = (
        ("Non-contrast CT", ct_cases(), "ncct"),
        ("Diffusion MR", dwi_cases(), "dwi"),
        ("Phantoms and a mean CT", phantom_cases(), "ncct"),
    )
    parts = [f"## {title}\n\n{compare(cases, kind, rows)}\n" for title, cases, kind in sections]
    arguments.page.write_text("\n".join([_HEAD, *parts]), encoding="utf-8")
    if arguments.sheet:
        write_sheet(rows, arguments.sheet)


if __name__ == "__main__":
    main()
