"""The superpixels of what is looked at: computed off the GUI thread, kept, and drawn as a faint net."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PySide6.QtCore import QObject, QPoint, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QImage

from app.appearance.i18n import tr
from app.canvas.overlay import premultiplied, take_grid
from app.editing.superpixels import (
    Superpixels,
    compute_superpixels,
    region_to_divide,
    serves,
)
from app.workers.task import OnEvent, TaskRunner

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PySide6.QtGui import QPainter

    from app.canvas.surface import Surface
    from app.pixels.base_image import OpenImage
    from app.pixels.viewport import Region, Viewport
    from app.process.stopping import ShouldStop
    from app.workers.failure import Failure

REST_MS: Final = 150
"""The view and the size must rest so long before superpixels are computed for them."""
KEPT_BYTES: Final = 64 * 2**20
SMALLEST_ON_SCREEN: Final = 5.0
"""Logical pixels: a net of narrower meshes would cover the picture."""
LINE: Final = premultiplied(QColor(255, 255, 255), 0.5)
HALO: Final = premultiplied(QColor(0, 0, 0), 0.18)


@dataclass(frozen=True, slots=True)
class Divide:
    """Compute the superpixels of a part of a picture."""

    image: OpenImage
    size: float
    region: Region


def divide(request: Divide, should_stop: ShouldStop, _on_event: OnEvent) -> Superpixels:
    """The superpixels asked for."""
    return compute_superpixels(request.image.array, request.size, request.region, should_stop)


class SuperpixelLayer(QObject):
    """While it is on, keeps superpixels for the visible part of the picture and draws their borders.

    Signals:
        changed: other superpixels are the current ones, or none are.
        busy_changed: what is being worked on, or None.
    """

    changed = Signal()
    busy_changed = Signal(object)

    def __init__(self, view: Surface) -> None:
        super().__init__(view.widget)
        self._view = view
        self._session = view.session
        self._is_on = False
        self._current: Superpixels | None = None
        self._known: OrderedDict[tuple[float, Region], Superpixels] = OrderedDict()
        self._asked: Divide | None = None
        self._net: tuple[Viewport, Superpixels, NDArray[np.uint32], QPoint] | None = None
        self._runner = TaskRunner(divide, name="superpixels", parent=self)
        self._runner.finished.connect(self._on_finished)
        self._runner.dropped.connect(self._keep_late)
        self._runner.failed.connect(self._on_failed)
        self._runner.ended.connect(self._on_ended)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._follow)
        self._session.image_changed.connect(self._on_image_changed)
        self._session.options_changed.connect(self._on_option_changed)
        view.viewport_changed.connect(self._on_viewport_changed)

    @property
    def current(self) -> Superpixels | None:
        """The superpixels that show; None while none have been computed."""
        return self._current if self._is_on else None

    @property
    def is_busy(self) -> bool:
        """Whether superpixels that are wanted are being computed."""
        return self._asked is not None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being computed or about to be."""
        return not self.is_busy and not self._rest.isActive()

    def set_on(self, on: bool) -> None:
        """Compute and show superpixels from now on, or no longer."""
        if on == self._is_on:
            return
        self._is_on = on
        self._net = None
        if on:
            self._follow()
        else:
            self._rest.stop()
            self._forget_question()
        self.changed.emit()
        self._view.update()

    def find(self, region: Region) -> Superpixels | None:
        """Superpixels known already that suit a part of the picture, those that show first."""
        image, size = self._session.image, self._session.options.superpixel_size
        if image is None:
            return None
        candidates = [*([self._current] if self._current is not None else []), *self._known.values()]
        suitable = (s for s in candidates if serves(s, region, image.height, image.width, size))
        return next(suitable, None)

    def suitable(self, region: Region) -> Superpixels | None:
        """Superpixels known already to change a part of the picture by: what shows counts, however sharp
        it is."""
        shown, size = self.current, self._session.options.superpixel_size
        seen = shown is not None and shown.size == size and shown.covers(region)
        return shown if seen else self.find(region)

    def keep(self, superpixels: Superpixels) -> None:
        """Remember superpixels of the open picture that were computed elsewhere."""
        key = superpixels.size, superpixels.region
        self._known[key] = superpixels
        self._known.move_to_end(key)
        while len(self._known) > 1 and sum(s.nbytes for s in self._known.values()) > KEPT_BYTES:
            self._known.popitem(last=False)

    def shutdown(self) -> None:
        """Stop the background work."""
        self._rest.stop()
        self._runner.shutdown()

    @Slot(object)
    def _on_image_changed(self, _: object) -> None:
        self._known.clear()
        self._forget_question()
        self._show(None)
        if self._is_on:
            self._rest.start()  # the view does not know the new picture yet

    @Slot(str)
    def _on_option_changed(self, name: str) -> None:
        if name == "superpixel_size" and self._is_on:
            self._rest.start()

    @Slot()
    def _on_viewport_changed(self) -> None:
        if self._is_on:
            self._rest.start()

    @Slot()
    def _follow(self) -> None:
        """Show superpixels that suit the view and the size; have them computed if none are known."""
        image, size = self._session.image, self._session.options.superpixel_size
        if image is None:
            return
        shown = self._view.visible_region()
        found = self.find(shown)
        if found is not None:
            self._forget_question()
            self._show(found)
            return
        question = Divide(image, size, region_to_divide(shown, image.height, image.width, size))
        if question == self._asked:
            return
        self._asked = question
        self._runner.submit(question)
        self.busy_changed.emit(tr("Computing superpixels…"))

    def _forget_question(self) -> None:
        if self._asked is not None:
            self._runner.cancel()
            self._asked = None
            self.busy_changed.emit(None)

    @Slot(object, object)
    def _on_finished(self, question: Divide, result: Superpixels) -> None:
        self._keep_late(question, result)
        if question == self._asked:
            self._show(result)

    @Slot(object, object)
    def _keep_late(self, question: Divide, result: Superpixels) -> None:
        """What nobody waits for any more may be looked at again."""
        if question.image is self._session.image:
            self.keep(result)

    @Slot(object, object)
    def _on_failed(self, question: Divide, failure: Failure) -> None:
        if question == self._asked:
            self._session.failed.emit(failure)

    @Slot(object)
    def _on_ended(self, question: Divide) -> None:
        if question is self._asked:
            self._asked = None
            self.busy_changed.emit(None)

    def _show(self, superpixels: Superpixels | None) -> None:
        if superpixels is not self._current:
            self._current = superpixels
            self._net = None
            self.changed.emit()
            self._view.update()

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        superpixels, ratio = self.current, self._view.devicePixelRatioF()
        if superpixels is None or superpixels.size * viewport.scale < SMALLEST_ON_SCREEN * ratio:
            return
        if self._net is None or self._net[0] != viewport or self._net[1] is not superpixels:
            pixels, corner = draw_net(superpixels, viewport, round(ratio))
            self._net = viewport, superpixels, pixels, corner
        _, _, pixels, corner = self._net
        height, width = pixels.shape
        if pixels.size:
            shade = QImage.Format.Format_ARGB32_Premultiplied
            painter.drawImage(corner, QImage(pixels.data, width, height, 4 * width, shade))


def draw_net(superpixels: Superpixels, viewport: Viewport, width: int) -> tuple[NDArray[np.uint32], QPoint]:
    """The borders between superpixels on the screen: premultiplied ARGB, and its top left device pixel.

    Args:
        width: of the line, in device pixels.
    """
    left, top, right, bottom = viewport.device_box(superpixels.region)
    x0, y0, x1, y1 = superpixels.region
    rows = (viewport.rows(top, bottom) - y0).clip(0, y1 - y0 - 1)
    columns = (viewport.columns(left, right) - x0).clip(0, x1 - x0 - 1)
    shown = take_grid(superpixels.labels, rows, columns)
    line = np.zeros(shown.shape, np.uint8)
    line[:, 1:] = shown[:, 1:] != shown[:, :-1]
    line[1:] |= shown[1:] != shown[:-1]
    if not line.size:
        return np.zeros((0, 0), np.uint32), QPoint(left, top)
    if width > 1:
        line = np.asarray(cv2.dilate(line, np.ones((width, width), np.uint8)))
    halo = np.asarray(cv2.dilate(line, np.ones((3, 3), np.uint8)), np.uint8)
    return np.array([0, HALO, LINE], np.uint32).take(line + halo), QPoint(left, top)
