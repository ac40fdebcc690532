"""The scenes of the documents' pictures: the real window, worked through with the mouse and the keys.

    python -m docs.picture_scenes LANGUAGE PHOTOS OUT

Run by docs/make_pictures.py, which gives it a display, an empty home and a folder of sample photos.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.process.environment import guard_environment

guard_environment()

from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.appearance.i18n import set_language
from app.appearance.qt_translation import translate_qt
from app.appearance.theme import ThemeManager
from app.application import make_application
from app.dialogs.checks import ChecksDialog
from app.dialogs.train import TrainDialog
from app.dialogs.transfer import ExportDialog
from app.panels.candidates import CandidatesPanel
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.document.document import Document

SIZE: Final = (1280, 800)
PATIENCE: Final = 300.0
REST: Final = 0.7
"""Seconds: what has not changed for so long has come to rest."""

CUP: Final = ((290, 110), (472, 225), (105, 210))
SAUCER: Final = (112, 230)
HANDLE: Final = (222, 268)
SPOON: Final = (368, 287)
SUIT: Final = (160, 430)
BLUE, GREEN = "#2f6fb7", "#3f8f4f"
LABEL_COLOR: Final = "#38a8f8"
"""Of the cup: far from those of the photo, in every language."""
LINE: Final = QColor("#9aa0a6")
NAMES: Final = {"en": ("cup", "suit", "object"), "zh_CN": ("杯子", "太空服", "物体")}
ENOUGH: Final = 0.2
"""Least score, so that there are enough objects to train on."""


class Scenes:
    """Somebody at the window, with a camera."""

    def __init__(self, language: str, photos: Path, out: Path) -> None:
        self.application = make_application()
        self.application.setCursorFlashTime(0)
        store = SettingsStore()
        self.cup, self.suit, self.thing = NAMES[language]
        store.change(language=language, theme="light", label=self.thing)
        set_language(language)
        translate_qt(self.application)
        self.theme = ThemeManager(self.application)
        self.theme.apply("light")
        self.services = WindowServices(store)
        self.window = MainWindow(self.services, self.theme)
        self.window.resize(*SIZE)
        self.window.move(0, 0)
        self.window.show()
        self.photos, self.out = photos, out
        self.session, self.canvas = self.services.session, self.window.canvas
        self.session.set_label_color(self.cup, LABEL_COLOR)

    @property
    def candidates(self) -> CandidatesPanel:
        """The panel of found objects."""
        panel = self.window.docks.panels["candidates"]
        assert isinstance(panel, CandidatesPanel)
        return panel

    @property
    def document(self) -> Document:
        """The open picture's document.

        Raises:
            LookupError: no picture is open.
        """
        if self.session.document is None:
            raise LookupError("no picture is open")
        return self.session.document

    @property
    def shown(self) -> str:
        """The name of the picture that shows, "" before the first."""
        image = self.session.image
        return "" if image is None or image.path is None else image.path.name

    # Working

    def until(self, condition: Callable[[], object]) -> None:
        """Let the window work until something is so.

        Raises:
            TimeoutError: it has not become so.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.window.grab().save(str(self.out / "waiting.png"))
                raise TimeoutError(f"the window did not come to what was waited for: {self.out}/waiting.png")
            self.application.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.005)

    def open(self, name: str) -> None:
        """Show a photo of the folder, and wait until it has been read."""
        self.until(lambda: self.shown)
        if self.shown != name:
            self.services.pictures.open_picture(self.photos / name)
        self.until(lambda: self.shown == name)
        self.until(lambda: self.session.encoding is not None and not self.services.busy.text)

    def at(self, point: tuple[float, float]) -> QPoint:
        return self.canvas.image_to_view(QPointF(*point)).toPoint()

    def click(self, point: tuple[float, float], button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        QTest.mouseMove(self.canvas, self.at(point))
        QTest.mouseClick(self.canvas, button, Qt.KeyboardModifier.NoModifier, self.at(point))

    def scroll(self, point: tuple[float, float], notches: int) -> None:
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

    def choose(self, tool: str) -> None:
        self.window.actions_by_id[f"tool_{tool}"].trigger()
        self.until(lambda: self.session.tool == tool)

    def press(self, key: Qt.Key) -> None:
        QTest.keyClick(self.canvas, key)

    def grow(self, *points: tuple[float, float]) -> None:
        """A region from clicks that all belong to it."""
        self.choose("seed")
        for number, point in enumerate(points, start=1):
            self.click(point)
            self.until_seeds(number)
            self.rest()

    def until_seeds(self, count: int) -> None:
        self.until(lambda: len(self.session.seed_state.seeds) == count)

    def keep(self, label: str) -> None:
        """Enter, under a label."""
        count = len(self.document.annotation.instances)
        self.session.set_option("label", label)
        self.press(Qt.Key.Key_Return)
        self.until(lambda: len(self.document.annotation.instances) == count + 1)

    # Looking

    def rest(self) -> QPixmap:
        """The window, once nothing moves in it any more."""
        before, since = self.window.grab().toImage(), time.monotonic()
        while time.monotonic() - since < REST:
            self.until(lambda: not self.services.busy.text)
            QTest.qWait(100)
            now = self.window.grab().toImage()
            if now != before:
                before, since = now, time.monotonic()
        return QPixmap.fromImage(before)

    def take(self, name: str) -> None:
        """A picture of the window."""
        self.window.status.clearMessage()
        self.rest().save(str(self.out / f"{name}.png"))

    def take_dialog(self, name: str, dialog: QWidget) -> None:
        """A picture of a dialog alone, with a line around it."""
        shot = dialog.grab()
        painter = QPainter(shot)
        painter.setPen(LINE)
        painter.drawRect(shot.rect().adjusted(0, 0, -1, -1))
        painter.end()
        shot.save(str(self.out / f"{name}.png"))

    def shade(self, point: tuple[float, float]) -> QColor:
        """What the canvas shows at a picture point."""
        return self.canvas.grab().toImage().pixelColor(self.at(point))

    # The pictures

    def take_all(self) -> None:
        self.until(self.window.isVisible)
        self.services.pictures.open_path(self.photos)
        self.open("astronaut.jpg")
        self.take_found()
        self.take_recolored()
        self.open("coffee.jpg")
        self.take_seeds()
        self.take_window()
        self.take_checks()
        self.take_export()
        self.take_training()
        self.window.close()

    def take_found(self) -> None:
        """Objects found without a click, waiting to be accepted."""
        self.window.actions_by_id["auto"].trigger()
        self.until(lambda: self.candidates.list.candidates)
        self.take("found")
        self.candidates.dismiss()

    def take_recolored(self) -> None:
        """A suit in another colour, with the sliders."""
        self.grow(SUIT)
        self.keep(self.suit)
        self.choose("recolor")
        self.session.set_option("color", GREEN)
        self.click(SUIT)
        self.until(lambda: self.shade(SUIT).green() > self.shade(SUIT).red())
        self.take("recoloured")

    def take_seeds(self) -> None:
        """A region that is being grown: clicks for and against, τ and the levels."""
        self.session.set_option("label", self.cup)
        self.grow(CUP[0], HANDLE)
        self.scroll(CUP[0], 2)
        self.click(SPOON, Qt.MouseButton.RightButton)
        self.until_seeds(3)
        self.take("seeds")
        self.press(Qt.Key.Key_Escape)

    def take_window(self) -> None:
        """A cup and its saucer in another colour."""
        self.grow(*CUP)
        self.keep(self.cup)
        self.choose("recolor")
        self.session.set_option("color", BLUE)
        self.click(SAUCER)
        self.until(lambda: self.shade(SAUCER).blue() > self.shade(SAUCER).red())
        QTest.mouseMove(self.canvas, self.at((590, 390)))
        self.window.actions_by_id["save"].trigger()
        self.until(lambda: not self.document.is_modified)
        self.take("window")

    def take_checks(self) -> None:
        """What the checks say of an object that is there twice."""
        self.window.actions_by_id["duplicate"].trigger()
        self.until(lambda: len(self.document.annotation.instances) == 2)
        dialog = ChecksDialog(self.session, self.services.pictures, self.window)
        dialog.resize(480, 220)
        dialog.show()
        self.until(lambda: dialog.list.count())
        self.take_dialog("checks", dialog)
        dialog.close()
        self.window.actions_by_id["undo"].trigger()
        self.window.actions_by_id["save"].trigger()
        self.until(lambda: not self.document.is_modified)

    def take_export(self) -> None:
        """An export that had to change something, and says so."""
        dialog = ExportDialog(self.services.exporting, self.services.pictures, self.window)
        dialog.format.setCurrentIndex(dialog.format.findData("yolo"))
        dialog.show()
        dialog.go.click()
        self.until(dialog.report.isVisible)
        dialog.resize(720, dialog.sizeHint().height())
        self.until(lambda: dialog.width() == 720)
        self.take_dialog("export", dialog)
        dialog.close()

    def take_training(self) -> None:
        """Before a training begins: what there is to learn from, and how long."""
        self.window.actions_by_id["auto"].trigger()
        self.until(lambda: self.candidates.list.candidates)
        self.candidates.list.set_smallest(ENOUGH)
        self.candidates.accept()
        self.window.actions_by_id["save"].trigger()
        self.until(lambda: not self.document.is_modified)
        dialog = TrainDialog(self.services.training, self.window)
        dialog.resize(dialog.minimumSize())
        dialog.show()
        self.until(dialog.start_button.isEnabled)
        self.take_dialog("train", dialog)
        dialog.close()


if __name__ == "__main__":
    Scenes(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])).take_all()
