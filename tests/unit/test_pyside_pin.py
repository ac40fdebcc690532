"""PySide6 6.12.0 on Python 3.11 loses a reference to None with every call that returns it."""

from __future__ import annotations

import os
import subprocess
import sys

CALLS = 20_000
PROGRAM = f"""
from PySide6.QtWidgets import QApplication, QWidget
application = QApplication([])
widget = QWidget()
for _ in range({CALLS}):
    widget.update()
print("survived")
"""


def test_twenty_thousand_calls_that_return_none_do_not_abort():
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "survived"
