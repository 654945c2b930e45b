"""Plain signs for outputs that have little more than ASCII: an old console, the font of the contact sheet."""

from __future__ import annotations

PLAIN_SIGNS = {
    "→": "->",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "…": "...",
    "µ": "u",
    "°": " degrees",
    "’": "'",
}
