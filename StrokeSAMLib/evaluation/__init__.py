"""Comparison of segmentations with references: metrics of a case, tables and plots of a cohort."""

from StrokeSAMLib.evaluation.cohort import evaluate, summarise
from StrokeSAMLib.evaluation.lesions import LesionDetection, detect_lesions
from StrokeSAMLib.evaluation.metrics import CaseMetrics, case_metrics
from StrokeSAMLib.evaluation.plot import plot
from StrokeSAMLib.evaluation.table import write_csv
from StrokeSAMLib.imaging.overlap import dice

__all__ = [
    "CaseMetrics",
    "LesionDetection",
    "case_metrics",
    "detect_lesions",
    "dice",
    "evaluate",
    "plot",
    "summarise",
    "write_csv",
]
