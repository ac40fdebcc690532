"""All tools, in the order of the tool bar, and the object that makes the chosen one work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from app.tools.box import BoxTool
from app.tools.brush import BrushTool, EraserTool
from app.tools.polygon import PolygonTool
from app.tools.recolor import RecolorTool
from app.tools.seed import SeedTool
from app.tools.select import SelectTool
from app.tools.superpixel import SuperpixelTool

if TYPE_CHECKING:
    from app.canvas.tool import Tool, ToolSurface
    from app.session import Session

TOOLS: tuple[type[Tool], ...] = (
    SelectTool,
    SeedTool,
    BrushTool,
    EraserTool,
    SuperpixelTool,
    PolygonTool,
    BoxTool,
    RecolorTool,
)


class ToolBox(QObject):
    """Makes one of each tool for a canvas and follows `Session.tool_changed`.

    Attributes:
        tools: the tools by name.
        select: the one that asks for the objects' menu.
    """

    def __init__(self, session: Session, view: ToolSurface) -> None:
        super().__init__(view.widget)
        self._session = session
        self._view = view
        self.tools: dict[str, Tool] = {kind.name: kind(session, view) for kind in TOOLS}
        self.select: SelectTool = self.tools[SelectTool.name]  # type: ignore[assignment]
        session.tool_changed.connect(self._choose)
        session.leaving.connect(self._settle)
        self._choose(session.tool)

    def lend(self, tool: Tool) -> None:
        """Gives the canvas a tool of no tool bar, until `resume` or until another is chosen."""
        self._view.set_tool(tool)

    def resume(self) -> None:
        """Gives the canvas the chosen tool again."""
        self._choose(self._session.tool)

    @Slot()
    def _settle(self) -> None:
        if self._view.tool is not None:
            self._view.tool.settle()

    @Slot(str)
    def _choose(self, name: str) -> None:
        tool = self.tools.get(name)
        if tool is not None:
            self._view.set_tool(tool)
