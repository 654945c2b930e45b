"""The commands `strokesam prompt` and `strokesam replay`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from StrokeSAMLib.cli.settings import Settings, parse_settings
from StrokeSAMLib.cli.terminal import monitoring

if TYPE_CHECKING:
    from StrokeSAMLib.interactive import Session


def prompt(
    volume: Annotated[Path, typer.Argument(help="The scan: file, or folder of DICOM (FOLDER#N for volume N).")],
    prompts: Annotated[Path, typer.Option(help="Boxes, points and masks, JSON.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The segment's mask; a .json file beside it records the session.")
    ],
    engine: Annotated[str, typer.Option(help="Engine id; see `strokesam methods`.")] = "random-walker",
    propagation: Annotated[str | None, typer.Option(help="memory, box or none; by default the engine's best.")] = None,
    slices: Annotated[
        tuple[int, int] | None,
        typer.Option("--range", metavar="FIRST LAST", help="Propagate within these slices only."),
    ] = None,
    direction: Annotated[str, typer.Option(help="up, down or both.")] = "both",
    axis: Annotated[int | None, typer.Option(help="Stack the slices along this index axis: 0, 1 or 2.")] = None,
    weights: Annotated[Path | None, typer.Option(help="The engine's checkpoint, or its id in the store.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    settings: Settings = None,
) -> None:
    """Segment from boxes, points and masks on slices, and propagate the segment through the volume."""
    from StrokeSAMLib.cli import actions

    plan = actions.PromptPlan(engine, propagation, direction, slices, axis, weights, device, parse_settings(settings))
    with monitoring() as monitor:
        session = actions.prompt(volume, prompts, output, plan, monitor)
    _print_segment(session, output)


def replay(
    record: Annotated[Path, typer.Argument(help="The session that `strokesam prompt` recorded, .json.")],
    volume: Annotated[Path, typer.Argument(help="The same scan.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The segment's mask.")],
    weights: Annotated[Path | None, typer.Option(help="The engine's checkpoint, or its id in the store.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Rebuild a segment from its recorded session."""
    from StrokeSAMLib.cli import actions

    with monitoring() as monitor:
        session = actions.replay(record, volume, output, weights, device, monitor)
    _print_segment(session, output)


def _print_segment(session: Session, output: Path) -> None:
    print(f"{_segment_line(session)} → {output}")
    for note in session.notes:
        print(f"note: {note}", file=sys.stderr)


def _segment_line(session: Session) -> str:
    import SimpleITK as sitk

    from StrokeSAMLib.imaging.geometry import voxel_volume_ml
    from StrokeSAMLib.report import volume_text

    mask = session.mask()
    voxels = int(sitk.GetArrayViewFromImage(mask).sum())
    slices = sum(1 for k in session.slices() if session.slice_mask(k).any())
    return f"segment {volume_text(voxels * voxel_volume_ml(mask))}, {slices} slice{'s' if slices != 1 else ''}"
