"""`prompt-unet` on synthetic cubes that no training sees: Dice after a box and after each of five clicks, by kind.

    python Testing/Benchmarks/prompt_network.py --anatomy MAPS [--shapes MASKS] [--weights FILE] [--cubes 60]

Real lesions, through sessions and beside other engines: Testing/Benchmarks/clicks.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from StrokeSAMLib.evaluation.metrics import dice
from StrokeSAMLib.interactive.prompt_maps import CubePrompts, input_maps
from StrokeSAMLib.nets.plain.safetensors_file import Weights, read_weights
from StrokeSAMLib.nets.plain.unets import prompt_unet
from StrokeSAMLib.training.prompts.backgrounds import Heads
from StrokeSAMLib.training.prompts.cubes import KINDS, Cube, make_cube
from StrokeSAMLib.training.prompts.shapes import Shapes, read_shapes
from StrokeSAMLib.training.prompts.user import Turn, box_turn, next_turn
from StrokeSAMLib.training.synthesis import read_anatomies
from StrokeSAMLib.weights.lookup import find_checkpoint

# No cube of a training has such a seed (see training/step.py, and the greatest seed of cli/train.py).
_FIRST_SEED = 2_000_000_000
_CLICKS = 5


def dices(weights: Weights, cube: Cube, rng: np.random.Generator) -> list[float]:
    """The Dice after the box and after each click; the last one again where hardly anything is wrong."""
    turn: Turn | None = box_turn(cube, rng)
    answer, results = np.zeros(cube.truth.shape, np.float32), []
    for _ in range(_CLICKS + 1):
        if turn is not None:
            maps = input_maps(cube.image, cube.valid, cube.ratio, turn.prompts, turn.previous)
            answer = cube.valid / (1 + np.exp(-prompt_unet(weights, maps)))
        results.append(dice(cube.truth, answer > 0.5))
        turn = next_turn(cube, turn or Turn(CubePrompts()), answer.astype(np.float32), rng)
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anatomy", type=Path, required=True, help="folder of tissue maps")
    parser.add_argument("--shapes", type=Path, help="folder of lesion masks")
    parser.add_argument("--weights", default="", help="file of weights; by default the shipped ones")
    parser.add_argument("--cubes", type=int, default=60)
    arguments = parser.parse_args()
    weights = read_weights(find_checkpoint("engine", "prompt-unet", arguments.weights))
    heads = Heads(read_anatomies(arguments.anatomy))
    shapes = read_shapes(arguments.shapes) if arguments.shapes else Shapes()
    rows: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    for seed in range(_FIRST_SEED, _FIRST_SEED + arguments.cubes):
        cube = make_cube(heads, shapes, seed)
        rows[cube.kind].append(dices(weights, cube, np.random.default_rng(seed)))
    print("| | cubes | box | " + " | ".join(f"{n}" for n in range(1, _CLICKS + 1)) + " |")
    print("|" + "---|" * (_CLICKS + 3))
    rows["all"] = [each for results in rows.values() for each in results]
    for kind, results in rows.items():
        if results:
            print(
                f"| {kind} | {len(results)} | " + " | ".join(f"{mean:.3f}" for mean in np.mean(results, axis=0)) + " |"
            )


if __name__ == "__main__":
    main()
