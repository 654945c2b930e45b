"""The command `strokesam evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from StrokeSAMLib.cli.terminal import monitoring, print_table

if TYPE_CHECKING:
    from StrokeSAMLib.evaluation import CaseMetrics


def evaluate(
    reference: Annotated[Path, typer.Option(help="Reference mask, or a folder of them.")],
    prediction: Annotated[Path, typer.Option(help="Predicted mask, or a folder of them with the same names.")],
    tolerance: Annotated[float, typer.Option(help="Tolerance of the surface Dice, mm.", min=0.0)] = 2.0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the table, CSV.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the plot, PNG.")] = None,
) -> None:
    """Compare predicted masks with reference masks."""
    from StrokeSAMLib.cli import actions

    with monitoring() as monitor:
        cases = actions.evaluate(reference, prediction, tolerance, output, plot, monitor)
    print_table(_metrics_table(cases))


def _metrics_table(cases: list[CaseMetrics]) -> Table:
    from StrokeSAMLib.evaluation import summarise

    columns = {"dsc": "DSC", "nsd": "NSD", "hd95": "HD95 mm", "reference_ml": "reference ml"}
    columns |= {"prediction_ml": "prediction ml", "volume_difference_ml": "|difference| ml", "lesion_f1": "lesion F1"}
    table = Table("case", *columns.values(), box=None)
    for case in cases:
        table.add_row(case.case, *(f"{getattr(case, name):.3f}" for name in columns))
    if len(cases) > 1:
        summary = summarise(cases)
        for statistic in ("mean", "median"):
            table.add_row(statistic, *(f"{summary[name][statistic]:.3f}" for name in columns))
    return table
