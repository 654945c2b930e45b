# The vtk of Slicer is in no package index for every Python: its names are Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
