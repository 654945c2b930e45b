"""Networks: torch modules, and nothing but."""
