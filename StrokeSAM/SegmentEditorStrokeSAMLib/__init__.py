"""The Segment Editor effect StrokeSAM. Slicer names its module after this folder."""
