"""Prompts on slices become a segment in the volume: stacks, engines, propagation, sessions."""

from StrokeSAMLib.interactive.prompts import Box, Mask, Point, read_prompts
from StrokeSAMLib.interactive.propagation import Plan
from StrokeSAMLib.interactive.session import Session

__all__ = ["Box", "Mask", "Plan", "Point", "Session", "read_prompts"]
