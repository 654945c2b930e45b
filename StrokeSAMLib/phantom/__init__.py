"""A synthetic head CT with a known infarct, for the demo, the sample data and the tests."""

from StrokeSAMLib.phantom.head import Infarct, Phantom, Pose, head_ct

__all__ = ["Infarct", "Phantom", "Pose", "head_ct"]
