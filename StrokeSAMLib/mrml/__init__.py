"""MRML: conversion between nodes and images, the writing of segments, and the scripted API.

This is the only package that uses MRML. RAS coordinates exist only here; the rest of the library uses LPS. Numeric
libraries are imported inside functions, so that the extension does not slow down Slicer's startup.
"""

from StrokeSAMLib.mrml.logic import StrokeSAMLogic

__all__ = ["StrokeSAMLogic"]
