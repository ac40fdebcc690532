"""The real main window on real files, with a small colour segmenter instead of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QDeadlineTimer, QEvent, QPoint, QPointF

from app.appearance.i18n import set_language
from app.appearance.qt_translation import translate_qt
from app.appearance.theme import ThemeManager
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow
from tests.gui.window.color_segmenter import color_engine

if TYPE_CHECKING:
    from pathlib import Path


def write_picture(path: Path, *, shade=(40, 90, 200), size=(120, 160)) -> Path:
    """A grey picture with a coloured disc in its middle."""
    height, width = size
    image = np.full((height, width, 3), 120, np.uint8)
    cv2.circle(image, (width // 2, height // 2), height // 4, shade, -1)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        write_picture(pictures / f"photo{number}.png", shade=(40 + 60 * number, 90, 200))
    return pictures


class Driver:
    """A window, and waiting for what it does."""

    def __init__(self, qtbot, qapp, engine, training_work=None):
        self.bot = qtbot
        self.engine = engine
        self.services = WindowServices(SettingsStore(), engine=engine, training_work=training_work)
        self.theme = ThemeManager(qapp)
        self.theme.apply("light")
        self.window = MainWindow(self.services, self.theme)
        self.window.resize(1280, 800)

    @property
    def session(self):
        return self.services.session

    @property
    def document(self):
        return self.services.session.document

    def end(self):
        """Closes the window and deletes it at once: the next theme would be applied to it, too."""
        self.window.close()
        self.window.deleteLater()
        QCoreApplication.sendPostedEvents(self.window, QEvent.Type.DeferredDelete)
        self.theme.apply("light")
        self.theme.deleteLater()

    def show(self):
        self.window.show()
        self.bot.waitExposed(self.window)
        return self

    def wait(self, condition, timeout=30_000):
        """Lets events through until the condition holds; looks more often than pytest-qt's `waitUntil`."""
        deadline = QDeadlineTimer(timeout)
        while not condition():
            assert not deadline.hasExpired(), f"not within {timeout} ms"
            self.bot.wait(2)

    def open(self, *paths, current=None):
        """Opens paths and waits until the wanted picture is shown."""
        self.services.pictures.open_paths(list(paths))
        self.wait_for_picture(current)

    def wait_for_picture(self, path=None):
        self.wait(lambda: self.session.image is not None and path in (None, self.session.image.path))

    def wait_for_encoding(self):
        self.wait(lambda: self.session.encoding is not None)

    def save(self):
        """Saves now what autosave would save in a moment."""
        self.services.saving.save_now()
        self.wait(lambda: self.services.saving.state == "saved")

    def at(self, x, y) -> QPoint:
        point = self.window.canvas.image_to_view(QPointF(x, y))
        return QPoint(round(point.x()), round(point.y()))

    def trigger(self, command):
        self.window.actions_by_id[command].trigger()

    def titles(self):
        return [notice.title for notice in self.services.notices.notices]


@pytest.fixture
def engine():
    return color_engine()


@pytest.fixture
def driver(qtbot, qapp, engine):
    set_language("en")
    made = Driver(qtbot, qapp, engine)
    yield made
    set_language("en")
    translate_qt(qapp)
    made.end()
