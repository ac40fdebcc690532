"""The main window: puts canvas, panels, menus and services together. No work is done here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QToolButton, QWidget

from app.appearance.i18n import set_language, tr
from app.appearance.keys import effective_keys
from app.appearance.plain_text import plain_action, plain_tip, plain_title
from app.appearance.qt_translation import translate_qt
from app.appearance.theme import CHOICES, ThemeManager
from app.canvas.candidate_layer import CandidateLayer
from app.canvas.view import CanvasView
from app.panels.docks import Docks
from app.panels.objects import ObjectsPanel
from app.panels.picture_model import PictureModel
from app.panels.pictures import PicturesPanel
from app.panels.registry import PanelParts
from app.panels.start_page import StartPage
from app.panels.status_bar import StatusBar
from app.panels.toast import Toast
from app.panels.tool_bar import ToolBar
from app.services.snapping import Snapping
from app.tools.pick import PickTool
from app.tools.registry import TOOLS, ToolBox
from app.window.acceptance import Acceptance
from app.window.actions import CommandRunner, build_actions, default_keys, shortcut_rows
from app.window.canvas_keys import CanvasKeys
from app.window.command import WindowParts
from app.window.dialog_commands import WindowDialogs
from app.window.enabling import Enabling
from app.window.layout import MINIMUM_SIZE, restore_layout, stored_layout
from app.window.menus import LANGUAGE_CHOICES, add_choice_menu, context_actions, fill_menu_bar, make_top_bar
from app.window.pending_work import PendingWork
from app.window.view_commands import ViewCommands

if TYPE_CHECKING:
    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QPaintEvent

    from app.services.window_services import WindowServices

CENTRE: Final = (280, 200)
"""What is left of the picture at least, in logical pixels."""


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
        self.setMinimumSize(MINIMUM_SIZE)
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
        self.centre.setMinimumSize(*CENTRE)
        self.centre.addWidget(self.canvas)
        self.setCentralWidget(self.centre)
        self.view_commands = ViewCommands(services.session, self.canvas, self)
        self.snapping = Snapping(services.session, self.canvas, services.objects, self)
        self.dialogs = WindowDialogs(
            services, self, show_region=self.canvas.center_on, list_shortcuts=shortcut_rows
        )
        parts = WindowParts(services, services.objects, self.snapping, self.view_commands, self.dialogs, self)
        self.runner = CommandRunner(parts, self)
        PendingWork(services, self.canvas, self)  # they live as long as the window, their parent
        CanvasKeys(self.canvas, self, self._hold_key)
        self.acceptance = Acceptance(services, self.canvas, self.tool_box, self.pick_tool)
        self.acceptance.tool_changed.connect(self._show_hint)
        self.docks = Docks(self)
        self.actions_by_id: dict[str, QAction] = {}
        self._chrome: list[QWidget] = []
        self._painted = False
        self._build_chrome()
        self._connect_services()
        restore_layout(self, self.docks, services.settings)
        theme.changed.connect(self.rebuild)
        self._show_document()

    # The parts that know words and colours are made anew when either changes

    def _build_chrome(self) -> None:
        services, session = self.services, self.services.session
        keys = effective_keys(default_keys(), services.settings.shortcuts)
        self.actions_by_id = build_actions(self, keys)
        self.actions_by_id["include_subfolders"].setChecked(services.settings.include_subfolders)
        self.runner.follow(self.actions_by_id, keys)
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
        self._fill_panels()
        self.enabling = Enabling(services, self.actions_by_id, self)
        self._chrome = [self.top_bar, self.tool_bar, self.start_page, self.toast, self.object_menu]
        self._chrome += [self.recent_menu]
        self._connect_chrome()

    def _fill_panels(self) -> None:
        parts = PanelParts(
            self.services,
            self.canvas,
            self.picture_model,
            self.candidate_layer,
            self.similar_layer,
            self.pick_tool,
            self.object_menu,
        )
        self.docks.fill(parts)
        self.docks.add_switches(self.menus["view"].addMenu(tr("Panels")))
        self.acceptance.follow(self.docks)

    def _add_choices(self) -> None:
        settings = self.services.settings
        view = self.menus["view"]
        view.addSeparator()
        _menu, themes = add_choice_menu(view, tr("Theme"), CHOICES, settings.theme)
        themes.triggered.connect(self._choose_theme)
        _menu, languages = add_choice_menu(view, tr("Language"), LANGUAGE_CHOICES, settings.language)
        languages.triggered.connect(self._choose_language)

    def _connect_chrome(self) -> None:
        """Connections of what a rebuild makes anew; Qt cuts them when the widgets go."""
        services, session = self.services, self.services.session
        self.canvas.cursor_moved.connect(self.status.show_position)
        self.canvas.zoom_changed.connect(self.status.show_zoom)
        session.message.connect(self.status.show_text)
        services.busy.changed.connect(self.status.show_busy)
        self.status.show_busy(services.busy.text)
        services.training.standing_changed.connect(self.status.show_training)
        self.status.show_training(services.training.standing)
        self.status.training_wanted.connect(self.dialogs.train)
        services.saving.state_changed.connect(self.status.show_saved)
        self.status.retry_wanted.connect(services.safety.try_again)
        self.status.notices_wanted.connect(self.dialogs.notifications)
        self.toast.details_wanted.connect(self.dialogs.notifications)
        services.notices.posted.connect(self.toast.show_notice)
        self.start_page.recent_chosen.connect(services.pictures.open_path)
        self.tool_box.select.menu_wanted.connect(self.object_menu.popup)
        for button in self.top_bar.findChildren(QToolButton, "show_original"):
            self.runner.follow_button(button)
        self.status.show_zoom(self.canvas.zoom)
        self.status.show_saved(services.saving.state)
        services.safety.refresh()  # in the language it is shown in now
        self._show_unsafe()

    def _connect_services(self) -> None:
        """Connections that last as long as the window."""
        services, session = self.services, self.services.session
        session.document_opened.connect(self._show_document)
        session.tool_changed.connect(self._show_hint)
        services.pictures.list_changed.connect(self._show_list)
        services.segmentation.busy_changed.connect(self.canvas.set_busy)
        for service in (self.canvas.superpixels, self.snapping):
            services.busy.follow(service)
        services.keys_changed.connect(self.rebuild)
        services.safety.changed.connect(self._show_unsafe)
        services.training.page_wanted.connect(self.dialogs.train)
        self.canvas.viewport_changed.connect(services.segmentation.follow_view)

    @Slot()
    def rebuild(self) -> None:
        """Makes everything anew that carries words, icons or keys; what is shown and where stays."""
        checked = {name: action.isChecked() for name, action in self.actions_by_id.items()}
        message, notice = self.status.currentMessage(), self.toast.shown_notice
        for bar in (self.top_bar, self.tool_bar):
            self.removeToolBar(bar)
        for action in self.actions_by_id.values():
            self.removeAction(action)
            action.deleteLater()
        for widget in self._chrome:
            widget.deleteLater()
        self.enabling.deleteLater()
        self._build_chrome()
        for name, is_checked in checked.items():
            self.actions_by_id[name].setChecked(is_checked)
        self._show_document()
        if message:
            self.status.show_text(message)
        if notice is not None:
            self.toast.show_notice(notice)
        self.dialogs.remake()

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
        self.setWindowTitle(plain_title(f"{path.name} — SeedHue") if path is not None else "SeedHue")
        self.status.show_picture(f"{image.width} × {image.height}" if image is not None else "")
        self.picture_model.set_current(path)
        if path is not None:
            self.docks.panel(PicturesPanel).scroll_to(path)
            self.canvas.setFocus()
        elif nothing:
            self.start_page.buttons["open_file"].setFocus()
        self._show_hint()

    @Slot()
    def _show_list(self) -> None:
        self.docks.show_folder(len(self.services.pictures.paths) > 1)
        self.start_page.show_recent(self.recent_paths())

    @Slot()
    def _show_hint(self) -> None:
        tool = self.canvas.tool
        shown = tool is not None and self.services.session.document is not None
        self.status.show_hint(tr(tool.hint) if shown and tool is not None else "")

    @Slot()
    def _show_unsafe(self) -> None:
        self.status.show_unsafe(self.services.safety.concerns)

    def recent_paths(self) -> list[Path]:
        """Pictures and folders used last; whether they are still there shows when one is opened."""
        return [Path(name) for name in self.services.settings.recent]

    @Slot()
    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for path in self.recent_paths():
            action = self.recent_menu.addAction(plain_action(str(path)))
            action.setToolTip(plain_tip(str(path)))
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
        self.docks.by_key["objects"].show()
        self.docks.panel(ObjectsPanel).edit_label()

    @Slot(bool)
    def full_screen(self, on: bool) -> None:
        self.setWindowState(
            self.windowState() | Qt.WindowState.WindowFullScreen
            if on
            else self.windowState() & ~Qt.WindowState.WindowFullScreen
        )

    @Slot(bool)
    def show_original(self, on: bool) -> None:
        self.canvas.show_original = on

    @Slot()
    def quit(self) -> None:
        self.close()

    # Qt overrides

    def _hold_key(self, event: QKeyEvent, down: bool) -> bool:
        return self.runner.handle_key(event, down=down)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.runner.handle_key(event, down=True):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not self.runner.handle_key(event, down=False):
            super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.runner.release_all()  # a key released in another window is never reported here
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
        self.docks.mend()
        self.services.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.services.session.settle():
            event.ignore()
            return
        self.canvas.finish()  # before it is asked what is not written
        if not self.dialogs.may_close():
            event.ignore()
            return
        self.services.change_settings(**stored_layout(self))
        self.dialogs.close_all()
        self.hide()
        self.canvas.shutdown()
        self.snapping.shutdown()
        self.picture_model.runner.shutdown()
        self.services.shutdown()
        super().closeEvent(event)
