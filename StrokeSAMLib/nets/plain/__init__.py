"""The small 3-D U-Nets in NumPy, for an installation without PyTorch: the same weights, the same result to 10⁻⁴."""
