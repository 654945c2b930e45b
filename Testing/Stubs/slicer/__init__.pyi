# Slicer has no types: its classes are wrapped at run time.
from typing import Any

def __getattr__(name: str) -> Any: ...
