"""The command `strokesam dicom list`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from StrokeSAMLib.cli.terminal import print_table
from StrokeSAMLib.core.errors import InputError

app = typer.Typer(help="What a folder of DICOM has.")


@app.callback()
def _group() -> None:
    """What a folder of DICOM has."""


@app.command("list")
def list_volumes(
    folder: Annotated[Path, typer.Argument(help="Folder with subfolders, DICOM file, DICOMDIR, zip or tar.")],
) -> None:
    """List the volumes in a folder. Give volume N to another command as FOLDER#N."""
    from StrokeSAMLib.io.dicom.study import open_study

    with open_study(folder) as study:
        table = Table(
            "number", "modality", "description", "b", "kind", "plane", "size", "spacing mm", "files", box=None
        )
        for number, stack in enumerate(study.stacks, 1):
            b = "" if stack.b is None else f"{stack.b:g}"
            cells = (stack.modality, stack.description, b, stack.kind, stack.plane_name, stack.size_text)
            table.add_row(str(number), *map(escape, cells), stack.spacing_text, str(stack.files))
        damaged = study.damaged
        if not study.stacks and not damaged:
            raise InputError(f"{folder}: no DICOM images there")
    print_table(table)
    for file, why in damaged.items():
        print(f"note: {file.name} {why}", file=sys.stderr)
