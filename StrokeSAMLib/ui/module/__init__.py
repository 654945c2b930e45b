"""The sections of the module's panel: lesion, weights and folders."""
