"""The command `strokesam segment`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from StrokeSAMLib.cli.settings import Settings, parse_settings
from StrokeSAMLib.cli.terminal import monitoring
from StrokeSAMLib.lesion.registry import AUTO


def segment(
    output: Annotated[Path, typer.Option("-o", "--output", help="The lesion's mask, on the scan's grid.")],
    method: Annotated[
        str, typer.Option(help="Method id; see `strokesam methods`. By default the best for the scan.")
    ] = AUTO,
    ncct: Annotated[
        Path | None, typer.Option(help="Non-contrast CT: file, or folder of DICOM (FOLDER#N for volume N).")
    ] = None,
    dwi: Annotated[Path | None, typer.Option(help="Diffusion-weighted image (trace; brain: b near 1000).")] = None,
    adc: Annotated[Path | None, typer.Option(help="ADC map, in any of its units.")] = None,
    b0: Annotated[Path | None, typer.Option(help="Image without diffusion weighting, to compute ADC.")] = None,
    t2w: Annotated[Path | None, typer.Option(help="T2-weighted MR of the prostate.")] = None,
    zones: Annotated[Path | None, typer.Option(help="The prostate's zones: 1 central, 2 peripheral.")] = None,
    probability: Annotated[Path | None, typer.Option(help="Write the score map, 0 to 1.")] = None,
    possible: Annotated[Path | None, typer.Option(help="Write the mask of what may be a lesion.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report, JSON.")] = None,
    overview: Annotated[Path | None, typer.Option(help="Write the contact sheet, PNG.")] = None,
    weights: Annotated[Path | None, typer.Option(help="The method's checkpoint.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    settings: Settings = None,
) -> None:
    """Segment the lesion in a scan."""
    from StrokeSAMLib.cli import actions
    from StrokeSAMLib.report import measure, summary

    inputs = {"ncct": ncct, "dwi": dwi, "adc": adc, "b0": b0, "t2w": t2w, "zones": zones}
    files = {key: path for key, path in inputs.items() if path is not None}
    outputs = actions.Outputs(mask=output, probability=probability, report=report, overview=overview, possible=possible)
    common = {"weights": weights, "device": device}
    options = {name: str(value) for name, value in common.items() if value is not None} | parse_settings(settings)
    with monitoring() as monitor:
        result = actions.segment(method, files, outputs, options, monitor)
    print(f"{summary(measure(result))} → {output}")
    for warning in result.warnings:
        print(f"note: {warning}", file=sys.stderr)
