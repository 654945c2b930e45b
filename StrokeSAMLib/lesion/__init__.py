"""The automatic methods and their registry.

from StrokeSAMLib.lesion import segment
result = segment({"ncct": image})
"""

from StrokeSAMLib.lesion.registry import AUTO, METHODS, Input, Method, choose_method, find_method, segment
from StrokeSAMLib.lesion.result import LesionResult

__all__ = ["AUTO", "METHODS", "Input", "LesionResult", "Method", "choose_method", "find_method", "segment"]
