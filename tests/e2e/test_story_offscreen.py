"""The main job in the real window with the real network: a photo, a click, τ, an edit, a colour, a file.

The same journey as under Xvfb, but inside the test's process, where every step can be looked at.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.appearance.i18n import set_language
from app.appearance.theme import ThemeManager
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow
from converters.annotation import Mask
from converters.files.images import read_image
from converters.formats.coco.instances import read_coco, write_coco
from converters.formats.labelme.document import read_labelme
from tests.labelme_rules import check_labelme

SAMPLE = Path(__file__).resolve().parents[2] / "resources" / "samples" / "coffee.jpg"
SAUCER = (112.0, 230.0)
WOOD = (560.0, 380.0)
PATIENCE = 60_000


class Person:
    """Works in the window by mouse and keyboard."""

    def __init__(self, qtbot, qapp) -> None:
        set_language("en")
        self.bot = qtbot
        self.services = WindowServices(SettingsStore())
        self.theme = ThemeManager(qapp)
        self.theme.apply("light")
        self.window = MainWindow(self.services, self.theme)
        self.window.resize(1280, 800)
        self.window.show()
        qtbot.waitExposed(self.window)

    @property
    def canvas(self):
        return self.window.canvas

    @property
    def session(self):
        return self.services.session

    @property
    def objects(self):
        return self.session.document.annotation.instances

    def until(self, condition) -> None:
        self.bot.waitUntil(condition, timeout=PATIENCE)

    def at(self, point) -> QPoint:
        return self.canvas.image_to_view(QPointF(*point)).toPoint()

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        target = QApplication.focusWidget() or self.canvas
        QTest.keyClick(target, key, modifier)

    def click(self, point, button=Qt.MouseButton.LeftButton) -> None:
        QTest.mouseMove(self.canvas, self.at(point))
        QTest.mouseClick(self.canvas, button, Qt.KeyboardModifier.NoModifier, self.at(point))

    def drag(self, *points) -> None:
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=self.at(points[0]))
        for point in points[1:]:
            QTest.mouseMove(self.canvas, self.at(point))
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=self.at(points[-1]))

    def scroll(self, point, notches: int) -> None:
        position = QPointF(self.at(point))
        event = QWheelEvent(
            position,
            self.canvas.mapToGlobal(position),
            QPoint(),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.canvas, event)

    def choose_tool(self, key, name: str) -> None:
        self.canvas.setFocus()
        self.press(key)
        self.until(lambda: self.session.tool == name)


@pytest.fixture
def person(qtbot, qapp):
    somebody = Person(qtbot, qapp)
    yield somebody
    somebody.window.close()
    somebody.window.deleteLater()
    somebody.theme.deleteLater()


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "pictures" / "coffee.jpg"
    path.parent.mkdir()
    shutil.copyfile(SAMPLE, path)
    return path


@pytest.mark.timeout(600)
def test_from_a_photo_to_a_recoloured_saucer(person, picture, tmp_path):
    untouched = picture.read_bytes()
    person.services.pictures.open_paths([picture])
    person.until(lambda: person.session.encoding is not None)

    # Moving the mouse shows what a click would select; the document stays empty.
    person.choose_tool(Qt.Key.Key_S, "seed")
    QTest.mouseMove(person.canvas, person.at(SAUCER))
    person.until(lambda: person.canvas.preview.array is not None)
    assert person.objects == ()

    person.window.docks.panels["labels"].entry.setFocus()
    QTest.keyClicks(person.window.docks.panels["labels"].entry, "saucer")
    QTest.keyClick(person.window.docks.panels["labels"].entry, Qt.Key.Key_Return)
    person.choose_tool(Qt.Key.Key_S, "seed")
    person.click(SAUCER)
    person.until(lambda: person.session.seed_state.tau is not None)
    suggested = person.session.seed_state.tau
    person.scroll(SAUCER, -2)
    person.until(lambda: person.session.seed_state.tau not in (None, suggested))
    assert person.session.seed_state.tau > suggested
    person.click(WOOD, Qt.MouseButton.RightButton)
    person.until(lambda: len(person.session.seed_state.seeds) == 2)
    person.press(Qt.Key.Key_Return)
    person.until(lambda: len(person.objects) == 1)
    (grown,) = person.objects
    assert grown.label == "saucer"
    assert [s.positive for s in grown.provenance.seeds] == [True, False]
    assert grown.geometry.contains(*SAUCER)
    assert not grown.geometry.contains(*WOOD)

    # A stroke of the eraser, taken back and done again.
    person.session.select((grown.id,))
    person.choose_tool(Qt.Key.Key_E, "eraser")
    person.drag(SAUCER, (SAUCER[0] + 12, SAUCER[1] + 3))
    person.until(lambda: not person.objects[0].geometry.contains(*SAUCER))
    erased = person.objects[0].geometry
    person.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert person.objects[0].geometry == grown.geometry
    person.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert person.objects[0].geometry == erased
    person.choose_tool(Qt.Key.Key_B, "brush")
    person.drag(SAUCER, (SAUCER[0] + 12, SAUCER[1] + 3))
    person.until(lambda: person.objects[0].geometry.contains(*SAUCER))

    # A colour; the canvas shows it, holding H shows the photograph.
    person.choose_tool(Qt.Key.Key_C, "recolor")
    person.session.set_option("color", "#2f6fb7")
    person.click(SAUCER)
    person.until(lambda: person.objects[0].recolor is not None)
    person.until(lambda: blue_at(person, SAUCER))
    QTest.keyPress(person.canvas, Qt.Key.Key_H)
    person.until(lambda: not blue_at(person, SAUCER))
    QTest.keyRelease(person.canvas, Qt.Key.Key_H)
    person.until(lambda: blue_at(person, SAUCER))

    # Saved, and readable by the programs it is meant for.
    person.press(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    person.until(lambda: not person.session.document.is_modified)
    document = picture.with_suffix(".json")
    check_labelme(document)
    (saved,) = read_labelme(document).instances
    assert isinstance(saved.geometry, Mask)
    assert saved == person.objects[0]
    assert picture.read_bytes() == untouched
    write_coco(tmp_path / "coco.json", [read_labelme(document)])
    assert read_coco(tmp_path / "coco.json")[0].instances[0].geometry == saved.geometry
    assert json.loads((tmp_path / "coco.json").read_text())["categories"][0]["name"] == "saucer"
    assert person.services.notices.notices == ()


def blue_at(person: Person, point) -> bool:
    """Whether the canvas shows more blue than red around a picture point."""
    shown = person.canvas.grab().toImage()
    ratio = shown.devicePixelRatio()
    centre = person.at(point) * ratio
    colors = [shown.pixelColor(centre.x() + dx, centre.y() + dy) for dx in (-3, 0, 3) for dy in (-3, 0, 3)]
    red, blue = (np.mean([getattr(c, name)() for c in colors]) for name in ("red", "blue"))
    return bool(blue > red)


def test_the_photograph_itself_is_never_changed(person, picture):
    before = read_image(picture)
    person.services.pictures.open_paths([picture])
    person.until(lambda: person.session.image is not None)
    assert np.array_equal(read_image(picture), before)
