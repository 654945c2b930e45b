"""Interactive engines with a simulated user: Dice in 3-D after a box and after each correction.

The cases are real lesions of STROKESAM_TEST_DATA (CT and DWI strokes, DeepLesion crops) and phantoms. The object is the
largest component of the reference. The peers are Slicer's Grow from seeds (`vtkImageGrowCutSegment`) with the same
prompts as seeds, and rows that an earlier version wrote.

    python Testing/Benchmarks/clicks.py                          # every engine that is ready; prints the table
    python Testing/Benchmarks/clicks.py --write                  # and replaces these rows in docs/interactive.md
    python Testing/Benchmarks/clicks.py --engines random-walker --variant jitter --cases
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi
from simulated_user import Case, correction, first_box

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.imaging.overlap import dice
from StrokeSAMLib.interactive import Session
from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.interactive.prompts import Prompt
from StrokeSAMLib.interactive.slice_stack import slice_axis

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STROKESAM_TEST_DATA", ROOT.parent / "shared" / "data"))
DOCS = ROOT / "docs" / "interactive.md"
START, END = "<!-- clicks.py -->", "<!-- end of clicks.py -->"
KINDS = ("CT", "DWI", "DeepLesion", "phantom")
# Corrections after the box, and the Dice that a user would accept.
CLICKS, ENOUGH = 5, 0.85
WORSE = 0.02
# The user: plain, with a careless box, with lines in place of clicks, or on slices across another axis.
VARIANTS = ("box", "jitter", "scribble", "across")
# An engine's answer after one more prompt, bool (k, j, i).
Answer = Callable[[Prompt], np.ndarray]


@dataclass(frozen=True, eq=False)
class Run:
    """One case with one engine: Dice after the box and after each correction, and the seconds of each."""

    case: Case
    dices: tuple[float, ...]
    seconds: tuple[float, ...]


def cases() -> Iterator[Case]:
    """All cases."""
    for folder in sorted((DATA / "patients").glob("*")):
        scan = next((p for p in (folder / "ct.nii.gz", folder / "dwi.nii.gz") if p.is_file()), None)
        if scan is not None and (folder / "msk.nii.gz").is_file():
            mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "msk.nii.gz"))) > 0
            kind = "CT" if scan.name.startswith("ct") else "DWI"
            yield Case(folder.name, kind, sitk.ReadImage(str(scan)), _largest(mask))
    subject = DATA / "dwi" / "subject01_dwi.nii.gz"
    mask = sitk.ReadImage(str(DATA / "dwi" / "subject01_lesion_dagmnet.nii.gz"))
    yield Case("subject01", "DWI", sitk.ReadImage(str(subject)), _largest(sitk.GetArrayFromImage(mask) > 0))
    for path in sorted((DATA / "recist").glob("*.npz")):
        with np.load(path) as file:
            image = sitk.GetImageFromArray(file["imgs"])
            image.SetSpacing(file["spacing"].tolist())
            yield Case(path.stem[10:16], "DeepLesion", image, _largest(file["gts"] > 0))
    yield from _phantoms()


def _phantoms() -> Iterator[Case]:
    from StrokeSAMLib.phantom import head_ct

    for seed in (1, 2, 3):
        head = head_ct(seed)
        yield Case(f"phantom-{seed}", "phantom", head.ncct, _largest(sitk.GetArrayFromImage(head.lesion) > 0))


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, _ = ndi.label(mask, np.ones((3, 3, 3)))
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def session_answer(engine: str) -> Callable[[Case, int], Answer]:
    """A session with an engine; each prompt is propagated through the volume."""

    def start(case: Case, axis: int) -> Answer:
        session = Session(case.image, engine, axis=2 - axis)

        def answer(prompt: Prompt) -> np.ndarray:
            session.add(prompt)
            session.propagate()
            return sitk.GetArrayFromImage(session.mask()) > 0

        return answer

    return start


def simulate(case: Case, start: Callable[[Case, int], Answer], variant: str) -> Run:
    """One case with a user of this `variant`."""
    axis = 2 - slice_axis(case.image)
    if variant == "across":
        axis = (axis + 1) % 3
    answer, dices, seconds = start(case, axis), [], []
    prompt: Prompt | None = first_box(case, axis, seed=1 if variant == "jitter" else None)
    found = np.zeros(case.truth.shape, bool)
    for _ in range(CLICKS + 1):
        if prompt is not None:
            before = time.perf_counter()
            found = _refused_is_unchanged(answer, prompt, found)
            seconds.append(time.perf_counter() - before)
        dices.append(dice(found, case.truth))
        prompt = correction(case, found, axis, variant == "scribble")
    return Run(case, tuple(dices), tuple(seconds))


def _refused_is_unchanged(answer: Answer, prompt: Prompt, before: np.ndarray) -> np.ndarray:
    """The answer to a prompt; the answer before where the engine refuses it (a point, from a box-only network)."""
    try:
        return answer(prompt)
    except StrokeSAMError:
        return before


def row(label: str, runs: list[Run]) -> str:
    """A row of the table."""
    table = np.array([run.dices for run in runs])
    worse = np.mean(np.diff(table, axis=1) < -WORSE)
    needed = [next((n + 1 for n, value in enumerate(run.dices) if value >= ENOUGH), CLICKS + 2) for run in runs]
    seconds = np.percentile(np.concatenate([run.seconds for run in runs]), 95)
    means = " | ".join(f"{value:.3f}" for value in table.mean(axis=0))
    return f"| {label} | {len(runs)} | {means} | {np.mean(needed):.1f} | {worse:.0%} | {seconds:.2f} |"


def header() -> list[str]:
    """The head of the table."""
    clicks = " | ".join(f"{n}" for n in range(1, CLICKS + 1))
    return [
        f"| | cases | box | {clicks} | prompts to {ENOUGH} | worse | s (p95) |",
        "|" + "---|" * (CLICKS + 6),
    ]


def rows(name: str, runs: list[Run], variant: str) -> list[str]:
    """The rows of one engine: all real lesions, and for the plain user each kind."""
    groups = {"": [run for run in runs if run.case.kind != "phantom"]}
    if variant == "box":
        groups |= {f", {kind}": [run for run in runs if run.case.kind == kind] for kind in KINDS}
    else:
        name = f"{name}, {variant}"
    return [row(name + suffix, group) for suffix, group in groups.items() if group]


def write(lines: list[str]) -> None:
    """Replace these rows in the table of docs/interactive.md, and keep the others."""
    text = DOCS.read_text("utf-8")
    before, rest = text.split(START)
    table, after = rest.split(END)
    kept = {line.split("|")[1].strip(): line for line in table.splitlines()[3:] if line.startswith("|")}
    kept |= {line.split("|")[1].strip(): line for line in lines}
    DOCS.write_text(before + START + "\n" + "\n".join([*header(), *kept.values()]) + "\n" + END + after, "utf-8")


def main() -> None:
    """Run the engines, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="*", help="engine ids, and grow-from-seeds; by default all that are ready")
    parser.add_argument("--variant", choices=VARIANTS, default="box")
    parser.add_argument("--label", help="name of the row, for an engine of another version")
    parser.add_argument("--only", help="only cases whose name has this text")
    parser.add_argument("--cases", action="store_true", help="print each case")
    parser.add_argument("--write", action="store_true", help="write the rows into docs/interactive.md")
    arguments = parser.parse_args()
    ready = [entry.id for entry in ENGINES if entry.readiness() == "yes"]
    chosen = [case for case in cases() if not arguments.only or arguments.only in case.name]
    lines = []
    for engine in arguments.engines or [*ready, "grow-from-seeds"]:
        if engine == "grow-from-seeds":
            from grow_from_seeds import grow_from_seeds as start
        else:
            start = session_answer(engine)
        runs = []
        for case in chosen:
            runs.append(simulate(case, start, arguments.variant))
            if arguments.cases:
                print(case.name, " ".join(f"{value:.3f}" for value in runs[-1].dices), f"{max(runs[-1].seconds):.2f} s")
        label = arguments.label or engine
        lines += rows(label, runs, arguments.variant)
    print("\n".join([*header(), *lines]))
    if arguments.write:
        write(lines)


if __name__ == "__main__":
    main()
