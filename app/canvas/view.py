"""The canvas: one widget that draws the picture and hands pointer and keys to the current tool."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import QWidget

from app.canvas.annotation_layer import AnnotationLayer
from app.canvas.mask_preview import MaskPreview
from app.canvas.picture_layer import PictureLayer
from app.canvas.recolor_layer import RecolorLayer
from app.canvas.shapes_layer import ShapesLayer
from app.canvas.superpixel_layer import SuperpixelLayer
from app.canvas.tool import DROP_KEY, KEEP_KEYS, PointerEvent, Tool, turns_second
from app.editing.limits import ZOOM
from app.pixels.viewport import Viewport

if TYPE_CHECKING:
    from PySide6.QtGui import (
        QCloseEvent,
        QEnterEvent,
        QFocusEvent,
        QMouseEvent,
        QPaintEvent,
        QResizeEvent,
        QWheelEvent,
    )

    from app.canvas.layers import Layer
    from app.pixels.base_image import OpenImage
    from app.pixels.viewport import Region
    from app.session import Session

NOTCH = 120


class CanvasView(QWidget):
    """Shows the session's picture and annotation; pans, zooms and drives one tool.

    Attributes:
        viewport: where the picture lies, in device pixels.
        annotations: the regions' overlay and the label image behind it.
        recolored: recoloured objects, drawn in place of the picture's own pixels.
        superpixels: the superpixels of what shows, while a tool works with them.
        preview: the mask that a tool is about to make.
        layers: what is painted, from the bottom up.

    Signals:
        cursor_moved: the picture point (x, y) under the pointer, or None when it has left.
        zoom_changed: device pixels per picture pixel.
        viewport_changed: the visible picture box (x0, y0, x1, y1).
    """

    cursor_moved = Signal(object)
    zoom_changed = Signal(float)
    viewport_changed = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.viewport = Viewport()
        self.tool: Tool | None = None
        self._busy: str | None = None
        self._panning: QPointF | None = None
        self._space_held = False
        self._show_original = False
        self._fitted = True
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self.annotations = AnnotationLayer(self)
        self.recolored = RecolorLayer(self, self.annotations)
        self.superpixels = SuperpixelLayer(self)
        self.preview = MaskPreview(self)
        self.layers: list[Layer] = [
            PictureLayer(self, self.recolored),
            self.annotations,
            ShapesLayer(self, self.annotations),
            self.superpixels,
            self.preview,
        ]
        session.image_changed.connect(self._on_image_changed)
        self._on_image_changed(session.image)

    @property
    def widget(self) -> QWidget:
        """Itself, for those who know only its surface."""
        return self

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    # Tools

    def set_tool(self, tool: Tool | None) -> None:
        """Make a tool the one that gets the pointer and the keys."""
        if tool is self.tool:
            return
        # A tool that is no longer the current one drops its own work, not the selection.
        before, self.tool = self.tool, None
        if before is not None:
            before.deactivate()
        self.tool = tool
        if tool is not None:
            tool.activate()
        self.refresh_cursor()
        self.update()

    def refresh_cursor(self) -> None:
        """Show the pointer that fits the tool, or the hand while panning."""
        if self._panning is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._space_held:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif self.tool is not None:
            self.setCursor(self.tool.cursor())
        else:
            self.unsetCursor()

    # Where the picture lies

    def view_to_image(self, point: QPointF) -> QPointF:
        """The picture point under a point of the widget (logical pixels)."""
        ratio = self.devicePixelRatioF()
        return QPointF(*self.viewport.to_image(point.x() * ratio, point.y() * ratio))

    def image_to_view(self, point: QPointF) -> QPointF:
        """The widget point (logical pixels) over a picture point."""
        ratio = self.devicePixelRatioF()
        x, y = self.viewport.to_device(point.x(), point.y())
        return QPointF(x / ratio, y / ratio)

    def visible_region(self) -> Region:
        """The half-open box of picture pixels that show."""
        return self.viewport.visible_region

    @property
    def zoom(self) -> float:
        """Device pixels per picture pixel."""
        return self.viewport.scale

    def fit(self) -> None:
        """Show the whole picture; it stays fitted while the window changes its size."""
        self._set_viewport(self.viewport.fitted())
        self._fitted = True

    def actual_size(self) -> None:
        """One picture pixel on one device pixel, around the middle of the window."""
        x, y = self.viewport.to_image(self.viewport.width / 2, self.viewport.height / 2)
        self._set_viewport(self.viewport.centered(1.0, x, y))

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom; the picture point under `at` (logical pixels; None: the middle) stays there."""
        ratio = self.devicePixelRatioF()
        where = (self.viewport.width / 2, self.viewport.height / 2)
        if at is not None:
            where = (at.x() * ratio, at.y() * ratio)
        self._set_viewport(self.viewport.zoomed(factor, where))

    def center_on(self, region: Region) -> None:
        """Bring a picture box into the middle, zooming so far that it shows with some room around."""
        x0, y0, x1, y1 = region
        room = 1.6
        scale = min(
            self.viewport.width / max(1, x1 - x0) / room, self.viewport.height / max(1, y1 - y0) / room, 8.0
        )
        self._set_viewport(self.viewport.centered(scale, (x0 + x1) / 2, (y0 + y1) / 2))

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the picture by device pixels."""
        self._set_viewport(self.viewport.panned(round(dx), round(dy)))

    def _set_viewport(self, viewport: Viewport) -> None:
        self._fitted = False
        if viewport == self.viewport:
            return
        zoomed = viewport.scale != self.viewport.scale
        self.viewport = viewport
        self.update()
        if zoomed:
            self.zoom_changed.emit(viewport.scale)
        self.viewport_changed.emit(viewport.visible_region)

    def _on_image_changed(self, image: OpenImage | None) -> None:
        width, height = (image.width, image.height) if image is not None else (0, 0)
        ratio = self.devicePixelRatioF()
        blank = Viewport(width, height, round(self.width() * ratio), round(self.height() * ratio))
        self._set_viewport(blank.fitted() if image is not None else blank)
        self._fitted = True
        self.update()

    # What is shown

    @property
    def show_original(self) -> bool:
        """Whether recoloured objects show the picture's own colours."""
        return self._show_original

    @show_original.setter
    def show_original(self, show: bool) -> None:
        if show != self._show_original:
            self._show_original = show
            self.update()

    def set_busy(self, text: str | None) -> None:
        """Show a note in the corner while something is being worked on; None takes it away."""
        if text != self._busy:
            self._busy = text
            self.update()

    def update_image_box(self, region: tuple[float, float, float, float], margin: int = 4) -> None:
        """Ask for a repaint of a picture box and `margin` device pixels around it."""
        self.update_device_box(self.viewport.device_box(region, margin))

    def update_device_box(self, box: tuple[float, float, float, float]) -> None:
        """Ask for a repaint of a box of device pixels."""
        ratio = self.devicePixelRatioF()
        x0, y0 = math.floor(box[0] / ratio), math.floor(box[1] / ratio)
        x1, y1 = math.ceil(box[2] / ratio), math.ceil(box[3] / ratio)
        if x0 < x1 and y0 < y1:
            self.update(QRect(x0, y0, x1 - x0, y1 - y0))

    def finish(self) -> None:
        """Wait until what was kept with any tool is in its document."""
        for tool in self.findChildren(Tool):
            tool.finish()

    def shutdown(self) -> None:
        """Stop the background work; the window calls it before it goes."""
        self.set_tool(None)
        for tool in self.findChildren(Tool):
            tool.shutdown()
        self.recolored.shutdown()
        self.superpixels.shutdown()

    # Qt overrides

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setClipRect(event.rect())
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)
        painter.fillRect(QRect(0, 0, self.viewport.width + 1, self.viewport.height + 1), self._backdrop())
        if self.viewport.has_image:
            for layer in self.layers:
                painter.save()
                layer.paint(painter, self.viewport)
                painter.restore()
            if self.tool is not None:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                self.tool.paint(painter)
        if self._busy is not None:
            self._paint_busy(painter, ratio)
        painter.end()

    def _backdrop(self) -> QColor:
        window = self.palette().color(QPalette.ColorRole.Window)
        return window.darker(112) if window.lightness() > 127 else window.darker(135)

    def _paint_busy(self, painter: QPainter, ratio: float) -> None:
        assert self._busy is not None
        font = QFont(self.font())
        font.setPixelSize(round(13 * ratio))
        painter.setFont(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = QFontMetricsF(font, self).horizontalAdvance(self._busy) + 40 * ratio
        height = 28 * ratio
        pill = QRectF(12 * ratio, self.viewport.height - height - 12 * ratio, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(20, 22, 26, 205))
        painter.drawRoundedRect(pill, height / 2, height / 2)
        painter.setBrush(QColor("#ffb400"))
        painter.drawEllipse(QPointF(pill.left() + 15 * ratio, pill.center().y()), 4 * ratio, 4 * ratio)
        painter.setPen(QColor(245, 246, 248))
        painter.drawText(pill.adjusted(27 * ratio, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter), self._busy)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._follow_size()

    def _follow_size(self) -> None:
        ratio = self.devicePixelRatioF()
        resized = self.viewport.resized(round(self.width() * ratio), round(self.height() * ratio))
        fitted = self._fitted
        self._set_viewport(resized.fitted() if fitted and resized.has_image else resized)
        self._fitted = fitted

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._follow_size()
        claims = self.tool.claims_key if self.tool is not None else None
        if claims is not None and event.type() == QEvent.Type.ShortcutOverride:
            assert isinstance(event, QKeyEvent)
            if claims(event):
                event.accept()
                return True
        return super().event(event)

    def _pointer(self, event: QMouseEvent, *, double: bool = False) -> PointerEvent:
        ratio = self.devicePixelRatioF()
        device_x, device_y = event.position().x() * ratio, event.position().y() * ratio
        at = self.view_to_image(event.position())
        return PointerEvent(
            at.x(), at.y(), device_x, device_y, event.button(), event.buttons(), event.modifiers(), double
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.viewport.has_image:
            return
        middle = event.button() == Qt.MouseButton.MiddleButton
        if middle or (self._space_held and event.button() == Qt.MouseButton.LeftButton):
            self._panning = event.position()
            self.refresh_cursor()
        elif self.tool is not None:
            self.tool.pointer_press(self._pointer(event))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self.fit()
        elif self.tool is not None and self.viewport.has_image and not self._space_held:
            self.tool.pointer_press(self._pointer(event, double=True))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self.viewport.has_image:
            return
        if self._panning is not None:
            ratio = self.devicePixelRatioF()
            moved = event.position() - self._panning
            self._panning = event.position()
            self.pan_by(moved.x() * ratio, moved.y() * ratio)
            return
        pointer = self._pointer(event)
        inside = 0 <= pointer.x < self.viewport.image_width and 0 <= pointer.y < self.viewport.image_height
        self.cursor_moved.emit((pointer.x, pointer.y) if inside else None)
        if self.tool is not None:
            self.tool.pointer_move(pointer)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._panning is not None:
            self._panning = None
            self.refresh_cursor()
        elif self.tool is not None and self.viewport.has_image:
            self.tool.pointer_release(self._pointer(event))

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        steps = (delta.y() or delta.x()) / NOTCH  # Alt turns the wheel sideways on most systems
        event.accept()
        if not self.viewport.has_image or not steps:
            return
        modifiers = event.modifiers()
        zooms = bool(modifiers & Qt.KeyboardModifier.ControlModifier) and not turns_second(modifiers)
        if not zooms and self.tool is not None and self.tool.wheel(steps, modifiers):
            return
        self.zoom_by(ZOOM.step**steps, event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space_held = True
                self.refresh_cursor()
        elif self.tool is not None and event.key() in KEEP_KEYS:
            self.tool.commit()
        elif self.tool is not None and event.key() == DROP_KEY:
            self.tool.cancel()
        elif self.tool is None or not self.tool.key_press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space_held = False
                self.refresh_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        # A space bar released in another window would otherwise pan for ever.
        self._space_held = False
        self.refresh_cursor()
        super().focusOutEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.refresh_cursor()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.cursor_moved.emit(None)
        if self.tool is not None:
            self.tool.pointer_leave()
        super().leaveEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.shutdown()
        super().closeEvent(event)
