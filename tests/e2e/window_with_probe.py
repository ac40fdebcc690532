"""The real program, with a timer that writes what the window shows into a file.

    python tests/e2e/window_with_probe.py PROBE_FILE SHOT_FILE PATH...

The story under Xvfb reads PROBE_FILE to know where to move the mouse; it never touches the window
otherwise. Whenever SHOT_FILE.wanted exists, the screen is saved as SHOT_FILE.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.process.environment import guard_environment

guard_environment()

from PySide6.QtCore import QObject, QPoint, QPointF, QTimer, Slot
from PySide6.QtWidgets import QApplication, QWidget

from app.application import make_application, run_window
from app.panels.swatches import SwatchButton
from app.window.main_window import MainWindow


class Probe(QObject):
    """Looks at the main window ten times a second."""

    def __init__(self, target: Path, shot: Path) -> None:
        super().__init__()
        self._target, self._shot = target, shot
        self._timer = QTimer(self)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    @Slot()
    def _look(self) -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow)]
        if not windows or not windows[0].isVisible():
            return
        window = windows[0]
        temporary = self._target.with_suffix(".tmp")
        temporary.write_text(json.dumps(describe(window)))
        os.replace(temporary, self._target)
        wanted = self._shot.with_name(self._shot.name + ".wanted")
        if wanted.exists():
            wanted.unlink()
            part = self._shot.with_name("part-" + self._shot.name)
            window.screen().grabWindow(0).save(str(part))
            os.replace(part, self._shot)


def centre_of(widget: QWidget) -> list[int]:
    point = widget.mapToGlobal(widget.rect().center())
    return [point.x(), point.y()]


def describe(window: MainWindow) -> dict[str, object]:
    """Where things are on the screen, and what the session holds."""
    session, canvas = window.services.session, window.canvas
    origin = canvas.mapToGlobal(QPoint(0, 0))
    corner, unit = canvas.image_to_view(QPointF(0, 0)), canvas.image_to_view(QPointF(100, 0))
    state = session.seed_state
    document = session.document
    return {
        "origin": [origin.x() + corner.x(), origin.y() + corner.y()],
        "scale": (unit.x() - corner.x()) / 100,
        "picture": None if session.image is None else session.image.path.name,
        "encoded": session.encoding is not None,
        "tool": session.tool,
        "seeds": len(state.seeds),
        "tau": state.tau,
        "color": session.options.color,
        "objects": []
        if document is None
        else [
            {"label": i.label, "recolor": None if i.recolor is None else i.recolor.color}
            for i in document.annotation.instances
        ],
        "selected": len(session.selection),
        "modified": document is not None and document.is_modified,
        "label_entry": centre_of(window.docks.panels["labels"].entry),
        "swatches": {
            button.shade: centre_of(button)
            for button in window.docks.panels["properties"].recolor.findChildren(SwatchButton)
            if button.isVisible()
        },
        "notices": [n.title for n in window.services.notices.notices],
    }


if __name__ == "__main__":
    make_application()
    probe = Probe(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.exit(run_window(sys.argv[3:]))
