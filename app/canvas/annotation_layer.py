"""The regions of the open document: keeps the label image and its colours in step, and draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.canvas.markers import WHITE
from app.canvas.overlay import OUTLINE_OPACITY, Overlay, premultiplied
from app.canvas.soft_mask import DeviceMask, draw_outline, sample_mask
from app.pixels.label_image import LabelImage, draw_labels
from converters.annotation import Mask
from converters.shapes.kinds import kind_of, outline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PySide6.QtGui import QPainter

    from app.canvas.surface import Surface
    from app.document.change import Change
    from app.document.document import Document
    from app.pixels.viewport import Region, Viewport
    from converters.annotation import Geometry, Instance

SELECTED_EXTRA_OPACITY = 0.12
RECOLOR_TOOL = "recolor"
MARGIN = 24
"""Logical pixels around a region that its outline and handles may reach."""
STROKE_MARGIN = 6
SMOOTH_VERTICES = 2000
"""Antialiased lines cost about 2 ms for a thousand vertices; beyond this the label image outlines."""
SCATTERED = 64
"""From this many boxes on, one repaint of everything is cheaper than one for each."""
OUTLINED_SINGLY = 16
"""Up to so many selected masks are outlined one by one, which is finer; the label image outlines more."""


class AnnotationLayer(QObject):
    """Draws every visible region, and the outline of the selected ones.

    Attributes:
        labels: the label image of the open document, None without one.
        overlay: what turns it into colours.
        vector_outlined: ids of the shapes whose outline is drawn as a smooth line, by the shapes layer;
            none when there are so many that lines would cost more than a frame may.
    """

    def __init__(self, view: Surface) -> None:
        super().__init__(view.widget)
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
        self._vertices: dict[str, int] = {}
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
        if self._many_selected:
            return
        for instance in self._session.selected_instances():
            concealed = instance.id in self._hidden or instance.id in (self._muted, self._painting)
            if isinstance(instance.geometry, Mask) and not concealed:
                self._paint_outline(painter, viewport, instance)

    @property
    def _many_selected(self) -> bool:
        return len(self._selected) > OUTLINED_SINGLY

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
        toggled = self._session.instances(i for i in (self._muted, instance_id) if i is not None)
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
            self._vertices.clear()
            self._count_vertices(document.annotation.instances)
            self._color(document.annotation.instances)
        self.overlay.set_labels(self.labels)
        self._view.update()

    def _color(self, instances: Iterable[Instance]) -> None:
        """Write the instances' colours into the overlay's table."""
        if self.labels is None:
            return
        opacity = self._session.options.overlay_opacity
        strong = min(1.0, opacity + SELECTED_EXTRA_OPACITY) if opacity > 0 else 0.0
        recoloring, many = self._session.tool == RECOLOR_TOOL, self._many_selected
        white = premultiplied(WHITE, OUTLINE_OPACITY)
        mixed: dict[tuple[str, float], tuple[int, int]] = {}  # a thousand objects share a few colours
        slots, fills, outlines = [], [], []
        for instance in instances:
            slot = self.labels.slot_of(instance.id)
            selected = instance.id in self._selected
            # A tint over a recoloured object would falsify the very colour that was chosen.
            bare = recoloring or instance.recolor is not None
            weight = 0.0 if bare else strong if selected else opacity
            if (instance.label, weight) not in mixed:
                color = self._session.color_of(instance.label)
                mixed[instance.label, weight] = (
                    premultiplied(color, weight),
                    premultiplied(color, OUTLINE_OPACITY),
                )
            fill, outline = mixed[instance.label, weight]
            if instance.id == self._muted:
                fill = outline = 0
            elif instance.id in self.vector_outlined:
                outline = fill
            elif selected and many:
                outline = white
            slots.append(slot)
            fills.append(fill)
            outlines.append(outline)
        self.overlay.set_colors(slots, fills, outlines)

    def _on_document_changed(self, change: Change) -> None:
        document = self._session.document
        if document is None or self.labels is None:
            return
        for gone in change.removed:
            self.labels.release(gone)
            self._outlines.pop(gone, None)
        before = self.vector_outlined
        for gone in change.removed:
            self._vertices.pop(gone, None)
        self._count_vertices(self._session.instances((*change.added, *change.changed)))
        touched = {*change.added, *change.changed, *(before ^ self.vector_outlined)}
        instances = self._session.instances(touched)
        self._color(instances)
        if change.region is not None:
            self._changed(self.labels.redraw(document.annotation.instances, change.region, self._hidden))
        self._invalidate(instances)

    def _invalidate(self, instances: Sequence[Instance]) -> None:
        """Repaint where these show."""
        if len(instances) > SCATTERED:
            self.overlay.invalidate_colors()
            self._view.update()
            return
        for instance in instances:
            box = self.box_of(instance)
            if box is not None:
                self._changed(box)

    def _count_vertices(self, instances: Iterable[Instance]) -> None:
        """Notes how long the instances' outlines are, and whether all of them can be drawn as lines."""
        for instance in instances:
            self._vertices.pop(instance.id, None)
            if kind_of(instance.geometry).drawn == "closed":
                self._vertices[instance.id] = _vertex_count(instance.geometry)
        few = sum(self._vertices.values()) <= SMOOTH_VERTICES
        outlined = frozenset(self._vertices) if few else frozenset()
        if outlined != self.vector_outlined:
            self.vector_outlined = outlined

    def _on_hidden_changed(self, hidden: frozenset[str]) -> None:
        toggled = self._session.instances(self._hidden ^ hidden)
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
        before, many = self._selected, self._many_selected
        self._selected = frozenset(selection)
        restyled = many != self._many_selected
        toggled = self._session.instances(before | self._selected if restyled else before ^ self._selected)
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
            self.overlay.invalidate_colors()
            self._view.update()

    def _on_color_changed(self, label: str) -> None:
        document = self._session.document
        if document is not None:
            instances = [i for i in document.annotation.instances if i.label == label]
            self._color(instances)
            self._invalidate(instances)


def _vertex_count(geometry: Geometry) -> int:
    """What drawing a vector region's outline as a line costs."""
    kind = kind_of(geometry)
    return 32 if kind.ellipse is not None else len(outline(geometry))
