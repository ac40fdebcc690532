"""The window and every dialog fit on small screens and on those whose pixels are shown twice as large."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication, QDialog, QScrollArea, QVBoxLayout, QWidget

import app.dialogs
from app.appearance import fitting
from app.appearance.fitting import FittingDialog, moved_into
from app.appearance.i18n import set_language
from app.appearance.plain_text import PlainMessageBox
from app.dialogs.about import AboutDialog
from app.dialogs.checks import ChecksDialog
from app.dialogs.notification_centre import NotificationDialog
from app.dialogs.preferences import PreferencesDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.dialogs.train import TrainDialog
from app.dialogs.transfer import ExportDialog, ImportDialog
from app.panels.rename_label import RenameLabelDialog
from app.window import layout
from app.window.actions import shortcut_rows
from app.window.layout import stored_layout
from app.window.main_window import MainWindow
from converters.annotation import Instance, Polygon
from tests.gui.window.test_main_window import find_objects

TRIANGLE = Polygon(((10, 10), (50, 10), (30, 50)))
SMALL = QRect(4, 44, 952, 492)
"""What 1920 × 1080 pixels shown at twice their size leave, without a frame."""
LONG = "This was not to be foreseen, and it takes a while to explain. " * 30


@pytest.fixture
def small_screen(monkeypatch):
    for module in (fitting, layout):
        monkeypatch.setattr(module, "room_on", lambda screen: SMALL)


def assert_fits(window):
    hint = window.minimumSizeHint()
    assert hint.width() <= SMALL.width()
    assert hint.height() <= SMALL.height()


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_window_can_be_as_small_as_that(driver, folder, language):
    set_language(language)
    driver.theme.apply("light")
    driver.show()
    assert_fits(driver.window)
    panel = find_objects(driver, folder)
    driver.window.resize(SMALL.size())
    driver.document.add(*(Instance(f"n{number}", "label", TRIANGLE) for number in range(30)))
    assert_fits(driver.window)
    panel.dismiss()
    assert_fits(driver.window)
    driver.session.set_tool("recolor")
    driver.session.select(("n1",))
    driver.trigger("select_similar")
    panel = driver.window.docks.panels["similar"]
    driver.wait(lambda: panel.is_in_use)
    panel.folder_part.show()
    driver.bot.wait(1)
    assert_fits(driver.window)
    assert driver.window.size() == SMALL.size()


def test_buttons_below_a_list_are_in_sight(driver, folder):
    driver.show()
    driver.window.resize(1272, 672)  # with its frame: 1280 × 720
    panel = find_objects(driver, folder)
    driver.bot.wait(1)
    area = driver.window.docks.by_key["candidates"].widget()
    for button in (panel.accept_button, panel.dismiss_button):
        place = QRect(button.mapTo(area.viewport(), QPoint(0, 0)), button.size())
        assert area.viewport().rect().contains(place)
    assert panel.list.height() >= panel.list.minimumSizeHint().height() > 0


# Every dialog, full of long texts


def about(driver):
    return AboutDialog("a model with a long name " * 3, driver.window)


def checks(driver):
    return ChecksDialog(driver.session, driver.services.pictures, driver.window)


def notifications(driver):
    driver.services.notices.post("error", LONG, remedy=LONG, details=LONG)
    return NotificationDialog(driver.services.notices, driver.window)


def shortcuts(driver):
    dialog = ShortcutsDialog(shortcut_rows(), dict.fromkeys(("save", "undo", "redo"), ("X",)), driver.window)
    assert dialog.conflict.text()
    return dialog


def training(driver):
    dialog = TrainDialog(driver.services.training, driver.window)
    dialog.scores.setText(LONG)
    dialog.warning.setText(LONG)
    dialog.warning.show()
    return dialog


def preferences(driver):
    return PreferencesDialog(driver.services.settings, driver.window)


def renaming(driver):
    return RenameLabelDialog(LONG, 3, driver.services.folder_labels, driver.window)


def transfer(kind):
    def make(driver):
        source = driver.services.pictures if kind is ExportDialog else Path("/somewhere")
        dialog = kind(driver.services.exporting, source, driver.window)
        dialog.verdict.setText(LONG)
        for widget in (dialog.progress, dialog.verdict, dialog.report):
            widget.show()
        return dialog

    return make


DIALOGS = {
    AboutDialog: about,
    ChecksDialog: checks,
    NotificationDialog: notifications,
    ShortcutsDialog: shortcuts,
    TrainDialog: training,
    RenameLabelDialog: renaming,
    PreferencesDialog: preferences,
    ExportDialog: transfer(ExportDialog),
    ImportDialog: transfer(ImportDialog),
}


def test_no_dialog_is_forgotten():
    found = set()
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if "dialogs" in module.name or "panels" in module.name:
            names = vars(importlib.import_module(module.name)).values()
            found |= {thing for thing in names if isinstance(thing, type) and issubclass(thing, QDialog)}
    found -= {FittingDialog, PlainMessageBox}  # a box of Qt's fits by itself
    own = {kind for kind in found if kind.__module__.startswith("app.")}
    assert all(issubclass(kind, FittingDialog) for kind in own)
    assert {kind for kind in own if not kind.__subclasses__()} == set(DIALOGS)


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_dialog_fits(driver, small_screen, language):
    set_language(language)
    driver.theme.apply("light")
    for make in DIALOGS.values():
        dialog = make(driver)
        dialog.show()
        driver.bot.wait(1)
        assert SMALL.contains(dialog.geometry()), dialog
        least = dialog.layout().totalMinimumSize()
        assert least.width() <= dialog.width(), dialog
        assert least.height() <= dialog.height(), dialog
        assert dialog.layout().minimumHeightForWidth(dialog.width()) <= dialog.height(), dialog
        dialog.close()
        dialog.deleteLater()


def test_what_grows_later_is_scrolled(driver, small_screen):
    dialog = about(driver)
    dialog.show()
    assert dialog.findChild(QScrollArea) is None
    dialog.facts.setMinimumHeight(900)
    driver.bot.wait(1)
    assert SMALL.contains(dialog.geometry())
    area = dialog.findChild(QScrollArea)
    assert area.widget().height() > 900
    assert area.isAncestorOf(dialog.facts)
    dialog.close()
    dialog.deleteLater()


# A layout from another screen


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((10, 50, 400, 300), (10, 50, 400, 300)),
        ((-500, -500, 400, 300), (4, 44, 400, 300)),
        ((900, 500, 400, 300), (556, 236, 400, 300)),
        ((0, 0, 1600, 1000), (4, 44, 952, 492)),
    ],
)
def test_a_place_is_moved_into_the_room(place, expected):
    assert moved_into(QRect(*place), SMALL) == QRect(*expected)


def test_a_layout_of_a_larger_screen_is_mended(driver, folder, small_screen):
    docks = driver.window.docks.by_key
    driver.show().open(folder, current=folder / "photo0.png")
    driver.window.setGeometry(300, 200, 1900, 1000)
    driver.bot.wait(1)
    driver.window.resizeDocks([docks["pictures"], docks["objects"]], [600, 700], Qt.Orientation.Horizontal)
    driver.bot.wait(1)
    driver.services.change_settings(**stored_layout(driver.window))
    again = MainWindow(driver.services, driver.theme)
    again.show()
    driver.bot.wait(30)
    assert SMALL.contains(again.geometry())
    widths = {key: dock.width() for key, dock in again.docks.by_key.items() if dock.isVisible()}
    assert again.centre.width() > again.centre.minimumWidth()
    assert all(256 <= widths[key] <= 320 for key in ("labels", "objects", "properties"))
    again.close()
    again.deleteLater()


def test_no_panel_comes_back_too_narrow(driver, folder):
    docks = driver.window.docks.by_key
    driver.show().open(folder, current=folder / "photo0.png")
    driver.window.resizeDocks([docks["pictures"], docks["objects"]], [20, 20], Qt.Orientation.Horizontal)
    driver.bot.wait(1)
    assert docks["objects"].width() >= 256
    assert docks["pictures"].width() >= 160


def test_a_dialog_begins_in_the_middle_of_its_window(driver):
    driver.show()
    dialog = about(driver)
    dialog.show()
    driver.bot.wait(1)
    distance = dialog.geometry().center() - driver.window.geometry().center()
    room = fitting.room_on(dialog.screen())
    assert abs(distance.x()) < 40 or dialog.geometry().right() == room.right()
    assert abs(distance.y()) < 80
    dialog.close()
    dialog.deleteLater()


class AsksForRoom(QWidget):
    """Asks for another layout as soon as it is shown, which is before its dialog has its place."""

    def showEvent(self, event):  # noqa: N802
        super().showEvent(event)
        QApplication.sendEvent(self.window(), QEvent(QEvent.Type.LayoutRequest))


def test_a_dialog_that_is_laid_out_while_it_appears_is_in_the_middle_too(driver):
    driver.show()
    dialog = FittingDialog(driver.window)
    QVBoxLayout(dialog).addWidget(AsksForRoom())
    dialog.show()
    assert not dialog.testAttribute(Qt.WidgetAttribute.WA_Moved)
    distance = dialog.geometry().center() - driver.window.geometry().center()
    assert abs(distance.x()) < 40
    dialog.close()
    dialog.deleteLater()


class Windows(QObject):
    """Remembers the kinds of what appears as a window of its own."""

    def __init__(self):
        super().__init__()
        self.kinds = []

    def eventFilter(self, watched, event):  # noqa: N802
        if event.type() == QEvent.Type.Show and watched.isWidgetType() and watched.isWindow():
            self.kinds.append(type(watched))
        return False


def test_a_part_of_the_checks_is_not_a_window_before_them(driver, folder, qapp):
    driver.show().open(folder, current=folder / "photo0.png")
    windows = Windows()
    qapp.installEventFilter(windows)
    dialog = checks(driver)
    qapp.removeEventFilter(windows)
    dialog.show()
    dialog.close()
    dialog.deleteLater()
    assert windows.kinds == []
