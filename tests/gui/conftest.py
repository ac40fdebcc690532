"""What holds for every test with widgets: a question that nobody answers fails the test."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QDialog, QMessageBox

ANSWERED_WITHIN_MS = 5000


@pytest.fixture(autouse=True)
def no_unanswered_question(monkeypatch):
    """A test that expects a question answers it, or patches `exec` itself."""
    unanswered: list[str] = []

    def ask(dialog: QDialog) -> int:
        def give_up() -> None:
            text = f"{dialog.text()} {dialog.informativeText()}" if isinstance(dialog, QMessageBox) else ""
            unanswered.append(f"{dialog.windowTitle()}: {text}")
            dialog.reject()

        patience = QTimer(dialog)
        patience.setSingleShot(True)
        patience.timeout.connect(give_up)
        patience.start(ANSWERED_WITHIN_MS)
        answer = run(dialog)
        patience.stop()
        return answer

    run = QDialog.exec
    monkeypatch.setattr(QMessageBox, "exec", ask)
    monkeypatch.setattr(QDialog, "exec", ask)
    yield
    assert not unanswered, f"asked during the test: {unanswered}"
