"""NIfTI and Analyze files: their geometry, reading and writing."""
