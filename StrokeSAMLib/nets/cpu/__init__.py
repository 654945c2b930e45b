"""Layers that compute the same as those of `nets.models`, on a CPU, faster or in less memory.

The models do not import this package; `fast_layers` and `sam2_fast` put its layers into a model.
"""
