"""The registry says which prompts an engine takes before the engine is loaded."""

import pytest

from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.interactive.prompts import KINDS


def accepted(entry):
    """The kinds of prompts that the engine's own module says it takes."""
    module = entry.implementation()
    if hasattr(module, "RECIPES") and hasattr(module.RECIPES[entry.id], "accepts"):
        return module.RECIPES[entry.id].accepts
    (kinds,) = {each.accepts for each in vars(module).values() if isinstance(each, type) and hasattr(each, "accepts")}
    return kinds


@pytest.mark.parametrize("entry", ENGINES, ids=lambda entry: entry.id)
def test_the_registry_and_the_engine_agree_on_the_kinds_of_prompts(entry):
    if entry.missing_packages():
        pytest.skip(f"needs {', '.join(entry.missing_packages())}")
    assert accepted(entry) == entry.accepts <= set(KINDS.values())
