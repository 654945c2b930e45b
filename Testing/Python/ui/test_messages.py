"""Messages of the library, rewritten for users of Slicer."""

import pytest

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.ui.messages import errorMessage, reasonNotReady, replaceCommands


@pytest.mark.parametrize(
    "command",
    [
        "strokesam weights fetch medsam2",
        "strokesam weights import medsam2 FILE",
        "strokesam weights fetch a, or --weights FILE",
    ],
)
def test_commands_are_replaced(command):
    assert replaceCommands(f"needs weights ({command})") == "needs weights: see section Weights"
    assert reasonNotReady(f"no: needs weights: {command}") == "needs weights: see section Weights"
    assert errorMessage(InputError(f"damaged; again: {command}"), "fetch it") == "damaged; again: fetch it"


def test_the_message_of_an_unexpected_error_begins_with_its_type():
    assert errorMessage(ValueError("nothing to see")) == "ValueError: nothing to see"


def test_positions_are_in_ras():
    error = InputError("point (12.0, -30.5, 0.0) LPS mm lies outside the volume")
    assert errorMessage(error) == "point (-12.0, 30.5, 0.0) mm RAS lies outside the volume"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "box (1.0, 2.0, 3.0) LPS mm to (1.0, 9.0, 8.0) LPS mm has no area in the plane of the slices",
            "another plane",
        ),
        ("CT: not the volume of the session: its hash is 3fa, the session's is 77b", "CT: it has changed"),
        ("weights: not the weights of the session: their hash is 3fa, the session's is None", "they are others"),
    ],
)
def test_a_message_says_what_to_do_and_shows_no_hash(text, words):
    message = errorMessage(InputError(text))
    assert words in message and "press Clear" in message
    assert "hash" not in message and "LPS" not in message
