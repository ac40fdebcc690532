"""Colours can be read in both themes, and starting the window imports neither torch nor PyQt5."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.appearance.theme import make_palette, style_sheet, tokens

ROOT = Path(__file__).parents[3]


def luminance(shade):
    channels = [int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("text", "muted") for ground in ("window", "surface", "raised")),
        ("text", "accent_soft"),
        ("text", "hover"),
        ("on_accent", "accent"),
        ("on_accent", "accent_hover"),
        ("accent", "surface"),
        ("error", "window"),
        ("warning", "warning_soft"),
        ("error", "error_soft"),
        ("success", "surface"),
    ],
)
def test_text_has_the_contrast_of_wcag_aa(scheme, text, ground):
    values = tokens(scheme)
    assert contrast(values[text], values[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rims_of_controls_stand_out(scheme):
    values = tokens(scheme)
    assert contrast(values["border_strong"], values["surface"]) >= 3


def test_both_schemes_have_the_same_tokens(qapp):
    assert tokens("light").keys() == tokens("dark").keys()
    for scheme in ("light", "dark"):
        assert "$" not in style_sheet(scheme)
        assert make_palette(scheme).window().color().name() == tokens(scheme)["window"]


def test_window_starts_without_torch(tmp_path):
    program = """
import sys
from app.application import make_application
from app.project.settings import SettingsStore
from app.window.main_window import MainWindow
from app.services.window_services import WindowServices
from app.appearance.theme import ThemeManager
application = make_application()
theme = ThemeManager(application)
theme.apply("light")
services = WindowServices(SettingsStore())
window = MainWindow(services, theme)
seen = []
services.start = lambda: seen.append("torch" in sys.modules)
window.show()
while not seen:
    application.processEvents()
window.close()
assert seen == [False], "torch was imported before the first paint"
assert "PyQt5" not in sys.modules
assert "pyqtgraph" not in sys.modules
"""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "SEEDHUE_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
