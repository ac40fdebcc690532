"""A walk of random actions through the real window, and what must hold all the way."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QProgressBar
from shiboken6 import isValid

from app.project.workspace import Workspace
from app.workers.task import TaskRunner
from converters.errors import ConverterError
from tests.gui.walk.actions import WEIGHTS
from tests.gui.walk.hands import close_popups
from tests.gui.walk.ledger import difference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.gui.walk.answers import Answers
    from tests.gui.walk.ledger import Ledger
    from tests.gui.window.conftest import Driver

LONGEST_S = 20.0
"""What takes longer is taken for stuck."""
TOLD_LAST = 25


class Walk:
    """Drives windows, one after the other, over the same folders.

    Attributes:
        number: of the current action.
        count: objects that were clicked and arrived.
        told: what was done, for whoever reads a failure.
    """

    def __init__(
        self,
        make_driver: Callable[[], Driver],
        folders: tuple[Path, Path],
        ledger: Ledger,
        answers: Answers,
    ) -> None:
        self._make_driver = make_driver
        self._folders = folders
        self.ledger = ledger
        self._answers = answers
        self._expected: list[tuple[Path, str, int]] = []
        self.number = self.count = 0
        self.told: list[str] = []
        self.open_window()

    # The window

    @property
    def window(self):
        return self._driver.window

    @property
    def is_open(self) -> bool:
        return isValid(self.window) and self.window.isVisible()

    def open_window(self, folder: Path | None = None) -> None:
        """Starts the program on a folder."""
        self._driver = self._make_driver().show()
        self.window.services.pictures.open_path(folder or self._folders[0])
        self.settle()

    def give_up(self) -> None:
        """Ends the threads, for a test that has failed."""
        self.window.services.session.settle_by(lambda _tool: True)
        self.window.dialogs.may_close = lambda: True
        self.window.close()

    def close_window(self) -> None:
        """Closes the window for good, and looks at what it left."""
        for _ in range(30):  # a question may be answered with "stay"
            if not self.is_open:
                break
            self.window.close()
        assert not self.is_open, f"the window does not close: {self._answers.asked[-5:]}"
        self._check_expected()
        for runner in self.runners():
            assert not runner._thread.isRunning(), runner._thread.objectName()
        open_still = [d.path for d in self.ledger.documents if d.recorder is not None]
        assert not open_still, f"journals still open: {open_still}"
        self.ledger.documents.clear()
        protected = set(self.window.services.saving._protected)
        self._check_disk(protected)
        self.window.deleteLater()
        self._driver.theme.deleteLater()
        QTest.qWait(1)

    def runners(self) -> list[TaskRunner]:
        """Every worker thread of the window."""
        roots = (self.window, self.window.services)
        return [runner for root in roots for runner in root.findChildren(TaskRunner)]

    # Walking

    def take(self, seed: int, number: int) -> None:
        """Takes one action; what it is depends on nothing but seed and number."""
        chance = self._answers.chance = random.Random(f"{seed}:{number}")
        self.number = number
        (action,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        self.told.append(f"{number} {action.__name__}")
        outcome = action(self, chance)
        self.told[-1] += f" {outcome}" if outcome else ""
        close_popups(chance)
        pace = chance.random()
        if pace < 0.3:
            pass  # the next one comes at once
        elif pace < 0.7:
            self.breathe(chance.choice((1, 5, 15)))
        elif self.is_open:
            self.settle()
        if not self.is_open:
            self.told.append("a new window")
            self.close_window()
            self.open_window(chance.choice(self._folders))
        self.check()

    def trigger(self, name: str) -> None:
        """As a menu does: only what is enabled."""
        if self.is_open and self.window.actions_by_id[name].isEnabled():
            self.window.actions_by_id[name].trigger()

    def breathe(self, milliseconds: int) -> None:
        """Lets the event loop run for so long at least."""
        QTest.qWait(milliseconds)

    def any_file(self, chance: random.Random) -> Path:
        return chance.choice([*self._folders, *sorted(chance.choice(self._folders).iterdir())])

    def grow(self, chance: random.Random) -> bool:
        """Clicks an object in a picture that has been read; whether a mask has grown there."""
        session, canvas = self.window.services.session, self.window.canvas
        self.trigger("select_none")
        self.trigger("tool_seed")
        self.trigger("fit")
        self.settle()
        image = session.image
        if image is None or session.encoding is None or session.tool != "seed":
            return False
        if self.window.canvas.tool.name != "seed" or session.seed_state.seeds:
            return False
        x, y = chance.choice((0.5, 0.1)) * image.width, chance.choice((0.5, 0.1)) * image.height
        place = canvas.image_to_view(QPointF(x, y))
        at = QPoint(round(place.x()), round(place.y()))
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        end = time.monotonic() + 1
        while not session.seed_state.level_scores and time.monotonic() < end:
            QTest.qWait(1)
        return bool(session.seed_state.level_scores) and session.seed_state.instance_id is None

    def expect_object(self, label: str, *, may_be_asked: bool = False) -> None:
        """From here on the mask that was clicked must come to its document, with that label."""
        session = self.window.services.session
        session.set_option("label", label)
        if may_be_asked and self.window.services.settings.ask_about_masks:
            return  # the answer may be to discard it
        if session.document is not None:
            self._expected.append((session.document.path, label, self.number))

    # What must hold

    def settle(self) -> None:
        """Waits until nothing is on its way."""
        services = self.window.services
        end = time.monotonic() + LONGEST_S
        while True:
            QTest.qWait(1)
            busy = [
                r._thread.objectName()
                for r in self.runners()
                if r.is_busy and r is not services.training.runner
            ]
            if not busy and not services.session.arrivals.is_busy and not self._is_counting():
                break
            assert time.monotonic() < end, f"stuck: {busy}"
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        self._check_expected()
        self._check_nothing_moves()

    def _is_counting(self) -> bool:
        training = self.window.services.training
        return training.runner.is_busy and not training.is_running

    def check(self) -> None:
        """What holds after every action."""
        assert not self.ledger.losses, self.ledger.losses
        assert not self.ledger.surprises, "\n".join(self.ledger.surprises)
        assert QGuiApplication.overrideCursor() is None

    def _check_expected(self) -> None:
        """Objects that were kept have arrived, each once."""
        expected, self._expected = self._expected, []
        for path, label, number in expected:
            met = self.ledger.labels.get(path, set())
            assert label in met, f"the object of action {number} did not arrive in {path.name}"
            self.count += 1

    def _check_nothing_moves(self) -> None:
        services, window = self.window.services, self.window
        if services.training.is_running or not self.is_open:
            return
        assert services.busy.text is None, f"still shown: {services.busy.text}"
        assert window.canvas._busy is None
        tops = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
        bars = [bar for top in tops for bar in top.findChildren(QProgressBar) if bar.isVisible()]
        told = [f"{type(b.window()).__name__} {b.value()} of {b.maximum()}" for b in bars]
        assert not bars, f"progress bars still shown: {told}"

    def _check_disk(self, protected: set[Path]) -> None:
        """The annotation files hold what the documents held, but where a damaged one is left alone."""
        for path, account in self.ledger.accounts.items():
            if path in protected or not path.exists():
                continue
            workspace = Workspace(path.parent)
            if not workspace.label_file(path).exists():
                assert not account.annotation.instances, f"{path.name}: nothing was saved"
                continue
            try:
                found = {i.id: i.label for i in workspace.load(path).instances}
            except ConverterError:  # damaged before; the journal has it, as opening it again shows
                continue
            assert found == {i.id: i.label for i in account.annotation.instances}, path.name

    def end(self) -> None:
        """Closes the window; a new one brings everything back, and undo leads back to the beginning."""
        self.close_window()
        self.open_window()
        for path in sorted(self.ledger.accounts):
            self.told.append(f"back to {path.name}")
            self._go_to(path)
            self._undo_everything(path)
        self.close_window()
        self.check()
        end = time.monotonic() + 3  # journals flush once more
        while _threads() and time.monotonic() < end:
            time.sleep(0.01)
        assert not _threads(), f"threads still run: {_threads()}"

    def _go_to(self, path: Path) -> None:
        pictures, session = self.window.services.pictures, self.window.services.session
        if path not in pictures.paths:
            pictures.open_path(path)
            self.settle()
        pictures.open_picture(path)
        self.settle()
        assert session.document is not None
        assert session.document.path == path, f"{path.name} could not be opened again"
        known = self.ledger.accounts[path]
        assert not difference(known.annotation, session.document.annotation)

    def _undo_everything(self, path: Path) -> None:
        """All the steps back to the beginning, and as many forth again."""
        document = self.window.services.session.document
        left, steps, undo = document.annotation, 0, self.window.actions_by_id["undo"]
        end = time.monotonic() + LONGEST_S
        while undo.isEnabled():
            undo.trigger()
            steps += 1
            assert time.monotonic() < end, "undo does not end"
        told = difference(self.ledger.beginnings[path], document.annotation)
        assert not told, f"{path.name}: undo does not lead back to the beginning: {told}"
        for _ in range(steps):
            self.trigger("redo")
        told = difference(left, document.annotation)
        assert not told, f"{path.name}: redo does not lead to where undo began: {told}"
        self.settle()


def _threads() -> list[str]:
    """The threads that an interpreter would wait for, besides the main one."""
    alive = (thread for thread in threading.enumerate() if not thread.daemon)
    return [thread.name for thread in alive if thread is not threading.main_thread()]
