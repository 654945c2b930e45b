"""Installation of Python packages into Slicer's own Python."""
