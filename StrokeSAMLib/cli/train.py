"""The command `strokesam train`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from StrokeSAMLib.cli.terminal import monitoring
from StrokeSAMLib.core.errors import Cancelled, OptionError, StrokeSAMError, missing_extra
from StrokeSAMLib.core.monitor import Monitor

_NETWORKS = ("ncct-unet", "dwi-unet", "prompt-unet")
# Higher seeds are for validation (Testing/Benchmarks/lesion_networks.py).
_MOST_SEED = 199


def train(
    network: Annotated[str, typer.Argument(help="ncct-unet, dwi-unet or prompt-unet.")],
    anatomy: Annotated[Path, typer.Option(help="Folder of tissue maps: NAMEcsf, NAMEgrey, NAMEwhite, or labels.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for pictures, checkpoint and weights.")],
    shapes: Annotated[
        Path | None, typer.Option(help="Folder of lesion masks, whose shapes prompt-unet learns besides blobs.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Duration of this run; by default an hour, or no limit with --steps.", min=0.01),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Stop after this total number of steps, however long they take.", min=1)
    ] = None,
    cooldown: Annotated[
        int, typer.Option(help="Lower the learning rate to zero over this many of the last --steps.", min=0)
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Seed of the synthetic patients and the first weights.", min=0, max=_MOST_SEED)
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint in the folder.")] = False,
    devices: Annotated[
        int | None, typer.Option(help="Number of GPUs, or of processes on a CPU; by default all GPUs.", min=1)
    ] = None,
    precision: Annotated[
        str,
        typer.Option(help="auto, float32 or bfloat16; auto is bfloat16 where the device computes correctly in it."),
    ] = "auto",
) -> None:
    """Train a network that ships on synthetic patients made from tissue maps."""
    if network not in _NETWORKS:
        raise OptionError(f"there is no network '{network}' to train; there are: {', '.join(_NETWORKS)}")
    try:
        from StrokeSAMLib.nets.options import PRECISION_CHOICES
        from StrokeSAMLib.training.distributed import start_processes
        from StrokeSAMLib.training.loop import TrainingPlan
        from StrokeSAMLib.training.loop import train as run
        from StrokeSAMLib.training.prompts.shapes import read_shapes
        from StrokeSAMLib.training.synthesis import read_anatomies
    except ImportError as error:
        raise missing_extra(f"training ({error.name})", "training") from None

    if precision not in PRECISION_CHOICES:
        raise OptionError(f"precision is '{precision}'; it must be one of {', '.join(PRECISION_CHOICES)}")
    if cooldown and not steps:
        raise OptionError("--cooldown needs --steps, the number of steps in all")
    if shapes and network != "prompt-unet":
        raise OptionError(f"--shapes is for prompt-unet; {network} draws its own")
    anatomies, masks = read_anatomies(anatomy), read_shapes(shapes) if shapes else None
    processes, plan = start_processes(devices), TrainingPlan(network, minutes, seed, steps, resume, precision, cooldown)
    if processes.rank:
        # The first process reports the error; when it ends, the others lose their connection.
        with suppress(StrokeSAMError, Cancelled, RuntimeError):
            run(plan, anatomies, output, Monitor(), processes, masks)
        return
    with monitoring() as monitor:
        state = run(plan, anatomies, output, monitor, processes, masks)
    print(f"{network}: {state.step} steps → {output / f'{network}.safetensors'}")
