"""Answers for what would wait for a person: dialogs, menus, questions, file and colour dialogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QColorDialog,
    QDialog,
    QFileDialog,
    QMenu,
    QMessageBox,
)

from app.panels import labels
from app.services import window_services
from tests.gui.walk.hands import poke

if TYPE_CHECKING:
    import random
    from pathlib import Path

    import pytest


class Answers:
    """Dialogs are really shown and used for a while, never waited for.

    Attributes:
        chance: who decides; the walk sets it anew for every action.
        asked: what message boxes asked, each with the button that was pressed.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, folders: tuple[Path, Path]) -> None:
        self.chance: random.Random
        self.asked: list[tuple[str, str]] = []
        self._root, self._folders = root, folders
        self._clicked: Any = None
        monkeypatch.setattr(QDialog, "exec", lambda dialog: self._use(dialog))
        monkeypatch.setattr(QMessageBox, "exec", lambda box: self._press(box))
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _box: self._clicked)
        monkeypatch.setattr(labels, "QMenu", self._menu())
        monkeypatch.setattr(QColorDialog, "getColor", lambda *_: self._color())
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(self._folder()))
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(self._file()), ""))
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (self._files(), ""))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: (self._new(given[2]), ""))
        monkeypatch.setattr(QDesktopServices, "openUrl", lambda *_: True)
        monkeypatch.setattr(window_services, "sample_folder", lambda: folders[1])
        monkeypatch.setattr(window_services, "FIRST_SAMPLE", "a.png")

    def _use(self, dialog: QDialog) -> int:
        dialog.show()
        for _ in range(self.chance.randint(0, 4)):
            poke(self.chance, dialog)
            QTest.qWait(1)
            if not dialog.isVisible():
                break
        if dialog.isVisible():
            QTest.keyClick(dialog, self.chance.choice((Qt.Key.Key_Escape, Qt.Key.Key_Return)))
            QTest.qWait(1)
        if dialog.isVisible():
            dialog.reject()
        return dialog.result()

    def _press(self, box: QMessageBox) -> int:
        self._clicked = self.chance.choice(box.buttons())
        self.asked.append((box.text(), self._clicked.text()))
        box.show()
        self._clicked.click()
        box.hide()
        return 0

    def _menu(self) -> type[QMenu]:
        """PySide takes no other `exec` for the class itself."""

        choose = self._choose

        class Menu(QMenu):
            def exec(self, *_place: Any) -> Any:
                return choose(self)

        return Menu

    def _choose(self, menu: QMenu) -> Any:
        usable = [action for action in menu.actions() if action.isEnabled() and not action.isSeparator()]
        return self.chance.choice([None, *usable])

    def _color(self) -> QColor:
        return (
            QColor(*(self.chance.randrange(256) for _ in range(3)))
            if self.chance.random() < 0.8
            else QColor()
        )

    def _folder(self) -> Path | str:
        bad, other = self._folders
        (self._root / "nothing in it").mkdir(exist_ok=True)
        odd = ("", self._root / "not there", self._root / "nothing in it", bad / "sub", bad / "photo0.png")
        return self.chance.choice((bad, bad, other, other, *odd))

    def _file(self) -> Path:
        return self.chance.choice(sorted(self.chance.choice(self._folders).iterdir()))

    def _files(self) -> list[str]:
        return [str(self._file()) for _ in range(self.chance.randint(0, 3))]

    def _new(self, proposed: str) -> str:
        out = self._root / "exported"
        out.mkdir(exist_ok=True)
        names = ("", proposed, str(out / "copy.png"), str(out / "copy.jpg"), str(out / "no suffix"))
        return self.chance.choice(names)
