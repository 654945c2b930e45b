"""StrokeSAM/StrokeSAM.py without Slicer's window: stand-ins for the parts of Slicer that it imports."""

import sys
import types

import pytest
from helpers import ROOT

slicer = pytest.importorskip("slicer")


class ParameterNode:
    """The parts of a class wrapped by `parameterNodeWrapper` that the module uses."""

    def __init__(self, node):
        vars(self).update(node=node, connected=0)
        for name in type(self).__annotations__:
            node.values.setdefault(name, getattr(type(self), f"default_{name}", None))

    def __getattr__(self, name):
        return self.node.values[name]

    def __setattr__(self, name, value):
        changed, self.node.values[name] = self.node.values[name] != value, value
        if changed:
            self.node.node.Modified()

    def connectGui(self, ui):
        vars(self)["connected"] += 1
        return self.connected

    def disconnectGui(self, tag):
        vars(self)["connected"] -= 1

    def AddObserver(self, *arguments):
        return self.node.node.AddObserver(*arguments)

    def RemoveObserver(self, tag):
        self.node.node.RemoveObserver(tag)


def wrap(cls):
    """The stand-in for `parameterNodeWrapper`."""
    names = cls.__annotations__
    defaults = {f"default_{name}": getattr(cls, name, None) for name in names}
    return type(cls.__name__, (ParameterNode,), {"__annotations__": names, **defaults})


def import_module_file(monkeypatch):
    """Import StrokeSAM.py anew, with empty base classes; `qt` and `slicer.i18n` must be there.

    Returns:
        The module StrokeSAM, and the module with its base classes.
    """
    base = types.ModuleType("slicer.ScriptedLoadableModule")
    for name in ("", "Logic", "Widget", "Test"):
        setattr(base, f"ScriptedLoadableModule{name}", type(name, (), {"__init__": lambda self, parent=None: None}))
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper, wrapper.Choice = wrap, tuple
    for fake in (base, wrapper):
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.syspath_prepend(str(ROOT / "StrokeSAM"))
    # The entry is restored after the test, so that the next test imports the file again.
    monkeypatch.setitem(sys.modules, "StrokeSAM", None)
    del sys.modules["StrokeSAM"]
    import StrokeSAM

    return StrokeSAM, base
