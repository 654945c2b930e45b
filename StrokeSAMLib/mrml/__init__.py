"""The only place that knows MRML: nodes ↔ images, the one way a segment is written, the scripted API.

RAS exists here alone; the library below speaks LPS. Importing this is cheap: numeric libraries are imported where
they are used, so that Slicer starts as fast with the extension as without it.
"""

from StrokeSAMLib.mrml.logic import StrokeSAMLogic

__all__ = ["StrokeSAMLogic"]
