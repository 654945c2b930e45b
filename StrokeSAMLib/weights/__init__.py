"""Checkpoints: untrusted files that become the weights of a network, or a clear refusal."""

from StrokeSAMLib.weights.checkpoint import file_checksum, load_weights, read_checkpoint

__all__ = ["file_checksum", "load_weights", "read_checkpoint"]
