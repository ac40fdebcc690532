"""All panels around the canvas, in the order they are placed: one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from PySide6.QtCore import Qt

from app.appearance.i18n import phrase
from app.panels.candidates import CandidatesPanel
from app.panels.labels import LabelsPanel
from app.panels.objects import ObjectsPanel
from app.panels.pictures import PicturesPanel
from app.panels.properties import PropertiesPanel
from app.panels.similar import SimilarPanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QMenu, QWidget

    from app.canvas.candidate_layer import CandidateLayer
    from app.canvas.view import CanvasView
    from app.panels.picture_model import PictureModel
    from app.services.window_services import WindowServices
    from app.tools.pick import PickTool

Shown: TypeAlias = Literal["always", "for a folder", "to accept"]


@dataclass(frozen=True, slots=True)
class PanelParts:
    """What panels are made from.

    Attributes:
        object_menu: the menu of the selected objects.
        pick_tool: picks among similar objects on the canvas.
    """

    services: WindowServices
    canvas: CanvasView
    picture_model: PictureModel
    candidate_layer: CandidateLayer
    similar_layer: CandidateLayer
    pick_tool: PickTool
    object_menu: QMenu


@dataclass(frozen=True, slots=True)
class PanelContent:
    """A panel that has been made, and a small widget at the right end of its title."""

    widget: QWidget
    beside_title: QWidget | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A row of the table.

    Attributes:
        key: stable name; stored layouts use it.
        title: English text.
        make: makes the panel and connects it to the services; called again whenever words or colours change.
        area: where it is placed at first.
        height: of the panel at first, in logical pixels; the column shares its room in this proportion.
        squeezed: the same while something waits to be accepted; 0 gives its place up meanwhile.
        shown: "for a folder" only while several pictures are open, "to accept" only while what it shows
            waits to be accepted.
    """

    key: str
    title: str
    make: Callable[[PanelParts], PanelContent]
    area: Qt.DockWidgetArea = Qt.DockWidgetArea.RightDockWidgetArea
    height: int = 280
    squeezed: int = 150
    shown: Shown = "always"


def _pictures(parts: PanelParts) -> PanelContent:
    panel = PicturesPanel(parts.picture_model)
    panel.picture_chosen.connect(parts.services.pictures.open_picture)
    return PanelContent(panel)


def _labels(parts: PanelParts) -> PanelContent:
    services = parts.services
    panel = LabelsPanel(services.session, services.folder_labels, services.renaming)
    panel.label_added.connect(lambda _label: parts.canvas.setFocus())
    return PanelContent(panel)


def _objects(parts: PanelParts) -> PanelContent:
    panel = ObjectsPanel(parts.services.session)
    panel.table.menu_wanted.connect(parts.object_menu.popup)
    return PanelContent(panel, panel.count)


def _candidates(parts: PanelParts) -> PanelContent:
    services = parts.services
    panel = CandidatesPanel(services.session, parts.candidate_layer, closer=services.settings.look_closer)
    panel.closed.connect(services.segmentation.forget_found)
    panel.closer_wanted.connect(services.look_closer)
    return PanelContent(panel)


def _similar(parts: PanelParts) -> PanelContent:
    services, pick = parts.services, parts.pick_tool
    panel = SimilarPanel(services.session, services.similar, parts.similar_layer)
    panel.picture_wanted.connect(services.pictures.open_picture)
    pick.picked.connect(panel.toggle_at)
    pick.turned.connect(panel.turn)
    pick.accepted.connect(panel.accept)
    pick.dismissed.connect(panel.dismiss)
    return PanelContent(panel)


def _properties(parts: PanelParts) -> PanelContent:
    services = parts.services
    panel = PropertiesPanel(services.session)
    panel.view.model_chosen.connect(services.segmentation.choose_version)
    services.segmentation.models_listed.connect(panel.view.show_models)
    panel.view.show_models(services.segmentation.choices)
    return PanelContent(panel)


PANELS: Final[tuple[Panel, ...]] = (
    Panel(
        "pictures",
        phrase("Pictures"),
        _pictures,
        area=Qt.DockWidgetArea.LeftDockWidgetArea,
        shown="for a folder",
    ),
    Panel("labels", phrase("Labels"), _labels, height=136, squeezed=120),
    Panel("objects", phrase("Objects"), _objects, height=280, squeezed=150),
    Panel("candidates", phrase("Found objects"), _candidates, squeezed=450, shown="to accept"),
    Panel("similar", phrase("Similar objects"), _similar, squeezed=450, shown="to accept"),
    Panel("properties", phrase("Properties"), _properties, height=360, squeezed=0),
)
