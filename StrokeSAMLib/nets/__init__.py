"""Networks as torch modules, and the helpers that run them."""
