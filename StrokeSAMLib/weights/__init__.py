"""Checkpoints: the catalogue, the store, downloads and imports, and the safe reading of files from elsewhere.

This file imports nothing: `catalogue` and `store` work without PyTorch, `checkpoint` needs it.
"""
