"""Checkpoints: what there is, where it is kept, and untrusted files that become weights, or a clear refusal.

Nothing is imported here: `catalogue` and `store` serve where PyTorch is not installed, `checkpoint` needs it.
"""
