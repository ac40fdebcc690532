"""The main window: puts canvas, panels, menus and services together. No work is done here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QByteArray, QCoreApplication, QEvent, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QToolButton, QWidget

from app.actions import build_actions, effective_keys, key_of
from app.appearance.i18n import set_language, tr
from app.appearance.qt_translation import translate_qt
from app.appearance.theme import CHOICES, ThemeManager
from app.canvas.candidate_layer import CandidateLayer
from app.canvas.view import CanvasView
from app.panels.candidates import CandidatesPanel
from app.panels.docks import DOCKS, make_dock
from app.panels.labels import LabelsPanel
from app.panels.objects import ObjectsPanel
from app.panels.picture_model import PictureModel
from app.panels.pictures import PicturesPanel
from app.panels.properties import PropertiesPanel
from app.panels.similar import SimilarPanel
from app.panels.start_page import StartPage
from app.panels.status_bar import StatusBar
from app.panels.toast import Toast
from app.panels.tool_bar import ToolBar
from app.services.snapping import Snapping
from app.tools.pick import PickTool
from app.tools.registry import TOOLS, ToolBox
from app.window.dialog_commands import WindowDialogs
from app.window.enabling import Enabling
from app.window.menus import LANGUAGE_CHOICES, add_choice_menu, context_actions, fill_menu_bar, make_top_bar
from app.window.view_commands import ViewCommands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QPaintEvent

    from app.services.similar import SimilarObjects
    from app.services.window_services import WindowServices

MINIMUM_SIZE: Final = (960, 600)
LAYOUT_VERSION: Final = 1
FIRST_SIZE: Final = (1280, 800)
FRAME: Final = QSize(8, 48)
"""About what a window manager draws around a window."""
LEFT_WIDTH: Final = 216
RIGHT_WIDTH: Final = 304
PEEK_MS: Final = 1500
WAITING: Final = ("candidates", "similar")
"""Docks that show only while something waits for acceptance."""


def first_size(available: QSize) -> QSize:
    """How large the window begins on a screen with so much room: so that its frame fits too."""
    return QSize(*FIRST_SIZE).boundedTo(available - FRAME)


class MainWindow(QMainWindow):
    """The window of the program.

    Attributes:
        services: session, settings and the services with their worker threads.
        canvas: the picture.
        actions_by_id: every command's QAction.
    """

    def __init__(self, services: WindowServices, theme: ThemeManager) -> None:
        super().__init__()
        self.services = services
        self.theme = theme
        self.setWindowTitle("SeedHue")
        self.setMinimumSize(*MINIMUM_SIZE)
        self.setAcceptDrops(True)
        self.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.canvas = CanvasView(services.session)
        self.tool_box = ToolBox(services.session, self.canvas)
        self.picture_model = PictureModel(self)
        services.pictures.listed.connect(self.picture_model.show)
        services.pictures.state_changed.connect(self.picture_model.set_state)
        services.pictures.shown_changed.connect(self.picture_model.set_current)
        self.candidate_layer = CandidateLayer(self.canvas)
        self.similar_layer = CandidateLayer(self.canvas)
        self.pick_tool = PickTool(services.session, self.canvas)
        self.centre = QStackedWidget()
        self.centre.addWidget(self.canvas)
        self.setCentralWidget(self.centre)
        self.view_commands = ViewCommands(services.session, self.canvas, self)
        self.snapping = Snapping(services.session, self.canvas, services.objects, self)
        self.dialogs = WindowDialogs(services, self, self.canvas.center_on)
        self.actions_by_id: dict[str, QAction] = {}
        self._chrome: list[QWidget] = []
        self._painted = False
        self._hidden_for_candidates = False
        self._build_chrome()
        self._connect_services()
        self._restore_layout()
        theme.changed.connect(self.rebuild)
        self._show_document()

    # The parts that know words and colours are made anew when either changes

    def _build_chrome(self) -> None:
        services, session = self.services, self.services.session
        keys = effective_keys(services.settings.shortcuts)
        self.actions_by_id = build_actions(self, keys)
        self.actions_by_id["include_subfolders"].setChecked(services.settings.include_subfolders)
        self._hold_key = key_of((*keys["show_original"], "")[0])
        for action in self.actions_by_id.values():
            self.addAction(action)
        self.menus = fill_menu_bar(self.menuBar(), self.actions_by_id)
        self.recent_menu = QMenu(tr("Recent"), self)
        self.menus["file"].insertMenu(self.actions_by_id["open_sample"], self.recent_menu)
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self._add_choices()
        self.object_menu = QMenu(self)
        context_actions(self.actions_by_id, self.object_menu)
        self.top_bar = make_top_bar(self.actions_by_id, self)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.top_bar)
        self.tool_bar = ToolBar(
            session, {kind.name: self.actions_by_id[f"tool_{kind.name}"] for kind in TOOLS}
        )
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self.tool_bar)
        self.status = StatusBar(services.notices)
        self.setStatusBar(self.status)
        self.start_page = StartPage(self.actions_by_id)
        self.start_page.show_recent(self.recent_paths())
        self.centre.addWidget(self.start_page)
        self.toast = Toast(self.centre)
        self._build_panels()
        self.enabling = Enabling(services, self.actions_by_id, self)
        self._chrome = [self.top_bar, self.tool_bar, self.start_page, self.toast, self.object_menu]
        self._chrome += [self.recent_menu, *self.docks.values()]
        self._connect_actions()
        self._connect_chrome()

    def _build_panels(self) -> None:
        services, session = self.services, self.services.session
        self.pictures = PicturesPanel(self.picture_model)
        self.labels = LabelsPanel(session)
        self.objects = ObjectsPanel(session)
        self.candidates = CandidatesPanel(session, self.candidate_layer, closer=services.settings.look_closer)
        self.similar = SimilarPanel(session, services.similar, self.similar_layer)
        self.properties = PropertiesPanel(session)
        contents: dict[str, tuple[QWidget, QWidget | None]] = {
            "pictures": (self.pictures, None),
            "labels": (self.labels, None),
            "objects": (self.objects, self.objects.count),
            "candidates": (self.candidates, None),
            "similar": (self.similar, None),
            "properties": (self.properties, None),
        }
        self.docks = {key: make_dock(key, *contents[key], self) for key in DOCKS}
        for key in WAITING:
            self.docks[key].hide()
        panels = self.menus["view"].addMenu(tr("Panels"))
        for key, dock in self.docks.items():
            if key not in WAITING:
                panels.addAction(dock.toggleViewAction())

    def _add_choices(self) -> None:
        settings = self.services.settings
        view = self.menus["view"]
        view.addSeparator()
        _menu, themes = add_choice_menu(view, tr("Theme"), CHOICES, settings.theme)
        themes.triggered.connect(self._choose_theme)
        _menu, languages = add_choice_menu(view, tr("Language"), LANGUAGE_CHOICES, settings.language)
        languages.triggered.connect(self._choose_language)

    def _connect_actions(self) -> None:
        """Every command triggers the method of its name on the first handler that has it."""
        services = (self.view_commands, self.snapping, self.services.objects)
        handlers: tuple[Any, ...] = (*services, self.dialogs, self.services, self)
        for name, action in self.actions_by_id.items():
            if not name.startswith("tool_"):
                handler = next(h for h in handlers if hasattr(h, name))
                action.triggered.connect(getattr(handler, name))

    def _connect_chrome(self) -> None:
        """Connections of what a rebuild makes anew; Qt cuts them when the widgets go."""
        services, session = self.services, self.services.session
        self.canvas.cursor_moved.connect(self.status.show_position)
        self.canvas.zoom_changed.connect(self.status.show_zoom)
        session.message.connect(self.status.show_text)
        services.busy.changed.connect(self.status.show_busy)
        self.status.show_busy(services.busy.text)
        services.saving.state_changed.connect(self.status.show_saved)
        self.status.notices_wanted.connect(self.dialogs.notifications)
        self.toast.details_wanted.connect(self.dialogs.notifications)
        services.notices.posted.connect(self.toast.show_notice)
        self.start_page.recent_chosen.connect(services.pictures.open_path)
        self.pictures.picture_chosen.connect(services.pictures.open_picture)
        self.labels.label_added.connect(self._work_on)
        self.objects.table.menu_wanted.connect(self.object_menu.popup)
        self.tool_box.select.menu_wanted.connect(self.object_menu.popup)
        self.candidates.closed.connect(self._end_acceptance)
        self.candidates.closed.connect(services.segmentation.forget_found)
        self.candidates.closer_wanted.connect(services.look_closer)
        self.similar.closed.connect(self._end_similar)
        self.similar.picture_wanted.connect(services.pictures.open_picture)
        self.pick_tool.picked.connect(self.similar.toggle_at)
        self.pick_tool.turned.connect(self.similar.turn)
        self.pick_tool.accepted.connect(self.similar.accept)
        self.pick_tool.dismissed.connect(self.similar.dismiss)
        self.properties.view.model_chosen.connect(services.segmentation.choose_version)
        services.segmentation.models_listed.connect(self.properties.view.show_models)
        (compare,) = self.top_bar.findChildren(QToolButton, "show_original")
        compare.pressed.connect(self._press_compare)
        compare.released.connect(self._release_compare)
        self.properties.view.show_models(services.segmentation.choices)
        self.status.show_zoom(self.canvas.zoom)
        self.status.show_saved(services.saving.state)

    def _connect_services(self) -> None:
        """Connections that last as long as the window."""
        services, session = self.services, self.services.session
        session.document_opened.connect(self._show_document)
        session.tool_changed.connect(self._show_hint)
        services.pictures.list_changed.connect(self._show_list)
        services.segmentation.objects_found.connect(self._show_candidates)
        services.segmentation.looked_closer.connect(self._show_closer)
        services.similar.found.connect(self._show_similar)
        services.segmentation.busy_changed.connect(self.canvas.set_busy)
        for service in (self.canvas.superpixels, self.snapping):
            services.busy.follow(service)
        services.keys_changed.connect(self.rebuild)
        self.canvas.viewport_changed.connect(services.segmentation.follow_view)

    @Slot()
    def rebuild(self) -> None:
        """Makes everything anew that carries words, icons or keys; canvas and work stay."""
        self.candidates.dismiss()
        self.similar.dismiss()
        layout = self.saveState(LAYOUT_VERSION)
        for dock in self.docks.values():
            self.removeDockWidget(dock)
        for bar in (self.top_bar, self.tool_bar):
            self.removeToolBar(bar)
        for action in self.actions_by_id.values():
            self.removeAction(action)
            action.deleteLater()
        self.dialogs.close_all()
        for widget in self._chrome:
            widget.deleteLater()
        self.enabling.deleteLater()
        self._build_chrome()
        self.restoreState(layout, LAYOUT_VERSION)
        self._show_list()
        self._show_document()

    @Slot(QAction)
    def _choose_theme(self, action: QAction) -> None:
        self.services.change_settings(theme=str(action.data()))
        self.theme.apply(str(action.data()))

    @Slot(QAction)
    def _choose_language(self, action: QAction) -> None:
        self.services.change_settings(language=str(action.data()))
        set_language(str(action.data()))
        application = QCoreApplication.instance()
        if application is not None:
            translate_qt(application)
        self.theme.apply(self.theme.choice)  # another font, and everything is made anew

    # What is shown

    @Slot()
    def _show_document(self) -> None:
        image, document = self.services.session.image, self.services.session.document
        nothing = image is None and not self.services.pictures.paths
        self.centre.setCurrentWidget(self.start_page if nothing else self.canvas)
        path = document.path if document is not None else None
        self.setWindowTitle(f"{path.name} — SeedHue" if path is not None else "SeedHue")
        self.status.show_picture(f"{image.width} × {image.height}" if image is not None else "")
        self.picture_model.set_current(path)
        if path is not None:
            self.pictures.scroll_to(path)
            self.canvas.setFocus()
        elif nothing:
            self.start_page.buttons["open_file"].setFocus()
        self._show_hint()

    @Slot()
    def _show_list(self) -> None:
        self.docks["pictures"].setVisible(len(self.services.pictures.paths) > 1)
        self.start_page.show_recent(self.recent_paths())

    @Slot()
    def _show_hint(self) -> None:
        tool = self.canvas.tool
        shown = tool is not None and self.services.session.document is not None
        self.status.show_hint(tr(tool.hint) if shown and tool is not None else "")

    @Slot(object)
    def _show_candidates(self, predictions: Sequence[Any]) -> None:
        self.similar.dismiss()
        self.candidates.show_candidates(predictions, self._model_version())
        self._ask_for_acceptance("candidates")

    @Slot(object)
    def _show_closer(self, predictions: Sequence[Any]) -> None:
        self.candidates.show_closer(predictions, self._model_version())

    def _model_version(self) -> str:
        model = self.services.segmentation.model
        return model.version if model is not None else ""

    @Slot(object)
    def _show_similar(self, asked: SimilarObjects) -> None:
        self.candidates.dismiss()
        self.similar.show_found(asked)
        self._ask_for_acceptance("similar")
        self.tool_box.lend(self.pick_tool)
        self._show_hint()
        self.canvas.setFocus()

    def _ask_for_acceptance(self, key: str) -> None:
        """What waits takes the place of the properties, which mean nothing to it."""
        self._hidden_for_candidates |= self.docks["properties"].isVisible()
        self.docks["properties"].hide()
        self.docks[key].show()
        column = [self.docks[name] for name in ("labels", "objects", key)]
        self.resizeDocks(column, [120, 150, 450], Qt.Orientation.Vertical)

    @Slot()
    def _end_acceptance(self) -> None:
        for key in WAITING:
            self.docks[key].hide()
        if self._hidden_for_candidates:
            self.docks["properties"].show()
        self._hidden_for_candidates = False

    @Slot()
    def _end_similar(self) -> None:
        self._end_acceptance()
        self.tool_box.resume()
        self._show_hint()

    @Slot()
    def _work_on(self) -> None:
        """Gives the keyboard back to the canvas."""
        self.canvas.setFocus()

    def recent_paths(self) -> list[Path]:
        """Pictures and folders used last; whether they are still there shows when one is opened."""
        return [Path(name) for name in self.services.settings.recent]

    @Slot()
    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for path in self.recent_paths():
            action = self.recent_menu.addAction(str(path))
            action.setData(str(path))
            action.triggered.connect(self._open_recent)

    @Slot()
    def _open_recent(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.services.pictures.open_path(Path(str(action.data())))

    # Commands of the window itself

    @Slot()
    def relabel(self) -> None:
        self.docks["objects"].show()
        self.objects.edit_label()

    @Slot(bool)
    def full_screen(self, on: bool) -> None:
        self.setWindowState(
            self.windowState() | Qt.WindowState.WindowFullScreen
            if on
            else self.windowState() & ~Qt.WindowState.WindowFullScreen
        )

    @Slot()
    def show_original(self) -> None:
        """From the menu: the original for a moment."""
        self._press_compare()
        QTimer.singleShot(PEEK_MS, self, self._release_compare)

    @Slot()
    def quit(self) -> None:
        self.close()

    @Slot()
    def _press_compare(self) -> None:
        self.canvas.show_original = True

    @Slot()
    def _release_compare(self) -> None:
        self.canvas.show_original = False

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_hold_key(event):
            self._press_compare()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if self._is_hold_key(event):
            self._release_compare()
        else:
            super().keyReleaseEvent(event)

    def _is_hold_key(self, event: QKeyEvent) -> bool:
        return event.key() == self._hold_key and not event.isAutoRepeat()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self._release_compare()  # a key released in another window is never reported here
        super().changeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.services.pictures.open_paths(paths)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self._after_first_paint)

    @Slot()
    def _after_first_paint(self) -> None:
        self.services.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.dialogs.may_close():
            event.ignore()
            return
        layout = bytes(self.saveState(LAYOUT_VERSION).toBase64().data()).decode()
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self.services.change_settings(window_state=layout, window_geometry=geometry)
        self.dialogs.close_all()
        self.hide()
        self.canvas.shutdown()
        self.snapping.shutdown()
        self.picture_model.runner.shutdown()
        self.services.shutdown()
        super().closeEvent(event)

    def _restore_layout(self) -> None:
        settings = self.services.settings
        self.resize(first_size(self.screen().availableSize()))
        widths = [self.docks["labels"], self.docks["pictures"]]
        self.resizeDocks(widths, [RIGHT_WIDTH, LEFT_WIDTH], Qt.Orientation.Horizontal)
        heights = [self.docks[key] for key in ("labels", "objects", "properties")]
        self.resizeDocks(heights, [136, 280, 360], Qt.Orientation.Vertical)
        if settings.window_geometry:
            self.restoreGeometry(QByteArray.fromBase64(settings.window_geometry.encode()))
        if settings.window_state:
            self.restoreState(QByteArray.fromBase64(settings.window_state.encode()), LAYOUT_VERSION)
        for key in (*WAITING, "pictures"):
            self.docks[key].hide()
