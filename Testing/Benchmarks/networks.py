"""AISCT-SAM on a CPU against a straightforward implementation of its description: time, memory, and how much of the
processor the encoder uses.

Peer: the same network, float32, as its layers are written, window by window. Random weights; they take turns; CPU time
of one thread, medians.

    python Testing/Benchmarks/networks.py                 # 2 windows each, 2 repeats; some minutes
    python Testing/Benchmarks/networks.py --depth 4       # windows of 4 slices, not of 20: as the tests run it
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from StrokeSAMLib.lesion.aisct_sam import WINDOW, prepare
from StrokeSAMLib.lesion.network import Asked, randomised
from StrokeSAMLib.lesion.windows import slide
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.nets.aisct_sam import AisctSam
from StrokeSAMLib.nets.layers import from_windows, to_windows
from StrokeSAMLib.nets.packed import pack_layers

_PRECISIONS = ("float32", "bfloat16")
_SIDE = 4096


def straightforward(model: torch.nn.Module, volume: np.ndarray, depth: int) -> np.ndarray:
    """Every window, one at a time, as a description is read."""
    with torch.no_grad():
        parts = [model(window[None]) for window in torch.from_numpy(volume).split(depth, dim=1)]
    return torch.cat([part[0, 1] - part[0, 0] for part in parts]).numpy()


def pad_first(model: torch.nn.Module) -> None:
    """Windows cut before the projection, as SAM does: padding is projected too."""
    for block in model.image_encoder.blocks:
        attention, side = block.attn, block.window

        def attend(x: torch.Tensor, window: int, attention=attention.forward, side: int = side) -> torch.Tensor:
            if not side:
                return attention(x)
            windows, padded = to_windows(x, side)
            return from_windows(attention(windows), padded, tuple(x.shape[1:3]))

        attention.forward = attend


def ours(asked: Asked, volume: np.ndarray, depth: int) -> np.ndarray:
    """As the method does it, without overlap."""
    return slide(volume, np.ones(volume.shape[1:], bool), asked, (depth, *WINDOW[1:]), 0.0, 1, Monitor())


def prepared(who: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """One of the contenders."""
    model = randomised(AisctSam, 1)
    if who == "official":
        pad_first(model)
        return partial(straightforward, model)
    return partial(ours, Asked(model, "cpu", who, print, prepare))


def volume_of(windows: int, depth: int) -> np.ndarray:
    """Noise, float32 (2, z, y, x)."""
    return np.random.default_rng(0).standard_normal((2, depth * windows, *WINDOW[1:])).astype(np.float32)


def compare(windows: int, repeats: int, depth: int, precisions: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Of each precision, the fraction of the peer's time, and of its voxels that are alike."""
    contenders = {who: prepared(who) for who in ("official", *precisions)}
    volume, taken, answers = volume_of(windows, depth), {who: [] for who in contenders}, {}
    for _ in range(repeats):
        for who, run in contenders.items():
            start = time.process_time()
            answers[who] = run(volume, depth)
            taken[who].append(time.process_time() - start)
    wanted = statistics.median(taken["official"])
    print(f"{windows} windows of {depth} slices, {repeats} repeats, one thread; straightforward: {wanted:.1f} CPU s")
    found = {}
    for who in precisions:
        same = float(np.mean((answers[who] > 0) == (answers["official"] > 0)))
        found[who] = statistics.median(taken[who]) / wanted, same
        print(f"{who}: {found[who][0]:.2f} of it; {same:.2%} of the voxels alike")
    return found


def encoder_rate(depth: int) -> None:
    """Floating-point operations a second of the packed encoder, against a large product's."""
    encoder = randomised(AisctSam, 1).image_encoder
    images = torch.randn(depth, 3, *WINDOW[1:])

    def run() -> None:
        list(encoder.hidden(images, depth))

    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            run()
        pack_layers(encoder)
        rate = counter.get_total_flops() / _seconds(run)
        matrix = torch.randn(_SIDE, _SIDE)
        packed = torch.ops.mkldnn._reorder_linear_weight(matrix, _SIDE)
        product = (
            2
            * _SIDE**3
            / _seconds(lambda: torch.ops.mkldnn._linear_pointwise(matrix, packed, None, "none", [], "none"))
        )
    print(f"encoder: {rate / 1e9:.0f} GFLOP/s, {rate / product:.0%} of a large product's {product / 1e9:.0f}")


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(2):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def memory(depth: int) -> None:
    """Peak resident memory, each in a process of its own (Linux)."""
    peaks = {}
    for who in ("nothing", "official", *_PRECISIONS):
        command = [sys.executable, __file__, "--depth", str(depth), "--peak-of", who]
        peaks[who] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    print(f"peak MiB; of the libraries alone {peaks['nothing']}, straightforward {peaks['official']}")
    for who in _PRECISIONS:
        print(f"{who}: {peaks[who]}, {peaks[who] / peaks['official']:.2f} of it")


def peak_of(who: str, depth: int) -> None:
    """Print the peak of one contender's only window."""
    if who != "nothing":
        prepared(who)(volume_of(1, depth), depth)
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--depth", type=int, default=WINDOW[0])
    parser.add_argument("--peak-of", choices=("nothing", "official", *_PRECISIONS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.peak_of:
        peak_of(given.peak_of, given.depth)
        return
    encoder_rate(given.depth)
    compare(given.windows, given.repeats, given.depth, _PRECISIONS)
    memory(given.depth)


if __name__ == "__main__":
    main()
