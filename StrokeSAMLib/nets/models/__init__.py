"""Network architectures. Their parameter names are those of the published checkpoints."""
