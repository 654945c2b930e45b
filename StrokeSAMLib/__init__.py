"""StrokeSAM: segmentation of the ischaemic stroke lesion in CT and MR.

Importing this package is cheap: each folder imports its own needs (SimpleITK, SciPy, Slicer) where they are
used, so that 3D Slicer starts as fast with the extension as without it.
"""

from StrokeSAMLib.core import moved_modules
from StrokeSAMLib.core.version import __version__

moved_modules.install()

__all__ = ["__version__"]
