"""Read thousands of damaged files: nothing but a refusal may come of them, soon and without much memory.

Each file is a good one with some changed, inserted, removed or repeated bytes, or with changed numbers and lines in its
header. A reader passes if it returns an image
or raises a StrokeSAMError, within 5 s, and if its memory grows by less than 3 times the file's size (or 64 MiB, which
Python itself may need) before a refusal.

    python Testing/Benchmarks/fuzz_readers.py --format dicom --count 10000
    python Testing/Benchmarks/fuzz_readers.py --format files --count 11000   # NIfTI, Analyze, NRRD, MetaImage
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "Python" / "support"))
from damaged_files import damaged_file, file_seeds
from dicom_damage import damaged, dicom_seeds

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.io.reading import read_image

MOST_SECONDS, MOST_GROWTH, ALWAYS_ALLOWED_BYTES = 5.0, 3, 64 << 20
# A format's good files by name, and the function that damages one of them.
SEEDS: dict[str, Callable[[Path], dict[str, bytes]]] = {"dicom": dicom_seeds, "files": file_seeds}
DAMAGE: dict[str, Callable[[str, bytes, np.random.Generator], bytes]] = {
    "dicom": lambda name, content, random: damaged(content, random),
    "files": damaged_file,
}


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--format", choices=SEEDS, default="dicom")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    choice = parser.parse_args()
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    slowest = grown = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = list(SEEDS[choice.format](folder).items())
        for number in range(choice.count):
            random = np.random.default_rng((choice.seed, number))
            kind, content = seeds[number % len(seeds)]
            content = DAMAGE[choice.format](kind, content, random)
            path = folder / kind
            path.write_bytes(content)
            before, start = peak_bytes(), time.perf_counter()
            try:
                read_image(path)
                outcome = "read"
            except StrokeSAMError as error:
                outcome = "refused"
                if "\n" in str(error):
                    failures.append(f"{number} {kind}: two lines: {error}")
            except BaseException as error:
                outcome = "failed"
                failures.append(f"{number} {kind}: {type(error).__name__}: {error}"[:300])
            seconds, bytes_grown = time.perf_counter() - start, peak_bytes() - before
            slowest = max(slowest, seconds)
            if outcome == "refused":
                grown = max(grown, bytes_grown)
            if seconds > MOST_SECONDS:
                failures.append(f"{number} {kind}: {seconds:.1f} s")
            if outcome == "refused" and bytes_grown > max(ALWAYS_ALLOWED_BYTES, MOST_GROWTH * len(content)):
                failures.append(f"{number} {kind}: {bytes_grown / 2**20:.0f} MiB for {len(content)} bytes")
            outcomes[outcome] += 1
    print(f"{choice.count} files: {dict(outcomes)}; slowest {slowest:.2f} s; most memory {grown / 2**20:.1f} MiB")
    print("\n".join(failures[:40]) or "no failure")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
