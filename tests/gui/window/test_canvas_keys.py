"""The canvas has its keys wherever the focus is; text fields keep theirs and give the keyboard back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QSpinBox, QWidget

from app.panels.labels import LabelsPanel
from app.panels.properties import PropertiesPanel
from app.window.canvas_keys import TEXT_FIELDS
from converters.annotation import Box, Instance

DISC = (80, 60)
SPACE = Qt.Key.Key_Space


@pytest.fixture
def opened(driver, folder):
    driver.show().open(folder, current=folder / "photo0.png")
    driver.wait_for_encoding()
    driver.document.add(Instance("known", "known", Box(4, 4, 20, 20)))
    driver.session.set_tool("seed")
    return driver


def click(driver):
    canvas = driver.window.canvas
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=driver.at(*DISC))
    driver.wait(lambda: bool(driver.session.seed_state.level_scores))


def focusable(window):
    """Every visible widget of the window that a click or Tab gives the focus, but the canvas."""
    return [
        widget
        for widget in window.findChildren(QWidget)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.window() is window
        and widget is not window.canvas
        and widget.focusPolicy() & Qt.FocusPolicy.StrongFocus
        and widget.focusProxy() is None
    ]


def focus(widget):
    widget.setFocus()
    assert QApplication.focusWidget() is widget


def test_enter_esc_and_letters_work_wherever_the_focus_is(opened):
    session, window = opened.session, opened.window
    tried = set()
    for widget in focusable(window):
        if isinstance(widget, TEXT_FIELDS):
            continue
        tried.add(type(widget).__name__)
        click(opened)
        focus(widget)
        QTest.keyClick(widget, Qt.Key.Key_Escape)
        assert session.seed_state.seeds == (), widget
        click(opened)
        click(opened)
        focus(widget)
        QTest.keyClick(widget, Qt.Key.Key_Backspace)
        assert len(session.seed_state.seeds) == 1, widget
        count = len(opened.document.annotation.instances)
        QTest.keyClick(widget, Qt.Key.Key_Return)
        opened.wait(lambda count=count: len(opened.document.annotation.instances) == count + 1)
        assert session.seed_state.seeds == (), widget
        session.select(())
        focus(widget)
        QTest.keyClick(widget, Qt.Key.Key_B)
        assert session.tool == "brush", widget
        QTest.keyClick(widget, Qt.Key.Key_2)
        assert session.tool == "seed", widget
        QTest.keyPress(widget, Qt.Key.Key_H)
        assert window.canvas.show_original, widget
        QTest.keyRelease(widget, Qt.Key.Key_H)
        assert not window.canvas.show_original, widget
        opened.document.remove([i.id for i in opened.document.annotation.instances if i.id != "known"])
    assert {"MarkedSlider", "QPushButton", "ValueList"} <= tried


def test_after_a_slider_or_a_level_button_enter_keeps_the_object(opened):
    click(opened)
    section = opened.window.docks.panel(PropertiesPanel).seed
    QTest.mouseClick(section.slider, Qt.MouseButton.LeftButton)
    button = section._group.button(2)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened.session.options.level == 1
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    opened.wait(lambda: len(opened.document.annotation.instances) == 2)
    assert opened.document.annotation.instances[-1].provenance.level == 1


def test_arrows_and_space_stay_with_the_control_that_uses_them(opened):
    click(opened)
    section = opened.window.docks.panel(PropertiesPanel).seed
    focus(section.slider)
    before = section.slider.value()
    QTest.keyClick(section.slider, Qt.Key.Key_Right)
    assert section.slider.value() == before + 1
    QTest.keyPress(section.slider, SPACE)
    assert opened.window.canvas.cursor().shape() == Qt.CursorShape.OpenHandCursor
    QTest.keyRelease(section.slider, SPACE)
    assert opened.window.canvas.cursor().shape() == Qt.CursorShape.CrossCursor
    button = section._group.button(1)
    focus(button)
    QTest.keyClick(button, SPACE)
    assert opened.session.options.level == 0


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_text_field_ends_with_enter_and_esc_and_gives_the_keyboard_back(opened, key):
    window, session = opened.window, opened.session
    click(opened)
    seeds = session.seed_state.seeds
    fields = [widget for widget in focusable(window) if isinstance(widget, TEXT_FIELDS)]
    entry = window.docks.panel(LabelsPanel).entry
    assert entry in fields
    assert len(fields) > 1
    for field in fields:
        focus(field)
        QTest.keyClicks(field, "b2")  # no tool is chosen
        QTest.keyClick(field, Qt.Key.Key_Backspace)
        QTest.keyClick(field, key)
        opened.wait(lambda: window.canvas.hasFocus())
        assert session.seed_state.seeds == seeds  # the key was the text's
        assert session.tool == "seed"
        if key == Qt.Key.Key_Escape:
            assert field.text() == ""
    assert session.options.label == ("b" if key == Qt.Key.Key_Return else "object")


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_changing_a_label_in_the_list_gives_the_keyboard_back(opened, key):
    opened.session.select(("known",))
    opened.trigger("relabel")
    opened.wait(lambda: isinstance(QApplication.focusWidget(), QLineEdit))
    editor = QApplication.focusWidget()
    editor.selectAll()
    QTest.keyClicks(editor, "renamed")
    QTest.keyClick(editor, key)
    opened.wait(lambda: opened.window.canvas.hasFocus())
    wanted = "renamed" if key == Qt.Key.Key_Return else "known"
    assert opened.document.annotation.instance("known").label == wanted


def test_numbers_typed_into_a_spin_box_are_its_own(opened):
    box = QSpinBox(opened.window)
    box.show()
    focus(box)
    box.selectAll()
    QTest.keyClicks(box, "2")
    assert box.value() == 2
    assert opened.session.tool == "seed"
    QTest.keyClick(box, Qt.Key.Key_Return)
    opened.wait(lambda: opened.window.canvas.hasFocus())
