"""The translation of texts into the language of Slicer, also for files that tests use without Slicer.

Import it as ``from StrokeSAMLib.ui.translation import tr as _``, so that Qt's lupdate finds the texts. The library's
own texts are English; `trLibrary` translates them where the panels show them, from the list in `library_texts.py`.
"""

from __future__ import annotations

import re
from functools import cache

from StrokeSAMLib.ui.library_texts import libraryTexts

try:
    from slicer.i18n import tr, translate
except ImportError:  # the tests and the package slicer-core have no translations

    def tr(text: str) -> str:
        """Return the text unchanged."""
        return text

    def translate(context: str, text: str) -> str:
        """Return the text unchanged."""
        return text


__all__ = ["tr", "trLibrary"]
_FIELD = re.compile(r"\{\d+\}")


def trLibrary(text: str) -> str:
    """Translate a text of the library, for example the title of a method, a progress report or an error.

    Args:
        text: the text with its fields filled in.

    Returns:
        The text in Slicer's language with the same fields; `text` itself if it has no translation.
    """
    for pattern, translation in _translations():
        match = pattern.fullmatch(text)
        if match:
            return _filled(translation, match.groups())
    return text


@cache
def _translations() -> list[tuple[re.Pattern[str], str]]:
    """The texts that have a translation, as patterns with a group for each field; those with most words first.

    A translation without the fields of its text is left out.
    """
    translated = {
        source: translation
        for source, translation in libraryTexts(translate).items()
        if translation != source and sorted(_FIELD.findall(source)) == sorted(_FIELD.findall(translation))
    }
    sources = sorted(translated, key=lambda source: len(_FIELD.sub("", source)), reverse=True)
    return [(_pattern(source), translated[source]) for source in sources]


def _filled(translation: str, values: tuple[str, ...]) -> str:
    return _FIELD.sub(lambda field: values[int(field[0][1:-1])], translation)


def _pattern(source: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(re.escape(part) for part in _FIELD.split(source)), re.DOTALL)
