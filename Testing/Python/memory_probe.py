"""Run by test_memory.py in a process of its own: what a session takes, and what was said that it would, bytes."""

import sys
from pathlib import Path

import filler
import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.interactive import Box, Session
from StrokeSAMLib.interactive.encodings import Encodings
from StrokeSAMLib.interactive.stack import stack_along_axis


def resident() -> int:
    """Memory in use now, bytes (Linux)."""
    return status("VmRSS")


def status(name: str) -> int:
    """A line of this process's status, bytes. Its peak (VmHWM) is its own, unlike getrusage's, which a process
    inherits from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def engine_of(id: str, precision: str):
    if id == "random-walker":
        from StrokeSAMLib.interactive.engines.random_walker import RandomWalker

        return RandomWalker(), resident()
    if id == "medsam2":
        from StrokeSAMLib.interactive.engines.sam2 import Sam2Engine
        from StrokeSAMLib.nets.precision import PRECISIONS
        from StrokeSAMLib.nets.sam2_fast import speed_up
        from StrokeSAMLib.nets.sam2_model import build, configurations

        before = resident()
        model = speed_up(filler.fill(build(configurations()[id])), PRECISIONS[precision])
        return Sam2Engine(id, model, {"precision": precision}), before
    from StrokeSAMLib.interactive.engines import lite_medsam, sam
    from StrokeSAMLib.nets.packed import pack_layers

    recipe = {**sam.RECIPES, **lite_medsam.RECIPES}[id]
    before = resident()
    model = recipe.build()
    pack_layers(model.image_encoder)
    kind = lite_medsam.LiteMedSamEngine if id in lite_medsam.RECIPES else sam.SamEngine
    return kind(id, model, recipe), before


def main(id: str, count: int, precision: str) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (count, 512, 512), dtype=np.uint8))
    engine, before = engine_of(id, precision)
    session = Session.on(Encodings(engine, stack_along_axis(image, 2)))
    said = session.encodings.memory_needed()
    session.add(Box((100.0, 100.0, count // 2), (300.0, 300.0, count // 2)))
    for k in range(count):
        session.encodings.features(k)
    session.propagate(stop_after=0)
    print(said, status("VmHWM") - before)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
