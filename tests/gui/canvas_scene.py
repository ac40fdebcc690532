"""A real canvas with its tools on a small picture, driven by real mouse and key events."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QRegion, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.canvas.view import CanvasView
from app.document.document import Document
from app.pixels.base_image import prepare_image
from app.session import Session
from app.tools.registry import ToolBox
from converters.annotation import ImageAnnotation, Instance, Mask, Polygon
from tests.gui.color_encoding import ColorEncoding

HEIGHT, WIDTH = 200, 300
GREEN, RED, BLUE = (70, 110, 80), (200, 40, 40), (30, 60, 210)
RED_SQUARE = (40, 40, 100, 110)
RED_TWIN = (200, 120, 260, 180)
BLUE_SQUARE = (180, 20, 270, 90)


def picture():
    """Green, with two red squares and a blue one."""
    image = np.full((HEIGHT, WIDTH, 3), GREEN, np.uint8)
    for (x0, y0, x1, y1), color in ((RED_SQUARE, RED), (RED_TWIN, RED), (BLUE_SQUARE, BLUE)):
        image[y0:y1, x0:x1] = color
    return image


def box_mask(x0, y0, x1, y1):
    return Mask(x0, y0, np.ones((y1 - y0, x1 - x0), bool))


def ring_mask(x0, y0, x1, y1, hole):
    """A rectangle with a rectangular hole `hole` pixels from its border."""
    array = np.ones((y1 - y0, x1 - x0), bool)
    array[hole:-hole, hole:-hole] = False
    return Mask(x0, y0, array)


def instance(name, geometry, label="thing", **facts):
    return Instance(name, label, geometry, **facts)


def triangle(*points):
    return Polygon(tuple((float(x), float(y)) for x, y in points))


def to_array(image):
    """(h, w, 3) uint8 RGB of a QImage."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    data = np.frombuffer(image.constBits(), np.uint8)
    rows = data.reshape(image.height(), image.bytesPerLine())[:, : image.width() * 3]
    return rows.reshape(image.height(), image.width(), 3).copy()


class Scene:
    """The canvas, its session and a hand on the mouse. Positions are picture pixels."""

    def __init__(self, qtbot):
        self.qtbot = qtbot
        self.session = Session()
        self.view = CanvasView(self.session)
        self.tools = ToolBox(self.session, self.view).tools
        self.messages, self.failures = [], []
        self._connections = _Listener(self)
        self.view.resize(640, 480)
        qtbot.addWidget(self.view)
        with qtbot.waitExposed(self.view):
            self.view.show()

    def open(self, *instances, image=None, encoded=True):
        image = picture() if image is None else image
        height, width = image.shape[:2]
        document = Document(ImageAnnotation("picture.png", height, width, tuple(instances)))
        self.session.open_document(document, prepare_image(image))
        if encoded:
            self.session.set_encoding(ColorEncoding(image))
        self.settle()
        return document

    @property
    def document(self):
        return self.session.document

    @property
    def instances(self):
        return self.document.annotation.instances

    def only(self):
        """The single instance of the document."""
        (found,) = self.instances
        return found

    def get(self, name):
        return self.document.annotation.instance(name)

    def use(self, tool):
        self.session.set_tool(tool)
        return self.tools[tool]

    def settle(self):
        """Wait for background work and repaints."""

        def idle():
            assert not self.tools["seed"].is_busy
            assert not self.tools["seed"]._rest.isActive()  # what a click would give is asked for then
            assert self.view.recolored.is_settled
            assert self.view.superpixels.is_settled

        QApplication.processEvents()
        self.qtbot.waitUntil(idle, timeout=20_000)
        QTest.qWait(1)
        self.qtbot.waitUntil(idle, timeout=20_000)
        QApplication.processEvents()

    # The hand

    def at(self, x, y):
        point = self.view.image_to_view(QPointF(x, y))
        return QPoint(round(point.x()), round(point.y()))

    def move(self, x, y):
        self.move_held(x, y, Qt.MouseButton.NoButton)

    def click(self, x, y, button=Qt.MouseButton.LeftButton, modifiers=Qt.KeyboardModifier.NoModifier):
        self.move(x, y)
        QTest.mouseClick(self.view, button, modifiers, self.at(x, y))
        QTest.qWait(1)

    def double_click(self, x, y):
        QTest.mouseDClick(self.view, Qt.MouseButton.LeftButton, pos=self.at(x, y))

    def press(self, x, y, button=Qt.MouseButton.LeftButton, modifiers=Qt.KeyboardModifier.NoModifier):
        QTest.mousePress(self.view, button, modifiers, self.at(x, y))

    def release(self, x, y, button=Qt.MouseButton.LeftButton, modifiers=Qt.KeyboardModifier.NoModifier):
        QTest.mouseRelease(self.view, button, modifiers, self.at(x, y))

    def drag(self, *points, button=Qt.MouseButton.LeftButton, modifiers=Qt.KeyboardModifier.NoModifier):
        self.press(*points[0], button, modifiers)
        for point in points[1:]:
            self.move_held(*point, button, modifiers)
        self.release(*points[-1], button, modifiers)

    def move_held(self, x, y, button=Qt.MouseButton.LeftButton, modifiers=Qt.KeyboardModifier.NoModifier):
        """Move with a button down (QTest.mouseMove forgets it, and skips a move to the same place)."""
        position = QPointF(self.at(x, y))
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            position,
            self.view.mapToGlobal(position),
            Qt.MouseButton.NoButton,
            button,
            modifiers,
        )
        QApplication.sendEvent(self.view, event)
        QApplication.processEvents()

    def wheel(self, steps, x=WIDTH / 2, y=HEIGHT / 2, modifiers=Qt.KeyboardModifier.NoModifier):
        position = QPointF(self.at(x, y))
        event = QWheelEvent(
            position,
            self.view.mapToGlobal(position),
            QPoint(),
            QPoint(0, round(120 * steps)),
            Qt.MouseButton.NoButton,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.view, event)
        QApplication.processEvents()

    def key(self, key, modifiers=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.view, key, modifiers)

    # The eye

    def grab(self):
        """What the canvas shows, (h, w, 3) uint8 RGB in device pixels."""
        QApplication.processEvents()
        return to_array(self.view.grab().toImage())

    def color_at(self, x, y, shown=None):
        """The shown colour over a picture point."""
        shown = self.grab() if shown is None else shown
        column, row = (int(value) for value in self.view.viewport.to_device(x, y))
        return tuple(int(channel) for channel in shown[row, column])

    def tinted(self, base, label="thing", *, selected=False, opacity=None):
        """`base` under the fill of a label."""
        opacity = self.session.options.overlay_opacity if opacity is None else opacity
        opacity += 0.12 if selected else 0.0
        color = self.session.color_of(label).getRgb()[:3]
        return tuple(b * (1 - opacity) + c * opacity for b, c in zip(base, color, strict=True))


class _Listener(QObject):
    def __init__(self, scene):
        super().__init__()
        self._scene = scene
        scene.session.message.connect(self._on_message)
        scene.session.failed.connect(self._on_failed)

    def _on_message(self, text):
        self._scene.messages.append(text)

    def _on_failed(self, failure):
        self._scene.failures.append(failure)


class RepaintWatch(QObject):
    """Collects which part of a widget is repainted."""

    def __init__(self, widget):
        super().__init__(widget)
        self._widget = widget
        self.region = QRegion()
        widget.installEventFilter(self)

    def eventFilter(self, watched, event):  # noqa: N802
        if watched is self._widget and event.type() == QEvent.Type.Paint:
            self.region = self.region.united(event.region())
        return False

    def stop(self):
        self._widget.removeEventFilter(self)


def repaint(view, screen, region):
    """Paint only `region` of a widget over an older picture of it, as the window system does."""
    if region.isEmpty():
        return
    painter = QPainter(screen)
    view.render(painter, region.boundingRect().topLeft(), region)
    painter.end()


def close_to(color, expected, tolerance=2):
    return all(abs(float(a) - float(b)) <= tolerance for a, b in zip(color, expected, strict=True))


@pytest.fixture
def scene(qtbot):
    made = Scene(qtbot)
    yield made
    assert made.failures == []
    made.view.close()
