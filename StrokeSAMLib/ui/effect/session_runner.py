"""Actions on one session, which run one after another on the worker; their results arrive on the main thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.core.jobs import Job, Worker
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.ui.effect.editor_view import EditorView
from StrokeSAMLib.ui.effect.prompt_session import (
    Engines,
    PromptSession,
    SessionHolder,
    SessionRequest,
    SessionView,
)
from StrokeSAMLib.ui.messages import errorMessage
from StrokeSAMLib.ui.translation import tr as _

if TYPE_CHECKING:
    from StrokeSAMLib.interactive.prompts import Prompt

Action = Callable[[PromptSession, Monitor], Any]


class SessionRunner:
    """Runs actions on the session of one segment. After `close`, results that still arrive are dropped.

    Call every method on the main thread, except where noted.

    Attributes:
        sessionView: the session's state for drawing; None before the session is open.
        live: outlines from a running propagation, or of the answer to a prompt that is being dragged, by slice.
        running: text that describes the running action; "" if there is none.
        closed: whether `close` was called.
    """

    def __init__(
        self,
        view: EditorView,
        worker: Worker,
        engines: Engines,
        onEnd: Callable[[SessionView | None], None],
        onFailure: Callable[[], None],
    ):
        """Create a runner whose session is not open yet.

        Args:
            view: shows state, messages and progress.
            worker: runs the actions.
            engines: load the session's engine.
            onEnd: called after each action with the session's new state; None if there is no session.
            onFailure: called when an action failed, after its error was shown and before `onEnd`.
        """
        self._view = view
        self._worker = worker
        self._holder = SessionHolder(engines)
        self._onEnd = onEnd
        self._onFailure = onFailure
        self._jobCount = 0
        self._isPreviewing, self._previewCount = False, 0
        self._newest: tuple[Prompt, int | None] | None = None
        self._drawnCount = 0
        self.sessionView: SessionView | None = None
        self.live: dict[int, Any] = {}
        self.running = ""
        self.closed = False

    @property
    def encodingAhead(self) -> bool:
        """Whether slices are being encoded in the background."""
        return self._holder.encodingAhead

    def close(self) -> None:
        """Stop the work in the background, and drop results that arrive later."""
        self.closed = True
        self._holder.close()

    def run(self, text: str, request: SessionRequest, action: Action, onResult: Callable[[Any], None]) -> None:
        """Run an action on the worker.

        Args:
            text: describes the action while it runs.
            request: the inputs from which the session is opened if it is not open yet.
            action: called with the session, on the worker.
            onResult: called with the action's result, on the main thread.
        """

        def work(monitor: Monitor) -> tuple[Any, SessionView]:
            session = self._holder.open(request, monitor)
            result = action(session, monitor)
            return result, session.view()

        def finished(output: tuple[Any, SessionView]) -> None:
            if not self.closed:
                result, sessionView = output
                self._end(sessionView)
                onResult(result)

        def failed(error: BaseException) -> None:
            if not self.closed:
                self._view.showMessage(errorMessage(error))
                self._onFailure()
                self._refresh()

        def cancelled() -> None:
            if not self.closed:
                self._view.showMessage(_("Cancelled."))
                self._refresh()

        self.running, self._newest = text, None
        self._jobCount += 1
        self._view.showMessage("")
        self._worker.submit(Job(work, finished, failed, cancelled, self._view.showProgress))
        self._view.showState()

    def preview(self, prompt: Prompt, number: int | None) -> None:
        """Show in `live` the answer that this prompt, which is being dragged, would give.

        While one is computed, only the newest of further prompts waits; actions on the session come first.

        Args:
            prompt: the prompt.
            number: the number of the prompt that it replaces; None for a new one.
        """
        self._newest = None if self.running else (prompt, number)
        if not self._isPreviewing:
            self._previewNewest()

    def endPreview(self) -> None:
        """Show the session's own state again, because the drag ended without a change."""
        self._newest = None
        if not self.running and (self._isPreviewing or self.live):
            self._previewCount += 1
            self._showLive({})

    def _previewNewest(self) -> None:
        if self._newest is None or self.closed:
            return
        (prompt, number), self._newest = self._newest, None
        self._isPreviewing, count = True, self._previewCount

        def finished(outlines: dict[int, Any]) -> None:
            self._isPreviewing = False
            if not self.closed and count == self._previewCount:
                self._showLive(outlines)
            self._previewNewest()

        def unavailable(error: BaseException | None = None) -> None:  # the release shows the error
            self._isPreviewing = False
            self._previewNewest()

        def work(monitor: Monitor) -> dict[int, Any]:
            return self._holder.preview(prompt, number)

        self._worker.submit(Job(work, finished, unavailable, unavailable))

    def onSlice(self, k: int, edges: Any) -> None:
        """Add the outline of a slice from a running propagation. Called on the worker."""
        self._worker.post(lambda: self._addLive(k, edges))

    def drawLive(self) -> None:
        """Show the outlines that arrived since the last call, all at once."""
        if self._drawnCount != len(self.live):
            self._drawnCount = len(self.live)
            self._view.showState()

    def _showLive(self, outlines: dict[int, Any]) -> None:
        self.live, self._drawnCount = outlines, len(outlines)
        self._view.showState()

    def _addLive(self, k: int, edges: Any) -> None:
        if not self.closed:
            self.live[k] = edges

    def _refresh(self) -> None:
        """After a failure or a cancellation, show the session's current state if there is a session."""

        def finished(sessionView: SessionView | None) -> None:
            if not self.closed:
                self._end(sessionView)

        def unavailable(error: BaseException | None = None) -> None:
            finished(None)

        self._worker.submit(Job(lambda monitor: self._holder.view(), finished, unavailable, unavailable))

    def _end(self, sessionView: SessionView | None) -> None:
        """End one action. `sessionView` is None if there is no session."""
        self._jobCount -= 1
        self.live, self._drawnCount = {}, 0
        if sessionView is not None:
            self._update(sessionView)
        if self._jobCount == 0:
            self.running = ""
        self._onEnd(sessionView)

    def _update(self, sessionView: SessionView) -> None:
        notes: tuple[str, ...] = ()
        if self.sessionView is None:
            self._worker.submit(Job(self._holder.encodeAhead))
        else:
            notes = self.sessionView.notes
        self.sessionView = sessionView
        if sessionView.notes != notes:
            self._view.showMessage("\n".join(sessionView.notes))
