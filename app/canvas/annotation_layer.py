"""The regions of the open document: keeps the label image and its colours in step, and draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.canvas.label_image import LabelImage, draw_labels
from app.canvas.overlay import Overlay
from app.canvas.shapes_layer import points_of
from app.canvas.soft_mask import DeviceMask, draw_outline, sample_mask
from converters.annotation import Box, Circle, Mask, OrientedBox, Polygon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PySide6.QtGui import QPainter

    from app.canvas.view import CanvasView
    from app.canvas.viewport import Region, Viewport
    from app.core.document import Change, Document
    from converters.annotation import Instance

SELECTED_EXTRA_OPACITY = 0.12
RECOLOR_TOOL = "recolor"
MARGIN = 24
"""Logical pixels around a region that its outline and handles may reach."""
STROKE_MARGIN = 6
SMOOTH_VERTICES = 2000
"""Antialiased lines cost about 2 ms for a thousand vertices; beyond this the label image outlines."""
SCATTERED = 64
"""From this many boxes on, one repaint of everything is cheaper than one for each."""


class AnnotationLayer(QObject):
    """Draws every visible region, and the outline of the selected ones.

    Attributes:
        labels: the label image of the open document, None without one.
        overlay: what turns it into colours.
        vector_outlined: ids of the shapes whose outline is drawn as a smooth line, by the shapes layer;
            none when there are so many that lines would cost more than a frame may.
    """

    def __init__(self, view: CanvasView) -> None:
        super().__init__(view)
        self._view = view
        self._session = view.session
        self._selected: frozenset[str] = frozenset()
        self._hidden: frozenset[str] = frozenset()
        self._tool = view.session.tool
        self._muted: str | None = None
        self._painting: str | None = None
        self._outlines: dict[str, tuple[Mask, Viewport, DeviceMask | None]] = {}
        self.labels: LabelImage | None = None
        self.vector_outlined: frozenset[str] = frozenset()
        self.overlay = Overlay()
        session = view.session
        session.document_opened.connect(self._on_document_opened)
        session.document_changed.connect(self._on_document_changed)
        session.hidden_changed.connect(self._on_hidden_changed)
        session.selection_changed.connect(self._on_selection_changed)
        session.options_changed.connect(self._on_option_changed)
        session.tool_changed.connect(self._on_tool_changed)
        session.colors_changed.connect(self._on_color_changed)
        self._on_document_opened(session.document)

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        self.overlay.outline_width = max(1, round(self._view.devicePixelRatioF()))
        self.overlay.paint(painter, viewport)
        for instance in self._session.selected_instances():
            concealed = instance.id in self._hidden or instance.id in (self._muted, self._painting)
            if isinstance(instance.geometry, Mask) and not concealed:
                self._paint_outline(painter, viewport, instance)

    def _paint_outline(self, painter: QPainter, viewport: Viewport, instance: Instance) -> None:
        mask = instance.geometry
        assert isinstance(mask, Mask)
        known = self._outlines.get(instance.id)
        if known is None or known[0] is not mask or known[1] != viewport:
            known = mask, viewport, sample_mask(mask.array, mask.box, viewport, margin=6)
            self._outlines[instance.id] = known
        if known[2] is not None:
            draw_outline(painter, known[2], width=max(1, round(1.5 * self._view.devicePixelRatioF())))

    def pick(self, x: float, y: float) -> str | None:
        """The topmost visible region at a picture point: one array read."""
        return self.labels.pick(x, y) if self.labels is not None else None

    def box_of(self, instance: Instance) -> Region | None:
        """The pixel box of a region; None for lines and points."""
        raster = self.labels.raster_of(instance) if self.labels is not None else None
        return raster.box if raster is not None else None

    def refresh(self, region: Region) -> None:
        """Draw a picture box anew from the document, dropping what a tool wrote into it."""
        document = self._session.document
        if self.labels is not None and document is not None:
            self._changed(self.labels.redraw(document.annotation.instances, region, self._hidden))

    def mute(self, instance_id: str | None) -> None:
        """Leave out one object while a tool shows its future shape; None shows all again."""
        if instance_id == self._muted:
            return
        toggled = self._find(i for i in (self._muted, instance_id) if i is not None)
        self._muted = instance_id
        self._color(toggled)
        self._invalidate(toggled)

    def begin_stroke(self, instance: Instance) -> None:
        """Get ready to show strokes on an object; it may be one the document does not have yet."""
        self._painting = instance.id
        self._color([instance])
        self._invalidate([instance])

    def write_stroke(self, instance_id: str, piece: Mask, *, erases: bool) -> None:
        """Show a piece of a stroke at once, before the document knows it.

        An erased pixel shows nothing until the stroke ends, even where another object lies below.
        """
        if self.labels is not None:
            slot = self.labels.slot_of(instance_id)
            self.labels.write(piece, 0 if erases else slot, only_over=slot if erases else None)
            self._changed(piece.box, STROKE_MARGIN)

    def end_stroke(self) -> None:
        """The stroke is over: the document's next change, or `refresh`, draws the truth."""
        self._painting = None

    def _changed(self, region: Region, margin: float = MARGIN) -> None:
        self.overlay.invalidate(region)
        self._view.update_image_box(region, round(margin * self._view.devicePixelRatioF()))

    def _on_document_opened(self, document: Document | None) -> None:
        self._muted = self._painting = None
        self._selected, self._hidden = frozenset(self._session.selection), self._session.hidden
        self._outlines.clear()
        ready = self._session.take_labels()
        self.labels = None
        if document is not None:
            self.labels = ready if ready is not None else draw_labels(document.annotation)
            self.vector_outlined = _outlined_as_lines(document.annotation.instances)
            self._color(document.annotation.instances)
        self.overlay.set_labels(self.labels)
        self._view.update()

    def _color(self, instances: Iterable[Instance]) -> None:
        """Write the instances' colours into the overlay's table."""
        if self.labels is None:
            return
        opacity = self._session.options.overlay_opacity
        recoloring = self._session.tool == RECOLOR_TOOL
        for instance in instances:
            slot = self.labels.slot_of(instance.id)
            if instance.id == self._muted:
                self.overlay.clear_color(slot)
                continue
            strong = SELECTED_EXTRA_OPACITY if instance.id in self._selected and opacity > 0 else 0.0
            # A tint over a recoloured object would falsify the very colour that was chosen.
            bare = recoloring or instance.recolor is not None
            fill = 0.0 if bare else min(1.0, opacity + strong)
            outlined = instance.id not in self.vector_outlined
            self.overlay.set_color(slot, self._session.color_of(instance.label), fill, outlined=outlined)

    def _on_document_changed(self, change: Change) -> None:
        document = self._session.document
        if document is None or self.labels is None:
            return
        for gone in change.removed:
            self.labels.release(gone)
            self._outlines.pop(gone, None)
        touched = set(change.added) | set(change.changed)
        outlined = _outlined_as_lines(document.annotation.instances)
        touched |= self.vector_outlined ^ outlined
        self.vector_outlined = outlined
        instances = [i for i in document.annotation.instances if i.id in touched]
        self._color(instances)
        if change.region is not None:
            self._changed(self.labels.redraw(document.annotation.instances, change.region, self._hidden))
        self._invalidate(instances)

    def _invalidate(self, instances: Iterable[Instance]) -> None:
        """Repaint where these show."""
        boxes = [box for box in (self.box_of(instance) for instance in instances) if box is not None]
        if len(boxes) > SCATTERED:
            self.overlay.invalidate()
            self._view.update()
            return
        for box in boxes:
            self._changed(box)

    def _find(self, ids: Iterable[str]) -> list[Instance]:
        document = self._session.document
        wanted = set(ids)
        if document is None or not wanted:
            return []
        return [instance for instance in document.annotation.instances if instance.id in wanted]

    def _on_hidden_changed(self, hidden: frozenset[str]) -> None:
        toggled = self._find(self._hidden ^ hidden)
        self._hidden = hidden
        document = self._session.document
        if self.labels is None or document is None:
            return
        boxes = [box for box in map(self.box_of, toggled) if box is not None]
        if len(boxes) > SCATTERED:
            boxes = [(0, 0, self.labels.width, self.labels.height)]
        for box in boxes:
            self._changed(self.labels.redraw(document.annotation.instances, box, hidden))

    def _on_selection_changed(self, selection: tuple[str, ...]) -> None:
        toggled = self._find(self._selected ^ frozenset(selection))
        self._selected = frozenset(selection)
        self._outlines = {i: known for i, known in self._outlines.items() if i in self._selected}
        self._color(toggled)
        self._invalidate(toggled)

    def _on_option_changed(self, name: str) -> None:
        if name == "overlay_opacity":
            self._color_all()

    def _on_tool_changed(self, name: str) -> None:
        if RECOLOR_TOOL in (name, self._tool):
            self._color_all()
        self._tool = name

    def _color_all(self) -> None:
        if self._session.document is not None:
            self._color(self._session.document.annotation.instances)
            self.overlay.invalidate()
            self._view.update()

    def _on_color_changed(self, label: str) -> None:
        document = self._session.document
        if document is not None:
            instances = [i for i in document.annotation.instances if i.label == label]
            self._color(instances)
            self._invalidate(instances)


def _outlined_as_lines(instances: Iterable[Instance]) -> frozenset[str]:
    """Ids of the vector regions, if there are few enough to draw their outlines as lines."""
    found, vertices = [], 0
    for instance in instances:
        if isinstance(instance.geometry, Polygon | Box | OrientedBox | Circle):
            found.append(instance.id)
            vertices += 32 if isinstance(instance.geometry, Circle) else len(points_of(instance.geometry))
    return frozenset(found) if vertices <= SMOOTH_VERTICES else frozenset()
