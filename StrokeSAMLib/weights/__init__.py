"""Checkpoints: untrusted files that become the weights of a network, or a clear refusal."""

from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

__all__ = ["load_weights", "read_checkpoint"]
