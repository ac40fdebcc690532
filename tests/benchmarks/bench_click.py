"""How long a click takes on a photograph of 12 megapixels: the network's part, and from the press to the paint.

Run `python -m pytest tests/benchmarks/bench_click.py -m benchmark -o python_files='bench_*.py' -s`.
The window answers in a thread, and what the next click may ask while the pointer rests; a click is measured
both with a pointer that rested for a tenth of a second and with one that did not.
"""

from __future__ import annotations

from statistics import median, quantiles
from time import perf_counter

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QEventLoop, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.application import favour_the_window
from app.core.settings import SettingsStore
from app.i18n import set_language
from app.main_window import MainWindow
from app.services.desk import Desk
from app.theme import ThemeManager
from converters.annotation import Seed
from models.registry import load_segmenter
from models.store import SHIPPED_VERSION  # noqa: F401
