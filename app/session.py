"""The window's state: one place that every panel, tool and the canvas read, change and follow."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from app.arrivals import Arrivals
from app.editing.limits import BRUSH_RADIUS, OVERLAY_OPACITY, SUPERPIXEL_SIZE
from app.project.labels import LabelList, steady_color
from app.project.project_file import ProjectFile
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.document.change import Change
    from app.document.document import Document
    from app.pixels.base_image import OpenImage
    from app.pixels.label_image import LabelImage
    from converters.annotation import ImageAnnotation, Instance, Seed


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """What the tools work with next.

    Attributes:
        tau: similarity threshold in (0, 1); None takes the one the model suggests for the seeds.
        level: which nested region a seed means, 0 the smallest; None the best predicted.
        brush_radius: in picture pixels.
        superpixel_size: how wide a superpixel is, in picture pixels.
        label: given to new objects.
        color: "#rrggbb" the recolour tool applies.
        recolor_settings: the recolouring engine's sliders by name; a missing one is at its default.
        overlay_opacity: of the fill over an object, in [0, 1].
    """

    tau: float | None = None
    level: int | None = None
    brush_radius: float = BRUSH_RADIUS.default
    superpixel_size: float = SUPERPIXEL_SIZE.default
    label: str = "object"
    color: str = "#c8442e"
    recolor_settings: FrozenMap[float] = field(default_factory=FrozenMap)
    overlay_opacity: float = OVERLAY_OPACITY.default


@dataclass(frozen=True, slots=True)
class SeedState:
    """What the seed tool is growing at the moment, for whoever shows sliders.

    Attributes:
        seeds: the clicks so far; empty when nothing is being grown.
        instance_id: the committed object being tuned again, None for a new one.
        tau: the threshold in force.
        suggested_tau: the model's own choice for these seeds.
        level: the level in force.
        level_scores: predicted IoU of every level, small to large.
    """

    seeds: tuple[Seed, ...] = ()
    instance_id: str | None = None
    tau: float | None = None
    suggested_tau: float | None = None
    level: int | None = None
    level_scores: tuple[float, ...] = ()


class Session(QObject):
    """The open picture, its encoding, the selection and the tool options.

    Attributes:
        arrivals: edits that are still being computed.

    Signals:
        leaving: the open picture is about to make way; what is being made in it has to be kept now.
        document_changed: a `Change`, after every edit, undo and redo of the open document.
        document_opened: the `Document`, or None when nothing is open any more.
        image_changed: the `OpenImage`, or None.
        selection_changed: the selected ids, the last one being the current object.
        encoding_changed: the encoding of the whole picture, or None while there is none.
        detail_changed: the encoding of a zoomed-in part, or None.
        options_changed: the name of a `ToolOptions` field.
        seed_state_changed: a `SeedState`.
        labels_changed: other labels are listed, or others of them are declared.
        label_kept: a label that the user added or gave a colour, for whoever writes it down.
        colors_changed: a label that is shown in another colour.
        recent_colors_changed: other colours are the ones recoloured with last.
        message: text for the status bar.
        failed: the `Failure` of a tool or of the canvas.
    """

    leaving = Signal()
    document_changed = Signal(object)
    document_opened = Signal(object)
    image_changed = Signal(object)
    selection_changed = Signal(tuple)
    encoding_changed = Signal(object)
    detail_changed = Signal(object)
    options_changed = Signal(str)
    tool_changed = Signal(str)
    label_changed = Signal(str)
    hidden_changed = Signal(frozenset)
    seed_state_changed = Signal(object)
    labels_changed = Signal()
    label_kept = Signal(str)
    colors_changed = Signal(str)
    recent_colors_changed = Signal()
    message = Signal(str)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.arrivals = Arrivals(self)
        self._settle: Callable[[str], bool] = lambda _next_tool: True
        self._document: Document | None = None
        self._image: OpenImage | None = None
        self._labels: LabelImage | None = None
        self._encoding: Any = None
        self._detail: Any = None
        self._selection: tuple[str, ...] = ()
        self._hidden: frozenset[str] = frozenset()
        self._tool = "seed"
        self._options = ToolOptions()
        self._seed_state = SeedState()
        self._project = ProjectFile()
        self._offered = LabelList()
        self._known_labels = LabelList()
        self._chosen_colors: dict[str, str] = {}
        self._picked_colors: dict[str, str] = {}
        self._recent_colors: tuple[str, ...] = ()
        self._unsubscribe: Callable[[], None] | None = None
        self._index: tuple[ImageAnnotation | None, dict[str, Instance]] = (None, {})
        self._selected: tuple[ImageAnnotation | None, tuple[str, ...], tuple[Instance, ...]] = (None, (), ())

    @property
    def document(self) -> Document | None:
        return self._document

    @property
    def image(self) -> OpenImage | None:
        return self._image

    @property
    def encoding(self) -> Any:
        """The encoding of the whole picture, None while it is being made."""
        return self._encoding

    @property
    def detail(self) -> Any:
        """The encoding of the part last looked at closely, or None."""
        return self._detail

    @property
    def selection(self) -> tuple[str, ...]:
        return self._selection

    @property
    def hidden(self) -> frozenset[str]:
        return self._hidden

    @property
    def tool(self) -> str:
        return self._tool

    @property
    def options(self) -> ToolOptions:
        return self._options

    @property
    def seed_state(self) -> SeedState:
        return self._seed_state

    def open_document(
        self, document: Document | None, image: OpenImage | None, labels: LabelImage | None = None
    ) -> None:
        """Show another picture; None, None closes.

        Args:
            labels: the document's label image if the loader has drawn it already
                (`app.pixels.label_image.draw_labels`); without it the canvas draws it now.
        """
        self.leaving.emit()
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._document, self._image, self._labels = document, image, labels
        self._unsubscribe = document.subscribe(self._forward) if document is not None else None
        self.set_encoding(None)
        self.set_seed_state(SeedState())
        self.select(())
        self.set_hidden(())
        self.image_changed.emit(image)
        self.document_opened.emit(document)

    def take_labels(self) -> LabelImage | None:
        """Hand the label image given to `open_document` to the canvas, once."""
        labels, self._labels = self._labels, None
        return labels

    def _forward(self, change: Change) -> None:
        if change.removed:
            gone = set(change.removed)
            self.select(i for i in self._selection if i not in gone)
            self.set_hidden(i for i in self._hidden if i not in gone)
        self.document_changed.emit(change)

    def select(self, ids: Iterable[str]) -> None:
        """Make these the selected objects; the last one is the current one."""
        wanted = tuple(dict.fromkeys(ids))
        if wanted != self._selection:
            self._selection = wanted
            self.selection_changed.emit(wanted)

    def instance(self, instance_id: str) -> Instance | None:
        """The open document's object with that id."""
        return self._by_id().get(instance_id)

    def instances(self, ids: Iterable[str]) -> tuple[Instance, ...]:
        """The open document's objects with these ids, in the order asked for."""
        known = self._by_id()
        return tuple(known[i] for i in ids if i in known)

    def selected_instances(self) -> tuple[Instance, ...]:
        """The selected objects, in the order they were selected."""
        annotation = self._document.annotation if self._document is not None else None
        if self._selected[0] is not annotation or self._selected[1] is not self._selection:
            self._selected = annotation, self._selection, self.instances(self._selection)
        return self._selected[2]

    def _by_id(self) -> dict[str, Instance]:
        """Every object by its id; made anew once after each change."""
        annotation = self._document.annotation if self._document is not None else None
        if self._index[0] is not annotation:
            instances = annotation.instances if annotation is not None else ()
            self._index = annotation, {instance.id: instance for instance in instances}
        return self._index[1]

    def set_hidden(self, ids: Iterable[str]) -> None:
        """Hide exactly these objects on the canvas."""
        wanted = frozenset(ids)
        if wanted != self._hidden:
            self._hidden = wanted
            self.hidden_changed.emit(wanted)

    def set_encoding(self, encoding: Any) -> None:
        """The encoding of the whole open picture; any encoded part is forgotten."""
        self.set_detail(None)
        if encoding is not self._encoding:
            self._encoding = encoding
            self.encoding_changed.emit(encoding)

    def set_detail(self, encoding: Any) -> None:
        """The encoding of a part of the picture, made at full resolution after zooming in."""
        if encoding is not self._detail:
            self._detail = encoding
            self.detail_changed.emit(encoding)

    def encoding_for(self, seeds: Iterable[Seed]) -> Any:
        """The sharpest encoding that covers every seed, or None."""
        points = tuple(seeds)
        if self._detail is not None:
            x0, y0, x1, y1 = self._detail.region
            if points and all(x0 <= p.x < x1 and y0 <= p.y < y1 for p in points):
                return self._detail
        return self._encoding

    def set_option(self, name: str, value: Any) -> None:
        """Change one field of `ToolOptions`.

        Raises:
            ValueError: there is no such field.
        """
        if name not in {known.name for known in fields(ToolOptions)}:
            raise ValueError(f"there is no tool option {name!r}")
        if getattr(self._options, name) == value:
            return
        self._options = replace(self._options, **{name: value})
        self.options_changed.emit(name)
        if name == "label":
            self.label_changed.emit(value)

    def set_tool(self, name: str) -> None:
        if name != self._tool:
            if self.settle(name):
                self._tool = name
            self.tool_changed.emit(self._tool)

    def settle_by(self, settle: Callable[[str], bool]) -> None:
        """Whoever brings to an end what is being made; `settle` says what it is asked and answers."""
        self._settle = settle

    def settle(self, next_tool: str = "") -> bool:
        """Brings what is being made to an end; asked before anything begins that would drop it.

        Args:
            next_tool: the tool about to be chosen, if that is what begins.

        Returns:
            False if the user wants to go on with it: then nothing may begin.
        """
        return self._settle(next_tool)

    def step_level(self, steps: int) -> None:
        """Choose a larger or smaller level for the seeds, as the level buttons do."""
        count, chosen = len(self._seed_state.level_scores), self._options.level
        level = self._seed_state.level if chosen is None else chosen
        if count and level is not None:
            self.set_option("level", min(max(level + steps, 0), count - 1))

    def set_seed_state(self, state: SeedState) -> None:
        if state != self._seed_state:
            self._seed_state = state
            self.seed_state_changed.emit(state)

    @property
    def recent_colors(self) -> tuple[str, ...]:
        """The colours recoloured with last, "#rrggbb", newest first."""
        return self._recent_colors

    def set_recent_colors(self, colors: tuple[str, ...]) -> None:
        if colors != self._recent_colors:
            self._recent_colors = colors
            self.recent_colors_changed.emit()

    # Labels

    @property
    def project(self) -> ProjectFile:
        """What the open folder says about itself."""
        return self._project

    @property
    def labels(self) -> LabelList:
        """The folder's labels, then others that were used before, undeclared."""
        return self._known_labels

    def open_project(self, project: ProjectFile) -> None:
        """The labels and colours of another folder."""
        self._project = project
        self.refresh_labels()

    def offer_labels(self, offered: LabelList) -> None:
        """What every folder may use besides its own labels, with colours for those it has chosen none for."""
        self._offered = offered
        self.refresh_labels()

    def refresh_labels(self) -> None:
        """Takes over the project's labels; they may have been changed in its file."""
        labels = self._project.labels.over(self._offered)
        if labels == self._known_labels:
            return
        before = {name: self.color_of(name) for name in (*self._picked_colors, *self._chosen_colors)}
        self._known_labels, self._chosen_colors = labels, labels.colors
        for name, shade in before.items():
            if self.color_of(name) != shade:
                self.colors_changed.emit(name)
        self.labels_changed.emit()

    def add_label(self, name: str) -> None:
        """Declares a label of the open folder, in the colour in which it is shown.

        Pictures without a folder in common declare none; there it is one more label to choose from.
        """
        labels, shade = self._project.labels, self.color_of(name).name()
        declares = self._project.folder is not None
        self._project.change_labels(
            labels.declaring(name, shade) if declares else labels.with_color(name, shade)
        )
        self._keep_label(name)

    def rename_label(self, label: str, name: str) -> None:
        """Gives a label of the open folder another name; one that it does not declare is only remembered."""
        self._project.change_labels(self._project.labels.renamed(label, name))
        self._keep_label(name)

    def set_label_color(self, label: str, color: str) -> None:
        """Choose a label's colour, "#rrggbb"."""
        if self._project.labels.color_of(label) != color:
            self._project.change_labels(self._project.labels.with_color(label, color))
            self._keep_label(label)

    def _keep_label(self, name: str) -> None:
        self.refresh_labels()
        self.label_kept.emit(name)

    def color_of(self, label: str) -> QColor:
        """The label's colour: the chosen one, else a steady pick by name, apart from others if it can."""
        chosen = self._chosen_colors.get(label) or self._picked_colors.get(label)
        if chosen is None:
            taken = (*self._chosen_colors.values(), *self._picked_colors.values())
            chosen = self._picked_colors[label] = steady_color(label, taken)
        return QColor(chosen)
