"""Vector geometry: lines and points, and the smooth outlines of polygons, boxes and circles.

The fill of polygons, boxes and circles is part of the label image, and so are their outlines once
there are many: hundreds of antialiased paths would cost tens of milliseconds a frame, one label
image costs the same for any number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from app.canvas.markers import WHITE, draw_path, draw_point
from app.canvas.outline_path import outline_path
from converters.shapes.kinds import is_region, kind_of, vertices

if TYPE_CHECKING:
    from PySide6.QtGui import QPainterPath

    from app.canvas.annotation_layer import AnnotationLayer
    from app.canvas.surface import Surface
    from app.document.change import Change
    from app.pixels.viewport import Viewport
    from converters.annotation import Geometry, Instance


def path_of(geometry: Geometry, viewport: Viewport) -> QPainterPath:
    """A vector geometry's outline in device pixels; empty for masks and points."""
    return outline_path(geometry, viewport.to_device, viewport.scale)


class ShapesLayer(QObject):
    """Draws what the label image cannot hold."""

    def __init__(self, view: Surface, annotations: AnnotationLayer) -> None:
        super().__init__(view.widget)
        self._view = view
        self._annotations = annotations
        self._thin: tuple[Instance, ...] = ()
        self._outlined: tuple[Instance, ...] = ()
        self._smooth: frozenset[str] = frozenset()
        self._own: frozenset[str] = frozenset()
        view.session.document_opened.connect(self._collect)
        view.session.document_changed.connect(self._on_document_changed)
        view.session.hidden_changed.connect(self._on_toggled)
        view.session.selection_changed.connect(self._on_toggled)
        self._collect()

    def _on_document_changed(self, change: Change) -> None:
        """Nearly every edit concerns masks, which are none of this layer's business."""
        touched = self._view.session.instances((*change.added, *change.changed))
        if (
            self._smooth is not self._annotations.vector_outlined
            or not self._own.isdisjoint((*change.added, *change.changed, *change.removed))
            or not all(is_region(instance.geometry) for instance in touched)
        ):
            self._collect()

    def _collect(self, _: object = None) -> None:
        document = self._view.session.document
        before = self._thin
        self._thin, self._outlined = (), ()
        if document is not None:
            self._smooth = self._annotations.vector_outlined
            self._outlined = tuple(i for i in document.annotation.instances if i.id in self._smooth)
            self._thin = tuple(i for i in document.annotation.instances if not is_region(i.geometry))
        self._own = frozenset(instance.id for instance in (*self._outlined, *self._thin))
        if self._thin != before:
            self._view.update()

    def _on_toggled(self, _: object) -> None:
        if self._thin:
            self._view.update()

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        session, ratio = self._view.session, self._view.devicePixelRatioF()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        screen = QRectF(0, 0, viewport.width, viewport.height).adjusted(-20, -20, 20, 20)
        selected = set(session.selection)
        self._paint_outlines(painter, viewport, screen)
        for instance in self._thin:
            if instance.id in session.hidden:
                continue
            color = session.color_of(instance.label)
            width = 3.0 if instance.id in selected else 2.0
            if kind_of(instance.geometry).drawn == "points":
                for point in vertices(instance.geometry):
                    at = QPointF(*viewport.to_device(*point))
                    if screen.contains(at):
                        draw_point(painter, at, WHITE if instance.id in selected else color, ratio)
                continue
            path = path_of(instance.geometry, viewport)
            if screen.intersects(path.controlPointRect().adjusted(-1, -1, 1, 1)):
                draw_path(painter, path, color, ratio, width=width)
        for instance in session.selected_instances():
            if kind_of(instance.geometry).drawn == "closed" and instance.id not in session.hidden:
                draw_path(painter, path_of(instance.geometry, viewport), WHITE, ratio)

    def _paint_outlines(self, painter: QPainter, viewport: Viewport, screen: QRectF) -> None:
        session = self._view.session
        left_out = session.hidden.union(session.selection)
        pen = QPen(WHITE, 1.4 * self._view.devicePixelRatioF())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for instance in self._outlined:
            if instance.id in left_out:
                continue
            path = path_of(instance.geometry, viewport)
            if screen.intersects(path.controlPointRect()):
                pen.setColor(session.color_of(instance.label))
                painter.setPen(pen)
                painter.drawPath(path)
