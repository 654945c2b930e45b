"""The library's texts in Slicer's language."""

import pytest
from helpers import ROOT, load_script

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.lesion import METHODS
from StrokeSAMLib.ui import translation
from StrokeSAMLib.ui.library_texts import libraryTexts
from StrokeSAMLib.ui.messages import errorMessage
from StrokeSAMLib.ui.translation import trLibrary

FRENCH = {
    "finding the brain": "recherche du cerveau",
    "slice {0}": "coupe {0}",
    "window {0} of {1}": "de {1} fenêtres, la {0}",
    "{0}: not a file": "{0} : pas un fichier",
    "{0}: {1}": "{0} – {1}",
    "resampling to the grid of the scan": "rééchantillonnage {0}",  # a field too much
    "smallest lesion": "plus petite lésion",
}


@pytest.fixture
def french(monkeypatch):
    def translate(context, text):
        assert context == "StrokeSAMLib"
        return FRENCH.get(text, text)

    monkeypatch.setattr(translation, "translate", translate)
    translation._translations.cache_clear()
    yield
    translation._translations.cache_clear()


def test_the_list_holds_every_text_of_the_library():
    script = load_script(ROOT / "Testing" / "library_texts.py")
    assert script.LIST.read_text("utf-8") == script.source(), "run python Testing/library_texts.py"


def test_the_list_has_titles_help_progress_and_errors():
    texts = libraryTexts(lambda context, text: text)
    assert {method.title for method in METHODS} | {method.summary for method in METHODS} <= texts.keys()
    assert {"smallest lesion", "finding the brain", "window {0} of {1}", "{0}: not a file"} <= texts.keys()


def test_a_text_with_a_translation_is_translated(french):
    assert trLibrary("finding the brain") == "recherche du cerveau"


def test_fields_keep_their_values_in_any_order(french):
    assert trLibrary("window 3 of 10") == "de 10 fenêtres, la 3"


def test_the_text_with_most_words_is_taken(french):
    assert trLibrary("head.nii.gz: not a file") == "head.nii.gz : pas un fichier"


def test_errors_are_translated_after_positions_were_changed_to_ras(french):
    assert errorMessage(InputError("scan (1.0, 2.0, 3.0) LPS mm: not a file")) == (
        "scan (-1.0, -2.0, 3.0) mm RAS : pas un fichier"
    )


@pytest.mark.parametrize("text", ["comparing the hemispheres", "resampling to the grid of the scan", "", "(%p %)"])
def test_other_texts_and_wrong_translations_leave_the_text_as_it_is(french, text):
    assert trLibrary(text) == text


def test_in_english_every_text_stays_as_it_is():
    translation._translations.cache_clear()
    assert trLibrary("window 3 of 10") == "window 3 of 10"
