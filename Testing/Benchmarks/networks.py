"""AISCT-SAM on a CPU against a straightforward implementation of its description: time, memory, and how much of the
processor the encoder uses.

Peer: the same network, float32, as its layers are written, window by window. Random weights; they take turns; CPU time
of one thread, medians.

    python Testing/Benchmarks/networks.py                 # 2 windows each, 2 repeats; some minutes
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
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

_SIDE = 4096


def straightforward(model: torch.nn.Module, volume: np.ndarray) -> np.ndarray:
    """Every window, one at a time, as a description is read."""
    count = volume.shape[1] // WINDOW[0]
    with torch.no_grad():
        parts = [model(torch.from_numpy(volume[None, :, 20 * n : 20 * n + 20])) for n in range(count)]
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


def ours(asked: Asked, volume: np.ndarray) -> np.ndarray:
    """As the method does it, without overlap."""
    return slide(volume, np.ones(volume.shape[1:], bool), asked, WINDOW, 0.0, 1, Monitor())


def prepared(who: str) -> Callable[[np.ndarray], np.ndarray]:
    """One of the contenders."""
    model = randomised(AisctSam, 1)
    if who == "official":
        pad_first(model)
        return lambda volume: straightforward(model, volume)
    asked = Asked(model, "cpu", who, print, prepare)
    return lambda volume: ours(asked, volume)


def volume_of(windows: int) -> np.ndarray:
    """Noise, float32 (2, z, y, x)."""
    return np.random.default_rng(0).standard_normal((2, 20 * windows, 256, 256)).astype(np.float32)


def compare(windows: int, repeats: int) -> None:
    """Fractions of the peer's time."""
    contenders = {who: prepared(who) for who in ("official", "float32", "bfloat16")}
    volume, taken, answers = volume_of(windows), {who: [] for who in contenders}, {}
    for _ in range(repeats):
        for who, run in contenders.items():
            start = time.process_time()
            answers[who] = run(volume)
            taken[who].append(time.process_time() - start)
    wanted = statistics.median(taken["official"])
    print(f"{windows} windows, {repeats} repeats, one thread; straightforward: {wanted:.1f} CPU s")
    for who in ("float32", "bfloat16"):
        same = float(np.mean((answers[who] > 0) == (answers["official"] > 0)))
        print(f"{who}: {statistics.median(taken[who]) / wanted:.2f} of it; {same:.2%} of the voxels alike")


def encoder_rate() -> None:
    """Floating-point operations a second of the packed encoder, against a large product's."""
    model = randomised(AisctSam, 1)
    images = torch.randn(WINDOW[0], 3, *WINDOW[1:])
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            list(model.image_encoder.hidden(images, WINDOW[0]))
        pack_layers(model.image_encoder)
        encoder = counter.get_total_flops() / _seconds(lambda: list(model.image_encoder.hidden(images, WINDOW[0])))
        matrix = torch.randn(_SIDE, _SIDE)
        packed = torch.ops.mkldnn._reorder_linear_weight(matrix, _SIDE)
        product = (
            2
            * _SIDE**3
            / _seconds(lambda: torch.ops.mkldnn._linear_pointwise(matrix, packed, None, "none", [], "none"))
        )
    print(f"encoder: {encoder / 1e9:.0f} GFLOP/s, {encoder / product:.0%} of a large product's {product / 1e9:.0f}")


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(2):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def memory() -> None:
    """Peak resident memory, each in a process of its own (Linux)."""
    peaks = {}
    for who in ("nothing", "official", "float32", "bfloat16"):
        command = [sys.executable, __file__, "--peak-of", who]
        peaks[who] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    print(f"peak MiB; of the libraries alone {peaks['nothing']}, straightforward {peaks['official']}")
    for who in ("float32", "bfloat16"):
        print(f"{who}: {peaks[who]}, {peaks[who] / peaks['official']:.2f} of it")


def peak_of(who: str) -> None:
    if who != "nothing":
        prepared(who)(volume_of(1))
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--peak-of", choices=("nothing", "official", "float32", "bfloat16"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.peak_of:
        peak_of(given.peak_of)
        return
    encoder_rate()
    compare(given.windows, given.repeats)
    memory()


if __name__ == "__main__":
    main()
