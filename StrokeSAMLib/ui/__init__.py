"""Slicer's user interface. Only this package and StrokeSAM.py use Qt; panels such as `lesion_panel` work without it."""
