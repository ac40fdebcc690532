"""`doctor`: what of SeedHue's surroundings is wrong, and how to mend it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from app.commands.output import DONE, FAILED, print_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

QT_PROBE = """
import os, sys
os.environ.setdefault("QT_API", "pyside6")
from PySide6.QtWidgets import QApplication
application = QApplication(["probe"])
print(application.platformName())
"""
PROBE_SECONDS = 30
BROKEN_PYSIDE = ("6.11.0", "6.11.1", "6.12.0")
XCB_PACKAGES = "libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libdbus-1-3"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` is empty unless the state is bad."""

    subject: str
    state: Literal["good", "warning", "bad"]
    text: str
    remedy: str = ""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the sub-command."""
    parser = commands.add_parser("doctor", help="check Qt, OpenCV, torch, weights and folders")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(handler=run)


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 if something is bad."""
    checks: tuple[Callable[[], Finding], ...] = (
        check_python,
        check_qt,
        check_window,
        check_opencv,
        check_torch,
        check_threads,
        check_weights,
        check_folders,
    )
    findings = [check() for check in checks]
    if options.json:
        print_json([asdict(f) for f in findings])
    else:
        marks = {"good": "ok  ", "warning": "note", "bad": "BAD "}
        for finding in findings:
            print(f"{marks[finding.state]}  {finding.subject:10} {finding.text}")
            if finding.remedy:
                print(f"{'':17}→ {finding.remedy}")
    return FAILED if any(f.state == "bad" for f in findings) else DONE


def check_python() -> Finding:
    """Which Python this is, and where; pip refuses to install SeedHue on one that is too old."""
    text = ".".join(str(v) for v in sys.version_info[:3])
    return Finding("Python", "good", f"{text} in {sys.prefix}")


def check_qt() -> Finding:
    """PySide6 is there, of a release that works, and no second Qt binding gets in the way."""
    try:
        from PySide6 import __version__ as version
    except ImportError as error:
        return Finding("PySide6", "bad", str(error), "pip install -r requirements.lock")
    if version in BROKEN_PYSIDE:
        remedy = 'pip install "PySide6-Essentials>=6.8,!=6.11.0,!=6.11.1,<6.12"'
        return Finding("PySide6", "bad", f"{version} is a broken release", remedy)
    if importlib.util.find_spec("PyQt5") is not None:
        text = f"{version}; PyQt5 is installed in the same environment"
        return Finding("PySide6", "warning", text, "SeedHue copes, but a separate environment is safer.")
    return Finding("PySide6", "good", version)


def check_window() -> Finding:
    """A window can be opened: tried in a child process, because a missing library aborts it."""
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        return Finding("display", "warning", "none here; every command except the window works without one")
    try:
        probe = subprocess.run(
            [sys.executable, "-c", QT_PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Finding("display", "bad", "Qt did not answer", "Check the display server.")
    if probe.returncode == 0:
        return Finding("display", "good", f"Qt platform {probe.stdout.strip()}")
    lines = [line for line in probe.stderr.splitlines() if line.strip()]
    remedy = f"On Debian or Ubuntu: apt install {XCB_PACKAGES}" if sys.platform.startswith("linux") else ""
    return Finding("display", "bad", lines[0] if lines else "Qt could not start", remedy)


def check_opencv() -> Finding:
    """OpenCV is there once."""
    try:
        import cv2
    except ImportError as error:
        return Finding("OpenCV", "bad", str(error), "pip install -r requirements.lock; apt install libgl1")
    from importlib.metadata import distributions

    names = sorted({d.metadata["Name"].lower() for d in distributions() if d.metadata["Name"]})
    wheels = [n for n in names if n.startswith("opencv-") and "python" in n]
    if len(wheels) > 1:
        text = f"{cv2.__version__}, installed {len(wheels)} times: {', '.join(wheels)}"
        return Finding("OpenCV", "bad", text, "Uninstall all of them, then pip install opencv-python.")
    return Finding("OpenCV", "good", cv2.__version__)


def check_torch() -> Finding:
    """torch is there; says what it computes on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", "bad", str(error), "pip install -r requirements.lock")
    from models.backbones.int8 import can_compute_int8
    from models.device.choice import choose_device
    from models.device.precision import reads_faster_in_bfloat16

    device = choose_device()
    numbers = "with bfloat16" if reads_faster_in_bfloat16(device) else "in float32"
    if device.type == "cpu" and can_compute_int8():
        numbers += " and, where the weights allow it, in integers of 8 bits"
    return Finding("torch", "good", f"{torch.__version__}, computes on {device.type} {numbers}")


def check_threads() -> Finding:
    """How many threads compute, how they wait for each other, and why."""
    try:
        from models.device.threads import computing, is_users_number
    except (ImportError, OSError) as error:
        return Finding("threads", "bad", str(error), "pip install -r requirements.lock")
    found = computing()
    text = f"{found.threads}, as {found.why}, "
    text += "whatever else is busy" if is_users_number() else "fewer while other programs are busy"
    if found.runtime:
        text += f"; {found.waiting} ({found.runtime} OpenMP)"
    return Finding("threads", "good", text)


def check_weights() -> Finding:
    """The active model loads and answers a click."""
    import numpy as np

    from app.commands.model_choice import load_chosen_segmenter
    from models import Seed, SegmenterError

    try:
        segmenter = load_chosen_segmenter("seednet")
        encoding = segmenter.encode(np.full((64, 64, 3), 128, np.uint8))
        encoding.mask([Seed(32.0, 32.0)])
    except SegmenterError as error:
        return Finding("weights", "bad", str(error), "Reinstall SeedHue, or `models rollback`.")
    return Finding("weights", "good", f"{segmenter.version} answers a click")


def check_folders() -> Finding:
    """Settings, models and journals can be written."""
    from app.project.folders import config_dir, data_dir, state_dir

    folders = (config_dir(), data_dir(), state_dir())
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
        except OSError as error:
            text = f"{folder}: {error.strerror}"
            return Finding("folders", "bad", text, "Give yourself write permission, or set SEEDHUE_HOME.")
    return Finding("folders", "good", ", ".join(str(folder) for folder in folders))
