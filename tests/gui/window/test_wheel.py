"""The wheel changes no value unless the control was chosen; the second meaning of the wheel has two ways."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QScrollBar,
    QTabBar,
)

from app import dialogs
from app.dialogs.about import AboutDialog
from app.dialogs.checks import ChecksDialog
from app.dialogs.notification_centre import NotificationDialog
from app.dialogs.preferences import PreferencesDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.dialogs.train import TrainDialog
from app.dialogs.transfer import ExportDialog, ImportDialog
from app.panels.properties import PropertiesPanel
from app.window.actions import shortcut_rows

DISC = (80, 60)
ALT, SHIFT = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
VALUES = (QAbstractSlider, QAbstractSpinBox, QComboBox, QTabBar)


def turn(widget, steps, modifiers=Qt.KeyboardModifier.NoModifier, at=None):
    """The wheel over a widget; whether somebody had a use for it."""
    at = QPointF(widget.rect().center()) if at is None else QPointF(at)
    event = QWheelEvent(
        at,
        widget.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def value_of(control):
    if isinstance(control, QComboBox | QTabBar):
        return control.currentIndex()
    return control.value()


def value_controls(root):
    return [
        control
        for kind in VALUES
        for control in root.findChildren(kind)
        if not isinstance(control, QScrollBar)
    ]


@pytest.fixture
def opened(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    return driver


def all_dialogs(driver):
    services, window = driver.services, driver.window
    return {
        AboutDialog: lambda: AboutDialog("", window),
        ChecksDialog: lambda: ChecksDialog(services.session, services.pictures, window),
        ExportDialog: lambda: ExportDialog(services.exporting, services.pictures, window),
        ImportDialog: lambda: ImportDialog(services.exporting, services.start_folder(), window),
        NotificationDialog: lambda: NotificationDialog(services.notices, window),
        PreferencesDialog: lambda: PreferencesDialog(services.settings, window),
        ShortcutsDialog: lambda: ShortcutsDialog(shortcut_rows(), {}, window),
        TrainDialog: lambda: TrainDialog(services.training, window),
    }


def test_the_wheel_changes_nothing_that_was_not_chosen(opened):
    """Every slider, number and list of values of the window and of all its dialogs."""
    makers = all_dialogs(opened)
    modules = [import_module(f"app.dialogs.{found.name}") for found in pkgutil.iter_modules(dialogs.__path__)]
    kinds = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, QDialog) and thing.__module__ == module.__name__
    }
    bases = {base for kind in kinds for base in kind.__mro__[1:]}
    assert kinds - bases == set(makers)
    roots = [opened.window, *(make() for make in makers.values())]
    seen = 0
    for root in roots:
        for control in value_controls(root):
            seen += 1
            assert not control.focusPolicy() & Qt.FocusPolicy.WheelFocus & ~Qt.FocusPolicy.StrongFocus
            assert not control.hasFocus()
            control.setEnabled(True)
            before = value_of(control)
            for steps in (1, -1, -1):
                turn(control, steps)
                assert value_of(control) == before, control
    assert seen > 12
    for root in roots[1:]:
        root.reject()
        root.deleteLater()


def test_the_wheel_turns_what_was_chosen_by_click_or_tab(opened):
    opened.session.set_tool("recolor")
    slider = opened.window.docks.panel(PropertiesPanel).recolor.sliders["shading_contrast"].slider
    turn(slider, -1)
    assert opened.session.options.recolor_settings == {}
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton)
    before = slider.value()
    turn(slider, -1)
    assert slider.value() < before
    opened.window.canvas.setFocus()
    slider.setFocus(Qt.FocusReason.TabFocusReason)
    before = slider.value()
    turn(slider, 1)
    assert slider.value() > before


# Alt + wheel


@pytest.fixture
def grown(opened):
    opened.session.set_tool("seed")
    QTest.mouseClick(opened.window.canvas, Qt.MouseButton.LeftButton, pos=opened.at(*DISC))
    opened.wait(lambda: bool(opened.session.seed_state.level_scores))
    return opened


def shown(driver):
    """What the seed tool shows, once it is there."""
    tool = driver.window.tool_box.tools["seed"]
    session = driver.session
    driver.wait(lambda: session.seed_state.level == session.options.level and not tool.is_busy)
    options, state = session.options, session.seed_state
    return (options.tau, options.level), (state.tau, state.level), driver.window.canvas.preview.array.sum()


def level_button(driver, number):
    return driver.window.docks.panel(PropertiesPanel).seed._group.button(number)


def test_every_way_to_another_level_does_what_its_button_does(grown):
    """With a τ of the user's own and with the suggested one; the level of most trust is the second."""
    canvas = grown.window.canvas
    ways = {
        "Alt": lambda steps: turn(canvas, steps, ALT, at=grown.at(*DISC)),
        "Ctrl+Shift": lambda steps: turn(canvas, steps, CONTROL | SHIFT, at=grown.at(*DISC)),
        "key": lambda steps: QTest.keyClick(canvas, Qt.Key.Key_Period if steps > 0 else Qt.Key.Key_Comma),
    }
    for tau in (None, 0.3):
        grown.session.set_option("tau", tau)
        wanted = []
        for number in (3, 2, 1):
            level_button(grown, number).click()
            wanted.append(shown(grown))
        assert len({each[1] for each in wanted}) == 3
        for way, step in ways.items():
            level_button(grown, 2).click()
            shown(grown)
            zoom, found = canvas.zoom, []
            for steps in (1, 1, -1, -1, -1):
                step(steps)
                found.append(shown(grown))
            assert found == [wanted[0], wanted[0], wanted[1], wanted[2], wanted[2]], way
            assert canvas.zoom == zoom
            assert level_button(grown, 1).isChecked()


def test_from_the_best_level_the_wheel_goes_to_the_one_beside_it(grown):
    best = grown.session.seed_state.level
    turn(grown.window.canvas, 1, ALT, at=grown.at(*DISC))
    assert grown.session.options.level == best + 1


def test_without_a_seed_there_is_no_level_to_choose(opened):
    assert not opened.window.actions_by_id["larger_level"].isEnabled()
    zoom = opened.window.canvas.zoom
    opened.session.set_tool("seed")
    turn(opened.window.canvas, 1, CONTROL | SHIFT, at=opened.at(*DISC))
    assert opened.window.canvas.zoom > zoom  # as with Ctrl alone


def test_the_second_way_changes_sizes_too(opened):
    for tool, option in (("brush", "brush_radius"), ("superpixel", "superpixel_size")):
        opened.session.set_tool(tool)
        for modifiers in (ALT, CONTROL | SHIFT):
            before = getattr(opened.session.options, option)
            turn(opened.window.canvas, 1, modifiers, at=opened.at(*DISC))
            assert getattr(opened.session.options, option) > before


def test_the_ways_stand_in_the_list_of_keys(opened):
    dialog = ShortcutsDialog(shortcut_rows(), {}, opened.window)
    texts = {dialog.table.item(row, 2).text() for row in range(dialog.table.rowCount())}
    dialog.deleteLater()
    assert {"Alt + wheel, Ctrl + Shift + wheel", ",", "."} <= texts
