"""The command `strokesam demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from StrokeSAMLib.cli.terminal import monitoring


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")] = Path("strokesam-demo"),
) -> None:
    """Segment a known infarct in a synthetic head CT."""
    from StrokeSAMLib.cli import actions
    from StrokeSAMLib.report import measure, summary

    with monitoring() as monitor:
        result, dice = actions.demo(output, monitor)
    print(f"{summary(measure(result))}; Dice {dice:.2f} against the known infarct → {output}")
