"""The command `strokesam prompt-npz`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from StrokeSAMLib.cli.settings import Settings, parse_settings
from StrokeSAMLib.cli.terminal import monitoring


def prompt_npz(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A case, .npz, or a folder of them.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The answer, .npz, or a folder for them.")],
    engine: Annotated[str, typer.Option(help="Engine id; see `strokesam methods`.")] = "lite-medsam",
    weights: Annotated[Path | None, typer.Option(help="The engine's checkpoint, or its id in the store.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    settings: Settings = None,
) -> None:
    """Answer cases of the challenge "Segment Anything in Medical Images on Laptop" (CVPR 2024)."""
    from StrokeSAMLib.cli import actions

    options = parse_settings(settings)
    with monitoring() as monitor:
        started = time.perf_counter()
        for answer, count in actions.prompt_npz(source, target, engine, weights, device, options, monitor):
            seconds, started = time.perf_counter() - started, time.perf_counter()
            print(f"{count} box{'es' if count != 1 else ''}, {seconds:.1f} s → {answer}", flush=True)
