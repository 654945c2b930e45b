"""AISCT-SAM on a CPU against a straightforward implementation of its description: time, memory, and how much of the
processor the encoder uses.

Peer: the same network, float32, as its layers are written, window by window, those without brain too. Random weights;
they take turns; CPU time of one thread, medians.

    python Testing/Benchmarks/networks.py                 # 2 windows each, 2 repeats; some minutes
    python Testing/Benchmarks/networks.py --depth 4       # windows of 4 slices, not of 20: as the tests run it
    python Testing/Benchmarks/networks.py --scan HEAD_CT  # all windows of a scan instead; half an hour
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch.utils.flop_counter import FlopCounterMode

from StrokeSAMLib.lesion.aisct_sam import SUBSTITUTE, WINDOW, Pair
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.network import Asked, randomised
from StrokeSAMLib.lesion.windows import Network, slide
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.nets.aisct_sam import AisctSam
from StrokeSAMLib.nets.layers import from_windows, to_windows
from StrokeSAMLib.nets.packed import pack_layers

_PRECISIONS = ("float32", "bfloat16")
_PEER, _NOBODY = "straightforward", "nothing"
_SIDE = 4096


@dataclass(frozen=True)
class Work:
    """What there is to do.

    Attributes:
        channels: (2, z, y, x), float32.
        inside: bool (z, y, x), the brain.
        depth: of a window, slices.
        overlap: of windows, a part of their sides.
    """

    channels: np.ndarray
    inside: np.ndarray
    depth: int
    overlap: float = 0.0

    @classmethod
    def noise(cls, windows: int, depth: int) -> Work:
        """So many windows, beside each other."""
        shape = (depth * windows, *WINDOW[1:])
        channels = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
        return cls(channels, np.ones(shape, bool), depth)

    @classmethod
    def scan(cls, path: Path, depth: int) -> Work:
        """A head CT as the method shows it to the network."""
        pair = Pair.of(CtScan({"ncct": sitk.ReadImage(str(path))}, True, Monitor()), (SUBSTITUTE, SUBSTITUTE))
        return cls(pair.channels, pair.inside, depth, 0.5)

    def through(self, network: Network, everywhere: bool) -> np.ndarray:
        """The answer, (z, y, x), of windows with brain or of all."""
        inside = np.ones_like(self.inside) if everywhere else self.inside
        return slide(self.channels, inside, network, (self.depth, *WINDOW[1:]), self.overlap, 1, Monitor())


def as_described(model: AisctSam) -> Network:
    """Its layers as a description reads: windows cut before the projection, as SAM does, so that padding is projected
    too, and what all blocks give handed to the decoder."""
    for block in model.image_encoder.blocks:
        attention, side = block.attn, block.window

        def attend(x: torch.Tensor, window: int, attention=attention.forward, side: int = side) -> torch.Tensor:
            if not side:
                return attention(x)
            windows, padded = to_windows(x, side)
            return from_windows(attention(windows), padded, tuple(x.shape[1:3]))

        attention.forward = attend
    every, kept = model.image_encoder.hidden, []

    def hidden(images: torch.Tensor, depth: int) -> Iterator[torch.Tensor]:
        kept[:] = every(images, depth)
        return iter(kept)

    def ask(windows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            logits = model(torch.from_numpy(windows))
        return (logits[:, 1] - logits[:, 0]).numpy()

    model.image_encoder.hidden = hidden
    return ask


def prepared(who: str) -> Callable[[Work], np.ndarray]:
    """One of the contenders."""
    model = randomised(AisctSam, 1)
    network = as_described(model) if who == _PEER else Asked(model, "cpu", who, print)
    return lambda work: work.through(network, everywhere=who == _PEER)


def compare(work: Work, repeats: int, precisions: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Of each precision, the fraction of the peer's time, and of its voxels in the brain that are alike."""
    contenders = {who: prepared(who) for who in (_PEER, *precisions)}
    taken, answers = {who: [] for who in contenders}, {}
    for _ in range(repeats):
        for who, run in contenders.items():
            start = time.process_time()
            answers[who] = run(work)[work.inside]
            taken[who].append(time.process_time() - start)
    wanted = statistics.median(taken[_PEER])
    print(f"{work.inside.shape}, windows of {work.depth} slices, {repeats} repeats; {_PEER}: {wanted:.1f} CPU s")
    found = {}
    for who in precisions:
        same = float(np.mean((answers[who] > 0) == (answers[_PEER] > 0)))
        found[who] = statistics.median(taken[who]) / wanted, same
        print(f"{who}: {found[who][0]:.2f} of it; {same:.2%} of the voxels alike", flush=True)
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


def memory(asked: Sequence[str]) -> None:
    """Peak resident memory, each in a process of its own (Linux), asked as this one was."""
    peaks = {}
    for who in (_NOBODY, _PEER, *_PRECISIONS):
        command = [sys.executable, __file__, *asked, "--peak-of", who]
        peaks[who] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    print(f"peak MiB; of libraries and scan alone {peaks[_NOBODY]}, {_PEER} {peaks[_PEER]}")
    for who in _PRECISIONS:
        print(f"{who}: {peaks[who]}, {peaks[who] / peaks[_PEER]:.2f} of it")


def peak_of(who: str, work: Work) -> None:
    """Print the peak of one contender."""
    if who != _NOBODY:
        prepared(who)(work)
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def main(asked: Sequence[str]) -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--depth", type=int, default=WINDOW[0])
    parser.add_argument("--peak-of", choices=(_NOBODY, _PEER, *_PRECISIONS), help=argparse.SUPPRESS)
    given = parser.parse_args(asked)
    torch.set_num_threads(1)
    work = Work.scan(given.scan, given.depth) if given.scan else Work.noise(given.windows, given.depth)
    if given.peak_of:
        peak_of(given.peak_of, work)
        return
    encoder_rate(given.depth)
    compare(work, given.repeats, _PRECISIONS)
    memory(asked)


if __name__ == "__main__":
    main(sys.argv[1:])
