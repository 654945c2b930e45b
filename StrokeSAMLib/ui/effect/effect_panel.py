"""The widgets of the effect in the Segment Editor. They call actions of the effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.ui.resources import TOOL_ICONS, icon

_TOOLS = (
    ("box", _("Box"), _("Drag a box around the object (B)")),
    ("positive", _("Inside"), _("Click a point inside the object (P)")),
    ("negative", _("Outside"), _("Click a point outside the object (N)")),
)
_DIRECTIONS = (("down", _("Down")), ("both", _("Both")), ("up", _("Up")))


class EffectPanel:
    """Widgets for tools, engine, prompts, propagation and progress.

    Attributes:
        widget: the widget that holds the others.
    """

    def __init__(self, actions: Mapping[str, Callable[..., None]]):
        """Create the widgets.

        Args:
            actions: the actions that the widgets call, by name: tool(id), engine(id), weights(), select(number),
                delete(), clear(), undo(), redo(), refine(), avoid(bool), propagate(direction), range(first, last),
                cancel(), apply().
        """
        self._actions = actions
        self._numbers: list[int] = []
        self._filling = False
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._toolRow())
        layout.addLayout(self._engineRow())
        self._status = _wrappedLabel()
        layout.addWidget(self._status)
        layout.addWidget(self._promptList())
        layout.addLayout(self._promptRow())
        layout.addLayout(self._startRow())
        layout.addLayout(self._propagationRow())
        layout.addLayout(self._rangeRow())
        layout.addLayout(self._applyRow())
        self._message = _wrappedLabel()
        layout.addWidget(self._message)

    def showTool(self, id: str) -> None:
        """Check the button of the tool."""
        self._tools[id].setChecked(True)

    def showEngine(self, id: str, status: str, weightsText: str) -> None:
        """Show the engine.

        Args:
            id: the engine's id.
            status: a sentence about the engine's state; "" for none.
            weightsText: text of the button that leads to the weights; "" hides the button.
        """
        ids = [entry.id for entry in ENGINES]
        self._filling = True
        self._engine.setCurrentIndex(ids.index(id))
        self._filling = False
        self._status.setText(status)
        self._status.setVisible(bool(status))
        self._weights.setText(weightsText)
        self._weights.setVisible(bool(weightsText))

    def showPrompts(self, prompts: list[tuple[int, str]], selected: int | None) -> None:
        """Fill the list with the number and text of each prompt, and select one."""
        self._filling = True
        self._numbers = [number for number, _text in prompts]
        self._list.clear()
        for _number, text in prompts:
            self._list.addItem(text)
        self._list.setCurrentRow(self._numbers.index(selected) if selected in self._numbers else -1)
        self._filling = False

    def showButtons(self, canUndo: bool, canRedo: bool, hasSelection: bool, hasPrompts: bool, running: bool) -> None:
        """Enable the buttons whose actions are possible now."""
        for button, enabled in (
            (self._undo, canUndo and not running),
            (self._redo, canRedo and not running),
            (self._delete, hasSelection),
            (self._clear, hasPrompts),
            (self._apply, hasPrompts and not running),
            (self._cancel, running),
            *((button, hasPrompts and not running) for button in self._directions),
        ):
            button.setEnabled(enabled)
        self._progress.setVisible(running)

    def showRange(self, count: int) -> None:
        """Set the limits of the range fields to the number of slices."""
        for box in (self._first, self._last):
            box.setMaximum(max(count - 1, 0))
        self._last.setValue(max(count - 1, 0))

    def showProgress(self, fraction: float, text: str) -> None:
        """Show the progress, 0…1."""
        self._progress.setValue(round(fraction * 100))
        self._progress.setFormat(f"{text} (%p %)")

    def showMessage(self, text: str) -> None:
        """Show an error or a note."""
        self._message.setText(text)

    def _toolRow(self) -> Any:
        row, group = qt.QHBoxLayout(), qt.QButtonGroup(self.widget)
        self._tools = {}
        for id, text, tip in _TOOLS:
            button = qt.QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setIcon(icon(TOOL_ICONS[id]))
            button.setToolButtonStyle(qt.Qt.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            button.connect("clicked(bool)", lambda checked, id=id: self._actions["tool"](id))
            group.addButton(button)
            row.addWidget(button)
            self._tools[id] = button
        row.addStretch(1)
        return row

    def _engineRow(self) -> Any:
        row = qt.QHBoxLayout()
        self._engine = qt.QComboBox()
        self._engine.setToolTip(_("Algorithm that segments the object. The random walker needs no weights."))
        for entry in ENGINES:
            self._engine.addItem(entry.title)
        self._engine.connect("currentIndexChanged(int)", self._onEngine)
        self._weights = _button("", _("Open the weights of the network"), lambda: self._actions["weights"]())
        for widget in (qt.QLabel(_("Engine:")), self._engine):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._weights)
        return row

    def _promptList(self) -> Any:
        self._list = qt.QListWidget()
        self._list.setMaximumHeight(90)
        self._list.setToolTip(_("Prompts. Drag one in a view to move it."))
        self._list.connect("currentRowChanged(int)", self._onRow)
        return self._list

    def _promptRow(self) -> Any:
        self._delete = _button(_("Delete"), _("Delete the selected prompt (Delete)"), self._actions["delete"])
        self._undo = _button(_("Undo prompt"), _("Undo the last prompt or propagation"), self._actions["undo"])
        self._redo = _button(_("Redo prompt"), _("Redo the last undone prompt or propagation"), self._actions["redo"])
        self._clear = _button(_("Clear"), _("Remove all prompts; the segment stays"), self._actions["clear"])
        return _row(self._delete, self._undo, self._redo, self._clear)

    def _startRow(self) -> Any:
        refine = _button(
            _("Start from segment"),
            _("Use the segment as the first prompt: corrections change it, propagation extends it"),
            self._actions["refine"],
        )
        avoid = qt.QCheckBox(_("Not in other segments"))
        avoid.setToolTip(_("Keep the object out of the other visible segments"))
        avoid.connect("toggled(bool)", self._actions["avoid"])
        return _row(refine, avoid)

    def _propagationRow(self) -> Any:
        tip = _("Propagate through the slices and write the result (Enter in a slice view: both directions)")
        self._directions = [_button(text, tip, self._propagateAction(id)) for id, text in _DIRECTIONS]
        return _row(qt.QLabel(_("Propagate:")), *self._directions)

    def _propagateAction(self, direction: str) -> Callable[[], None]:
        return lambda: self._actions["propagate"](direction)

    def _rangeRow(self) -> Any:
        self._limited = qt.QCheckBox(_("Only slices"))
        self._first, self._last = qt.QSpinBox(), qt.QSpinBox()
        for widget in (self._first, self._last):
            widget.setEnabled(False)
            widget.connect("valueChanged(int)", lambda value: self._onRange())
            self._limited.connect("toggled(bool)", widget.setEnabled)
        self._limited.connect("toggled(bool)", lambda checked: self._onRange())
        return _row(self._limited, self._first, qt.QLabel(_("to")), self._last)

    def _applyRow(self) -> Any:
        self._apply = _button(_("Write into segment"), _("Write the preview into the segment"), self._actions["apply"])
        self._cancel = _button(_("Cancel"), _("Stop at the next slice (Esc)"), self._actions["cancel"])
        self._progress = qt.QProgressBar()
        row = qt.QHBoxLayout()
        for widget in (self._apply, self._cancel, self._progress):
            row.addWidget(widget)
        return row

    def _onEngine(self, index: int) -> None:
        if not self._filling:
            self._actions["engine"](ENGINES[index].id)

    def _onRow(self, row: int) -> None:
        if not self._filling:
            self._actions["select"](self._numbers[row] if 0 <= row < len(self._numbers) else None)

    def _onRange(self) -> None:
        limits = (self._first.value, self._last.value) if self._limited.checked else (None, None)
        self._actions["range"](*limits)


def _button(text: str, tip: str, action: Callable[[], None]) -> Any:
    button = qt.QPushButton(text)
    button.setToolTip(tip)
    button.connect("clicked(bool)", lambda checked: action())
    return button


def _wrappedLabel() -> Any:
    label = qt.QLabel()
    label.setWordWrap(True)
    return label


def _row(*widgets: Any) -> Any:
    row = qt.QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
