"""Print the memory that a session was expected to take, and the memory that it took, bytes.

Run by test_footprint.py in a process of its own.
"""

import sys
from pathlib import Path

import filler
import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.interactive import Box, Session
from StrokeSAMLib.interactive.engines.base import VolumeEngine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis


def resident() -> int:
    """The resident memory now, bytes (Linux)."""
    return status("VmRSS")


def status(name: str) -> int:
    """A value of this process's status, bytes.

    The peak, VmHWM, belongs to this process. The peak of getrusage is inherited from the process that started it.
    """
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def build_engine(id: str, precision: str):
    """The engine with the fixtures' weights, and the resident memory before it was built, bytes."""
    if id == "random-walker":
        from StrokeSAMLib.interactive.engines.random_walker import RandomWalker

        return RandomWalker(), resident()
    if id == "medsam2":
        from StrokeSAMLib.interactive.engines.sam2 import Sam2Engine
        from StrokeSAMLib.nets.cpu.sam2_fast import speed_up
        from StrokeSAMLib.nets.models.sam2_model import build, configurations
        from StrokeSAMLib.nets.precision import PRECISIONS

        before = resident()
        model = speed_up(filler.fill(build(configurations()[id])), PRECISIONS[precision])
        return Sam2Engine(id, model, {"precision": precision}), before
    from StrokeSAMLib.interactive.engines import lite_medsam, sam
    from StrokeSAMLib.nets.cpu.fast_layers import put_fast_layers

    recipe = {**sam.RECIPES, **lite_medsam.RECIPES}[id]
    before = resident()
    model = recipe.build()
    put_fast_layers(model.image_encoder)
    kind = lite_medsam.LiteMedSamEngine if id in lite_medsam.RECIPES else sam.SamEngine
    return kind(id, model, recipe), before


def main(id: str, count: int, precision: str) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (count, 512, 512), dtype=np.uint8))
    engine, before = build_engine(id, precision)
    session = Session.on(Encodings(engine, stack_along_axis(image, 2)))
    expected = session.encodings.memory_needed()
    session.add(Box((100.0, 100.0, count // 2), (300.0, 300.0, count // 2)))
    if not isinstance(engine, VolumeEngine):
        for k in range(count):
            session.encodings.features(k)
    session.propagate(stop_after=0)
    print(expected, status("VmHWM") - before)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
