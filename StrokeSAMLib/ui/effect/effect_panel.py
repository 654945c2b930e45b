"""The widgets of the effect in the Segment Editor. They call actions of the effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from StrokeSAMLib.interactive.engines.registry import ENGINES, EngineEntry
from StrokeSAMLib.ui.resources import TOOL_ICONS, icon
from StrokeSAMLib.ui.translation import trLibrary

# Id, text, tip and the kind of prompt that the engine must take.
_TOOLS = (
    ("box", _("Box"), _("Drag a box around the object (key X in a slice view)."), "box"),
    ("lasso", _("Lasso"), _("Draw an outline around the object (key L in a slice view)."), "lasso"),
    ("positive", _("Inside"), _("Click a point inside the object (key P in a slice view)."), "point"),
    ("negative", _("Outside"), _("Click a point outside the object (key N in a slice view)."), "point"),
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
                rangeStart(), rangeEnd(), cancel(), apply().
        """
        self._actions = actions
        self._numbers: list[int] = []
        self._filling = False
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._toolRow())
        # Beginning with what is needed most, so that it is in sight in a small window.
        self._message = _wrappedLabel()
        layout.addWidget(self._message)
        layout.addLayout(self._progressRow())
        layout.addLayout(self._engineRow())
        self._status = _wrappedLabel()
        layout.addWidget(self._status)
        layout.addLayout(self._propagationRow())
        layout.addLayout(_row(self._applyButton()))
        layout.addWidget(self._promptList())
        layout.addLayout(self._promptRow())
        layout.addLayout(self._startRow())
        layout.addLayout(self._rangeRow())
        self.showMessage("")

    def showTool(self, id: str) -> None:
        """Check the button of the tool."""
        self._tools[id].setChecked(True)

    def showEngine(self, engine: EngineEntry, status: str, weightsText: str) -> None:
        """Show the engine, and enable the tools that it can use.

        Args:
            engine: the engine.
            status: a sentence about the engine's state; "" for none.
            weightsText: text of the button that leads to the weights; "" hides the button.
        """
        self._filling = True
        self._engine.setCurrentIndex(ENGINES.index(engine))
        self._filling = False
        for id, _text, tip, kind in _TOOLS:
            usable = kind in engine.accepts
            if kind == "point" and "scribble" in engine.accepts:
                tip = f"{tip} {_('Drag to draw a line.')}"
            self._tools[id].setEnabled(usable)
            self._tools[id].setToolTip(
                tip if usable else _("{engine} cannot use this tool.").format(engine=engine.title)
            )
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
            *((button, hasPrompts and not running) for button in self._directions),
        ):
            button.setEnabled(enabled)
        if running and not self._progress.visible:
            self._progress.setRange(0, 0)  # Qt shows that something runs until the first progress arrives
        self._progress.setVisible(running)
        self._cancel.setVisible(running)

    def showReadiness(self, notReady: Mapping[str, str]) -> None:
        """Mark the engines that are not ready in the list; `notReady` has the reasons by id."""
        for n, entry in enumerate(ENGINES):
            reason = notReady.get(entry.id)
            title = trLibrary(entry.title)
            self._engine.setItemText(n, f"{title} – {reason}" if reason else title)

    def showAvoid(self, avoid: bool) -> None:
        """Show whether the object is kept out of the other segments."""
        self._filling = True
        self._avoid.setChecked(avoid)
        self._filling = False

    def showRange(self, count: int, limits: tuple[int, int] | None, text: str) -> None:
        """Show the range of slices.

        Args:
            count: number of slices; 0 if it is not known yet.
            limits: first and last slice; None for all.
            text: the range in millimetres.
        """
        first, last = limits or (0, max(count - 1, 0))
        self._filling = True
        self._limited.setChecked(limits is not None)
        for box, value in ((self._first, first), (self._last, last)):
            box.setMaximum(max(count - 1, last))
            box.setValue(value)
            box.setEnabled(limits is not None)
        self._filling = False
        self._rangeText.setText(text)

    def showProgress(self, fraction: float, text: str) -> None:
        """Show the progress, 0…1."""
        self._progress.setRange(0, 100)
        self._progress.setValue(round(fraction * 100))
        self._progress.setFormat(f"{trLibrary(text)} (%p %)")

    def showMessage(self, text: str) -> None:
        """Show an error or a note; empty text for none."""
        self._message.setText(text)
        self._message.setVisible(bool(text))

    def _toolRow(self) -> Any:
        row, group = qt.QHBoxLayout(), qt.QButtonGroup(self.widget)
        self._tools = {}
        for id, text, tip, _kind in _TOOLS:
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
            self._engine.addItem(trLibrary(entry.title))
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
        self._list.setToolTip(_("Prompts. Click one to see its slice; drag it in a view to move it."))
        self._list.connect("currentRowChanged(int)", self._onRow)
        delete = qt.QShortcut(qt.QKeySequence("Del"), self._list)
        delete.setContext(qt.Qt.WidgetShortcut)
        delete.connect("activated()", self._actions["delete"])
        return self._list

    def _promptRow(self) -> Any:
        self._delete = _button(
            _("Delete"),
            _("Delete the selected prompt (key D in a slice view, or Delete in the list)"),
            self._actions["delete"],
        )
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
        self._avoid = qt.QCheckBox(_("Not in other segments"))
        self._avoid.setToolTip(_("Keep the object out of the other visible segments"))
        self._avoid.connect("toggled(bool)", self._onAvoid)
        return _row(refine, self._avoid)

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
        self._limited.connect("toggled(bool)", lambda checked: self._onRange())
        start = _button(_("From here"), _("Begin at the slice that is shown"), self._actions["rangeStart"])
        end = _button(_("To here"), _("End at the slice that is shown"), self._actions["rangeEnd"])
        self._rangeText = qt.QLabel()
        column = qt.QVBoxLayout()
        column.addLayout(_row(self._limited, self._first, qt.QLabel(_("to")), self._last))
        # A row of their own, so that the panel stays narrow.
        column.addLayout(_row(start, end, self._rangeText))
        return column

    def _progressRow(self) -> Any:
        self._cancel = _button(_("Cancel"), _("Stop at the next slice (Esc)"), self._actions["cancel"])
        self._progress = qt.QProgressBar()
        row = qt.QHBoxLayout()
        for widget in (self._progress, self._cancel):
            widget.setVisible(False)
            row.addWidget(widget)
        return row

    def _applyButton(self) -> Any:
        self._apply = _button(_("Write into segment"), _("Write the preview into the segment"), self._actions["apply"])
        return self._apply

    def _onEngine(self, index: int) -> None:
        if not self._filling:
            self._actions["engine"](ENGINES[index].id)

    def _onRow(self, row: int) -> None:
        if not self._filling:
            self._actions["select"](self._numbers[row] if 0 <= row < len(self._numbers) else None)

    def _onAvoid(self, checked: bool) -> None:
        if not self._filling:
            self._actions["avoid"](checked)

    def _onRange(self) -> None:
        if self._filling:
            return
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
