"""Automatic methods: one file a method, one registry.

from StrokeSAMLib.lesion import segment
result = segment({"ncct": image}, method="asymmetry")
"""

from StrokeSAMLib.lesion.registry import METHODS, Input, Method, find_method, segment
from StrokeSAMLib.lesion.result import LesionResult

__all__ = ["METHODS", "Input", "LesionResult", "Method", "find_method", "segment"]
