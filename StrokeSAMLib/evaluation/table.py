"""The table of a cohort, as CSV."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.evaluation.cohort import summarise
from StrokeSAMLib.evaluation.metrics import CaseMetrics

COLUMNS = [field.name for field in dataclasses.fields(CaseMetrics)]
STATISTICS = ("mean", "sd", "median", "n")


def write_csv(cases: list[CaseMetrics], path: Path) -> None:
    """Write a row for each case and, if there are several cases, a row for each of `STATISTICS`.

    A metric without a value (NaN) is an empty cell.
    """
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        table.writerows([_cell(value) for value in dataclasses.astuple(case)] for case in cases)
        if len(cases) > 1:
            summary = summarise(cases)
            for name in STATISTICS:
                table.writerow([name, *(_cell(summary[column][name]) for column in COLUMNS[1:])])


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
