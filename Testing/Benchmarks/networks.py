"""Compare AISCT-SAM on a CPU with a straightforward implementation: time, memory, and the encoder's processor use.

The straightforward implementation is the same network in float32 with plain layers, on every window, including those
without brain. Both have the same random weights and take turns. Times are medians of the CPU time of one thread.

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

from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.lesion.ct_scan import CtScan
from StrokeSAMLib.lesion.methods.aisct_sam import SUBSTITUTE_FINGERPRINT, WINDOW, NetworkInputs
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.lesion.predictor import Predictor, with_random_weights
from StrokeSAMLib.lesion.sliding_window import Predict, sliding_window_predict
from StrokeSAMLib.nets.cpu.fast_layers import put_fast_layers
from StrokeSAMLib.nets.models.aisct_sam import AisctSam
from StrokeSAMLib.nets.models.layers import from_windows, to_windows

_PRECISIONS = ("float32", "bfloat16")
_STRAIGHTFORWARD, _NO_NETWORK = "straightforward", "nothing"
_SIDE = 4096


@dataclass(frozen=True)
class Work:
    """The input of a comparison.

    Attributes:
        channels: network inputs, float32 (2, z, y, x).
        inside: bool (z, y, x), the brain.
        depth: slices of a window.
        overlap: overlap of neighbouring windows, as a part of their sides.
    """

    channels: np.ndarray
    inside: np.ndarray
    depth: int
    overlap: float = 0.0

    @classmethod
    def noise(cls, windows: int, depth: int) -> Work:
        """Noise for `windows` windows without overlap."""
        shape = (depth * windows, *WINDOW[1:])
        channels = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
        return cls(channels, np.ones(shape, bool), depth)

    @classmethod
    def scan(cls, path: Path, depth: int) -> Work:
        """A head CT, prepared as the method prepares it."""
        scan = CtScan({"ncct": sitk.ReadImage(str(path))}, True, Monitor())
        network_inputs = NetworkInputs.from_scan(scan, (SUBSTITUTE_FINGERPRINT, SUBSTITUTE_FINGERPRINT))
        return cls(network_inputs.channels, network_inputs.inside, depth, 0.5)

    def predict(self, network: Predict, everywhere: bool) -> np.ndarray:
        """Logits (z, y, x) from the windows with brain, or from all windows."""
        inside = np.ones_like(self.inside) if everywhere else self.inside
        window = (self.depth, *WINDOW[1:])
        return sliding_window_predict(self.channels, inside, network, window, self.overlap, 1, Monitor())


def as_described(model: AisctSam) -> Predict:
    """The model with plain layers: windows are cut before the projection, as in SAM, so that padding is projected too,
    and the hidden states of all blocks stay in memory."""
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

    def predict(windows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            logits = model(torch.from_numpy(windows))
        return (logits[:, 1] - logits[:, 0]).numpy()

    model.image_encoder.hidden = hidden
    return predict


def prepared(contender: str) -> Callable[[Work], np.ndarray]:
    """The function that runs a contender: "straightforward", or a precision."""
    model = with_random_weights(AisctSam, 1)
    network = (
        as_described(model)
        if contender == _STRAIGHTFORWARD
        else Predictor(model, NetworkOptions(device="cpu", precision=contender), print)
    )
    return lambda work: work.predict(network, everywhere=contender == _STRAIGHTFORWARD)


def compare(work: Work, repeats: int, precisions: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Each precision's time as a fraction of the straightforward one, and the part of brain voxels with its class."""
    contenders = {contender: prepared(contender) for contender in (_STRAIGHTFORWARD, *precisions)}
    seconds, logits = {contender: [] for contender in contenders}, {}
    for _ in range(repeats):
        for contender, run in contenders.items():
            start = time.process_time()
            logits[contender] = run(work)[work.inside]
            seconds[contender].append(time.process_time() - start)
    baseline = statistics.median(seconds[_STRAIGHTFORWARD])
    setting = f"{work.inside.shape}, windows of {work.depth} slices, {repeats} repeats"
    print(f"{setting}; {_STRAIGHTFORWARD}: {baseline:.1f} CPU s")
    results = {}
    for contender in precisions:
        same = float(np.mean((logits[contender] > 0) == (logits[_STRAIGHTFORWARD] > 0)))
        results[contender] = statistics.median(seconds[contender]) / baseline, same
        print(f"{contender}: {results[contender][0]:.2f} of it; {same:.2%} of the voxels of the same class", flush=True)
    return results


def encoder_rate(depth: int) -> None:
    """Print the encoder's floating-point operations a second with fast layers, and those of a large product."""
    encoder = with_random_weights(AisctSam, 1).image_encoder
    images = torch.randn(depth, 3, *WINDOW[1:])

    def run() -> None:
        list(encoder.hidden(images, depth))

    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            run()
        put_fast_layers(encoder)
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
    seconds = []
    for _ in range(2):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def memory(arguments: Sequence[str]) -> None:
    """Print the peak resident memory of each contender, in its own process with the same arguments (Linux)."""
    peaks = {}
    for contender in (_NO_NETWORK, _STRAIGHTFORWARD, *_PRECISIONS):
        command = [sys.executable, __file__, *arguments, "--peak-of", contender]
        peaks[contender] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    print(f"peak MiB; libraries and scan alone {peaks[_NO_NETWORK]}, {_STRAIGHTFORWARD} {peaks[_STRAIGHTFORWARD]}")
    for contender in _PRECISIONS:
        print(f"{contender}: {peaks[contender]}, {peaks[contender] / peaks[_STRAIGHTFORWARD]:.2f} of it")


def peak_of(contender: str, work: Work) -> None:
    """Run a contender and print the peak memory of this process, MiB."""
    if contender != _NO_NETWORK:
        prepared(contender)(work)
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def main(arguments: Sequence[str]) -> None:
    """Run the measurements of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--depth", type=int, default=WINDOW[0])
    parser.add_argument("--peak-of", choices=(_NO_NETWORK, _STRAIGHTFORWARD, *_PRECISIONS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    work = Work.scan(options.scan, options.depth) if options.scan else Work.noise(options.windows, options.depth)
    if options.peak_of:
        peak_of(options.peak_of, work)
        return
    encoder_rate(options.depth)
    compare(work, options.repeats, _PRECISIONS)
    memory(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
