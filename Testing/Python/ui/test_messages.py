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
