"""The only place, with StrokeSAM.py, that knows Qt. What needs no Qt (`lesion_panel`) is tested without it."""
