"""The plot of a cohort: overlap of the masks, and agreement of their volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from StrokeSAMLib.core.errors import missing_extra
from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.evaluation.metrics import CaseMetrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OVERLAP_METRICS = {"dsc": "DSC", "nsd": "NSD", "lesion_f1": "lesion F1"}
_COLOUR = "#0072B2"


def plot(cases: list[CaseMetrics], path: Path) -> None:
    """Write a PNG: DSC, NSD and lesion F1 of the cases; predicted against reference volume; Bland–Altman plot."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("the plot", "evaluation") from None
    figure = Figure(figsize=(13, 4.4), dpi=120, layout="constrained")
    overlap, scatter, bland_altman = figure.subplots(1, 3)
    reference = np.array([case.reference_ml for case in cases])
    prediction = np.array([case.prediction_ml for case in cases])
    _draw_overlap(overlap, cases)
    _draw_scatter(scatter, reference, prediction)
    _draw_bland_altman(bland_altman, reference, prediction)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw_overlap(axes: Axes, cases: list[CaseMetrics]) -> None:
    columns = [[getattr(case, name) for case in cases] for name in _OVERLAP_METRICS]
    if len(cases) > 2:
        axes.boxplot(columns, widths=0.5, showfliers=False, medianprops={"color": "black"})
    jitter = np.random.default_rng(0)
    for place, values in enumerate(columns, 1):
        axes.scatter(place + jitter.uniform(-0.12, 0.12, len(values)), values, s=22, color=_COLOUR, alpha=0.7)
    axes.set_xticks(range(1, len(columns) + 1), _OVERLAP_METRICS.values())
    axes.set(ylim=(-0.03, 1.03), xlim=(0.5, len(columns) + 0.5), title=f"Overlap, {len(cases)} case(s)")


def _draw_scatter(axes: Axes, reference: np.ndarray, prediction: np.ndarray) -> None:
    limit = max(float(reference.max()), float(prediction.max()), 1.0) * 1.05
    axes.plot([0, limit], [0, limit], color="grey", linewidth=1)
    axes.scatter(reference, prediction, s=22, color=_COLOUR, alpha=0.7)
    title = "Volumes"
    if len(reference) > 2 and reference.std() > 0 and prediction.std() > 0:
        title += f", Pearson r = {np.corrcoef(reference, prediction)[0, 1]:.2f}"
    axes.set(xlabel="reference (ml)", ylabel="prediction (ml)", title=title, xlim=(0, limit), ylim=(0, limit))


def _draw_bland_altman(axes: Axes, reference: np.ndarray, prediction: np.ndarray) -> None:
    """Draw difference against mean, with the limits of agreement (Bland and Altman 1986, Lancet 327:307)."""
    difference = prediction - reference
    axes.scatter((prediction + reference) / 2, difference, s=22, color=_COLOUR, alpha=0.7)
    bias = float(difference.mean())
    axes.axhline(bias, color="black", linewidth=1)
    title = f"Difference: {bias:+.1f} ml"
    if len(difference) > 2:
        limit = 1.96 * float(difference.std(ddof=1))
        for level in (bias - limit, bias + limit):
            axes.axhline(level, color="grey", linewidth=1, linestyle="--")
        title += f" ± {limit:.1f} ml"
    axes.set(xlabel="mean of both (ml)", ylabel="prediction − reference (ml)", title=title)
