"""Tests inside a real Slicer, with its Qt, views and Segment Editor.

    Slicer --testing --no-splash --additional-module-paths StrokeSAM --python-script Testing/Slicer/StrokeSAMInSlicer.py

The environment variable STROKESAM_ONLY names a part of the names of the tests to run. Exit status 0: all passed.
"""

import os
import sys
import unittest
from pathlib import Path

import slicer

sys.path.insert(0, str(Path(__file__).resolve().parent))

from docs_tests import DocsTests
from effect_tests import EffectTests
from module_tests import ModuleTests
from speed_tests import SpeedTests

CASES = (ModuleTests, EffectTests, DocsTests, SpeedTests)


def suite():
    loader = unittest.TestLoader()
    if os.environ.get("STROKESAM_ONLY"):
        loader.testNamePatterns = [f"*{os.environ['STROKESAM_ONLY']}*"]
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, CASES))


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=2).run(suite())
    slicer.util.exit(0 if result.wasSuccessful() else 1)
