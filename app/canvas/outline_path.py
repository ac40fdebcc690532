"""What Qt draws of a vector shape, from its row in `converters/shapes/kinds.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainterPath

from converters.shapes.kinds import kind_of, outline

if TYPE_CHECKING:
    from collections.abc import Callable

    from converters.annotation import Geometry, Vertex


def outline_path(geometry: Geometry, place: Callable[[float, float], Vertex], scale: float) -> QPainterPath:
    """The line round a region or along a line; empty for masks and points.

    Args:
        place: picture pixels to the painter's.
        scale: the painter's pixels per picture pixel.
    """
    path = QPainterPath()
    kind = kind_of(geometry)
    if kind.ellipse is not None:
        center, rx, ry = kind.ellipse(geometry)
        path.addEllipse(QPointF(*place(*center)), rx * scale, ry * scale)
    elif kind.drawn in ("closed", "open"):
        points = [QPointF(*place(*point)) for point in outline(geometry)]
        if points:
            path.moveTo(points[0])
            for point in points[1:]:
                path.lineTo(point)
            if kind.drawn == "closed":
                path.closeSubpath()
    return path
