"""Module paths of version 0.1."""

import importlib
import sys

import pytest

from StrokeSAMLib.core import moved_modules
from StrokeSAMLib.core.moved_modules import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_an_old_path_leads_to_the_present_module(name):
    old, new = f"StrokeSAMLib.{name}", f"StrokeSAMLib.{MOVED[name]}"
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"^{old} is now {new}$"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(new) and module.__name__ == new


def test_a_path_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("StrokeSAMLib.imaging.other")


def test_the_finder_is_installed_once():
    before = list(sys.meta_path)
    moved_modules.install()
    assert sys.meta_path == before
