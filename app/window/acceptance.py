"""What was found waits for the user's word: the panels of found and of similar objects, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.panels.candidates import CandidatesPanel
from app.panels.similar import SimilarPanel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.canvas.view import CanvasView
    from app.panels.docks import Docks
    from app.services.similar import SimilarObjects
    from app.services.window_services import WindowServices
    from app.tools.pick import PickTool
    from app.tools.registry import ToolBox


class Acceptance(QObject):
    """Shows what the services found, and tidies up when the user has decided.

    Signals:
        tool_changed: the canvas was lent another tool, or got its own again.
    """

    tool_changed = Signal()

    def __init__(
        self, services: WindowServices, canvas: CanvasView, tools: ToolBox, pick_tool: PickTool
    ) -> None:
        super().__init__(canvas)
        self._services = services
        self._canvas = canvas
        self._tools = tools
        self._pick_tool = pick_tool
        services.segmentation.objects_found.connect(self._show_candidates)
        services.segmentation.looked_closer.connect(self._show_closer)
        services.similar.found.connect(self._show_similar)

    def follow(self, docks: Docks) -> None:
        """From now on these are the panels."""
        self._docks = docks
        self._candidates = docks.panel(CandidatesPanel)
        self._similar = docks.panel(SimilarPanel)
        self._candidates.closed.connect(docks.give_back)
        self._similar.closed.connect(self._end_similar)

    def dismiss(self) -> None:
        """Drops what waits."""
        self._candidates.dismiss()
        self._similar.dismiss()

    def _model_version(self) -> str:
        model = self._services.segmentation.model
        return model.version if model is not None else ""

    @Slot(object)
    def _show_candidates(self, predictions: Sequence[Any]) -> None:
        self._similar.dismiss()
        self._candidates.show_candidates(predictions, self._model_version())
        self._docks.make_room("candidates")

    @Slot(object)
    def _show_closer(self, predictions: Sequence[Any]) -> None:
        self._candidates.show_closer(predictions, self._model_version())

    @Slot(object)
    def _show_similar(self, asked: SimilarObjects) -> None:
        self._candidates.dismiss()
        self._similar.show_found(asked)
        self._docks.make_room("similar")
        self._tools.lend(self._pick_tool)
        self.tool_changed.emit()
        self._canvas.setFocus()

    @Slot()
    def _end_similar(self) -> None:
        self._docks.give_back()
        self._tools.resume()
        self.tool_changed.emit()
