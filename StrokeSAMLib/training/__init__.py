"""Training of the lesion networks that ship with StrokeSAM: synthetic patients, a loss, a loop."""
