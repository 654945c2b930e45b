"""The command `strokesam train`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from StrokeSAMLib.errors import Cancelled, OptionError, StrokeSAMError, missing_packages
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.terminal import monitoring

_NETWORKS = ("ncct-unet", "dwi-unet")
# The patients beyond are for validation (Testing/Benchmarks/lesion_networks.py).
_MOST_SEED = 199


def train(
    network: Annotated[str, typer.Argument(help="ncct-unet or dwi-unet.")],
    anatomy: Annotated[Path, typer.Option(help="Folder of tissue maps: NAMEcsf, NAMEgrey, NAMEwhite, or labels.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for pictures, checkpoint and weights.")],
    minutes: Annotated[
        float | None,
        typer.Option(help="How long to train, in this run; by default an hour, or no limit with --steps.", min=0.01),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Stop after so many steps in all, however long they take.", min=1)
    ] = None,
    cooldown: Annotated[
        int, typer.Option(help="Over how many of the last of --steps the learning rate falls to nothing.", min=0)
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Of the synthetic patients and the first weights.", min=0, max=_MOST_SEED)
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")] = False,
    devices: Annotated[
        int | None, typer.Option(help="How many GPUs, or processes on a CPU; by default all GPUs.", min=1)
    ] = None,
    precision: Annotated[
        str, typer.Option(help="auto: bfloat16 where the device computes right in it; float32 or bfloat16.")
    ] = "auto",
) -> None:
    """Train a lesion network on synthetic patients made from tissue maps."""
    if network not in _NETWORKS:
        raise OptionError(f"there is no network '{network}' to train; there are: {', '.join(_NETWORKS)}")
    try:
        from StrokeSAMLib.nets.precision import PRECISION_CHOICES
        from StrokeSAMLib.training.loop import Plan
        from StrokeSAMLib.training.loop import train as run
        from StrokeSAMLib.training.synthesis import read_anatomies
        from StrokeSAMLib.training.team import gather
    except ImportError as error:
        raise missing_packages(f"training ({error.name})", "training") from None

    if precision not in PRECISION_CHOICES:
        raise OptionError(f"precision is '{precision}'; it must be one of {', '.join(PRECISION_CHOICES)}")
    if cooldown and not steps:
        raise OptionError("--cooldown is of the last steps: say how many there are (--steps)")
    anatomies = read_anatomies(anatomy)
    team, plan = gather(devices), Plan(network, minutes, seed, steps, resume, precision, cooldown)
    if team.rank:
        # The first says what went wrong; where it has ended, the others are cut off.
        with suppress(StrokeSAMError, Cancelled, RuntimeError):
            run(plan, anatomies, output, Monitor(), team)
        return
    with monitoring() as monitor:
        state = run(plan, anatomies, output, monitor, team)
    print(f"{network}: {state.step} steps → {output / f'{network}.safetensors'}")
