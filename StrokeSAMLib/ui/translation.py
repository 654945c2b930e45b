"""The translation of texts into the language of Slicer, also for files that tests use without Slicer.

Import it as ``from StrokeSAMLib.ui.translation import tr as _``, so that Qt's lupdate finds the texts.
"""

from __future__ import annotations

try:
    from slicer.i18n import tr
except ImportError:  # the tests and the package slicer-core have no translations

    def tr(text: str) -> str:
        """Return the text unchanged."""
        return text


__all__ = ["tr"]
