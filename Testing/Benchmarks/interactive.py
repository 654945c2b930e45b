"""Compare interactive SAM 2 with the sam2 package's own video predictor: time as a fraction of the predictor's.

The predictor is `SAM2VideoPredictor` of sam2 1.1.0 (tiny), with the slices as its loader needs them. Both have the
weights of Testing/Data/filler.py, the same volume and the same prompts, and take turns in one process. Times are
medians of the CPU time of one thread.

    python Testing/Benchmarks/interactive.py                 # 40 slices of 512 × 512, 3 repeats
    python Testing/Benchmarks/interactive.py --size 1024 --slices 8 --repeats 1
    python Testing/Benchmarks/interactive.py --memory 100    # peak memory, each in its own process (Linux)
    python Testing/Benchmarks/interactive.py --lesions       # slices saved by stopping early, on real lesions
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "Data"))

import filler
from sam2.build_sam import build_sam2_video_predictor
from scipy import ndimage as ndi

from StrokeSAMLib.interactive import Box, Point, Session
from StrokeSAMLib.interactive.engines.sam2 import Sam2Engine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis
from StrokeSAMLib.nets.cpu.sam2_fast import speed_up
from StrokeSAMLib.nets.models.sam2_model import build, configurations
from StrokeSAMLib.nets.precision import PRECISIONS, has_bfloat16

DATA = Path(os.environ.get("STROKESAM_TEST_DATA", ROOT.parent / "shared" / "data"))
COLUMNS = ("first click, cold", "click, encoded", "correction click", "propagation, nothing cached", "…, cached")


def cpu_seconds(work: Callable[[], object]) -> tuple[float, object]:
    """Run `work`: CPU seconds of this process, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def slices_of(count: int, size: int) -> np.ndarray:
    """Smooth noise, UInt8 (slice, row, column)."""
    noise = np.random.default_rng(1).standard_normal((count, size, size), np.float32)
    noise = ndi.gaussian_filter(noise, (1, size / 60, size / 60))
    return ((noise - noise.min()) / (noise.max() - noise.min()) * 255).astype(np.uint8)


class Prompts:
    """A box on the middle slice, a negative click six slices above."""

    def __init__(self, volume: np.ndarray):
        size = volume.shape[1]
        self.k = len(volume) // 2
        self.later = min(self.k + 6, len(volume) - 1)
        self.box = [float(n) for n in (size * 0.3, size * 0.35, size * 0.65, size * 0.7)]
        self.point = (size * 0.5, size * 0.5)


class Official:
    """The package's predictor as in its documentation; the directions run separately, as in MedSAM2's scripts."""

    def __init__(self, size: int):
        config = "configs/sam2.1/sam2.1_hiera_t.yaml"
        overrides = [f"++model.image_size={size}", "++model.add_all_frames_to_correct_as_cond=true"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = build_sam2_video_predictor(config, device="cpu", hydra_overrides_extra=overrides)
        filler.fill(self.model)
        self.model.fill_hole_area = 0  # without compiled CUDA code it only gives a warning

    def open(self, folder: Path, prompts: Prompts) -> None:
        self.state = self.model.init_state(str(folder))
        self.prompt(prompts)

    def prompt(self, prompts: Prompts) -> None:
        self.model.add_new_points_or_box(self.state, prompts.k, 1, box=np.array(prompts.box, np.float32))

    def correct(self, prompts: Prompts) -> None:
        point, label = np.array([prompts.point], np.float32), np.zeros(1, np.int32)
        self.model.add_new_points_or_box(self.state, prompts.later, 1, points=point, labels=label)

    def propagate(self, prompts: Prompts, backwards: bool) -> dict[int, np.ndarray]:
        steps = self.model.propagate_in_video(self.state, start_frame_idx=prompts.k, reverse=backwards)
        return {k: (logits[0, 0] > 0).numpy() for k, _, logits in steps}

    def run(self, folder: Path, prompts: Prompts) -> tuple[dict[str, float], dict[int, np.ndarray]]:
        """CPU seconds by column, and the masks."""
        timings = {}
        timings["first click, cold"], _ = cpu_seconds(lambda: self.open(folder, prompts))
        down, masks = cpu_seconds(lambda: self.propagate(prompts, True))
        self.model.reset_state(self.state)
        self.prompt(prompts)
        up, more = cpu_seconds(lambda: self.propagate(prompts, False))
        timings["propagation, nothing cached"] = timings["…, cached"] = down + up
        timings["correction click"], _ = cpu_seconds(lambda: self.correct(prompts))
        timings["click, encoded"] = timings["first click, cold"]
        return timings, {**masks, **more}


class StrokeSam:
    """A session of StrokeSAM."""

    def __init__(self, size: int, precision: str):
        model = filler.fill(build({**configurations()["medsam2"], "image_size": size}))
        self.engine = Sam2Engine("medsam2", speed_up(model, PRECISIONS[precision]))

    def run(self, image: sitk.Image, prompts: Prompts) -> tuple[dict[str, float], dict[int, np.ndarray]]:
        """CPU seconds by column, and the masks."""
        timings = {}
        x0, y0, x1, y1 = prompts.box
        box = Box((x0, y0, prompts.k), (x1, y1, prompts.k))

        def first() -> Session:
            session = Session.on(Encodings(self.engine, stack_along_axis(image, 2)))
            session.add(box)
            return session

        timings["first click, cold"], session = cpu_seconds(first)
        timings["propagation, nothing cached"], _ = cpu_seconds(lambda: session.propagate(stop_after=0))
        masks = {k: session.slice_mask(k) for k in session.slices()}
        click = Point((*prompts.point, float(prompts.later)), positive=False)
        timings["correction click"], _ = cpu_seconds(lambda: session.add(click))
        other = session.sibling()
        timings["click, encoded"], _ = cpu_seconds(lambda: other.add(box))
        timings["…, cached"], _ = cpu_seconds(lambda: other.propagate(stop_after=0))
        boxes = session.sibling()
        boxes.add(box)
        seconds, visited = cpu_seconds(lambda: boxes.propagate(policy="box", stop_after=0))
        timings["box propagation, s a slice"] = seconds / max(visited, 1)
        return timings, masks


def write_slices(volume: np.ndarray, folder: Path) -> None:
    """Write the slices as the package's loader needs them, but lossless: PNG bytes under a JPEG's name."""
    for k, pixels in enumerate(volume):
        Image.fromarray(pixels).save(folder / f"{k}.jpg", format="PNG")


def compare(size: int, count: int, repeats: int) -> None:
    """Print the times as fractions of the predictor's."""
    volume = slices_of(count, size)
    prompts, image = Prompts(volume), sitk.GetImageFromArray(volume)
    precisions = ["float32", *(["bfloat16"] if has_bfloat16("cpu") else [])]
    contenders = {precision: StrokeSam(size, precision) for precision in precisions}
    peer = Official(size)
    timings: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    agreement = {}
    with tempfile.TemporaryDirectory() as folder:
        write_slices(volume, Path(folder))
        for _ in range(repeats):
            seconds, expected = peer.run(Path(folder), prompts)
            record(timings["official"], seconds)
            for precision, contender in contenders.items():
                seconds, masks = contender.run(image, prompts)
                record(timings[precision], seconds)
                agreement[precision] = [iou(masks[k], expected[k]) for k in expected]
    print(f"{count} slices, {size} px, {repeats} repeats, one thread; official, CPU s:")
    print("  " + "; ".join(f"{name} {statistics.median(timings['official'][name]):.2f}" for name in COLUMNS))
    for precision in precisions:
        fractions = {
            name: statistics.median(timings[precision][name]) / statistics.median(timings["official"][name])
            for name in COLUMNS
        }
        print(f"{precision}: " + "; ".join(f"{name} {fraction:.3f}" for name, fraction in fractions.items()))
        box = statistics.median(timings[precision]["box propagation, s a slice"])
        print(f"  masks: least IoU {min(agreement[precision]):.4f}; box propagation {box:.3f} s a slice, encoded")


def record(into: dict[str, list[float]], seconds: dict[str, float]) -> None:
    for name, value in seconds.items():
        into[name].append(value)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def memory(count: int) -> None:
    """Print the peak resident memory of a session with a prompt and its propagation, each in its own process.

    The slices are made in this process, so that the memory for making them is in no other peak.
    """
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        volume = slices_of(count, 512)
        np.save(Path(folder) / "volume.npy", volume)
        write_slices(volume, Path(folder))
        del volume
        for contender in ("nothing", "official", *PRECISIONS):
            command = [sys.executable, __file__, "--peak-of", contender, "--folder", folder]
            peaks[contender] = int(
                subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
            )
    print(f"{count} slices, 512 px, peak MiB; the libraries alone: {peaks['nothing']}")
    for contender in PRECISIONS:
        fraction = peaks[contender] / peaks["official"]
        print(f"{contender}: {peaks[contender]} against the official {peaks['official']}: {fraction:.2f}")


def peak_of(contender: str, folder: Path) -> None:
    """Add a prompt, propagate both ways, and print the peak memory of this process, MiB."""
    volume = np.load(folder / "volume.npy")
    prompts = Prompts(volume)
    if contender == "official":
        del volume
        peer = Official(512)
        for backwards in (True, False):
            peer.open(folder, prompts)
            peer.propagate(prompts, backwards)
    elif contender != "nothing":
        strokesam = StrokeSam(512, contender)
        image = sitk.GetImageFromArray(volume)
        del volume
        session = Session.on(Encodings(strokesam.engine, stack_along_axis(image, 2)))
        x0, y0, x1, y1 = prompts.box
        session.add(Box((x0, y0, prompts.k), (x1, y1, prompts.k)))
        session.propagate(stop_after=0)
    # Not getrusage's peak: a process inherits it from the process that started it.
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def lesions() -> None:
    """Print the part of the slices that propagation visits: with the stop at empty slices, and after a correction."""
    stopped, again = [], []
    for path in sorted((DATA / "recist").glob("*.npz")):
        with np.load(path) as case:
            pixels, truth = case["imgs"], case["gts"] > 0
            image = sitk.GetImageFromArray(pixels)
            image.SetSpacing(case["spacing"].tolist())
        k = int(truth.sum(axis=(1, 2)).argmax())
        rows, columns = np.nonzero(truth[k])
        at = image.TransformContinuousIndexToPhysicalPoint
        session = Session(image)
        corners = ((columns.min(), rows.min(), k), (columns.max(), rows.max(), k))
        session.add(Box(*(at([float(n) for n in corner]) for corner in corners)))
        every = len(pixels) - 1
        stopped.append(session.propagate() / every)
        wrong = truth ^ (sitk.GetArrayFromImage(session.mask()) > 0)
        wrong[k] = False
        worst = int(wrong.sum(axis=(1, 2)).argmax())
        row, column = np.unravel_index(ndi.distance_transform_edt(wrong[worst]).argmax(), wrong[worst].shape)
        session.add(Point(at((float(column), float(row), float(worst))), positive=bool(truth[worst, row, column])))
        again.append(session.propagate() / every)
    if not stopped:
        print("no real lesions here: set STROKESAM_TEST_DATA")
        return
    print(f"visited part of the other slices, median of {len(stopped)} lesions: ", end="")
    print(f"{statistics.median(stopped):.2f} with the stop; {statistics.median(again):.2f} after a correction")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, choices=(512, 1024))
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, metavar="SLICES")
    parser.add_argument("--lesions", action="store_true")
    parser.add_argument("--peak-of", choices=("nothing", "official", *PRECISIONS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.peak_of:
        peak_of(arguments.peak_of, arguments.folder)
    elif arguments.memory:
        memory(arguments.memory)
    elif arguments.lesions:
        lesions()
    else:
        compare(arguments.size, arguments.slices, arguments.repeats)


if __name__ == "__main__":
    main()
