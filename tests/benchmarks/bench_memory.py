"""How much memory the window keeps: over 600 pictures, and after one of 80 megapixels.

Run `python -m pytest tests/benchmarks/bench_memory.py -m benchmark -o python_files='bench_*.py' -s`.
A process of its own, started as the program is, with the shipped model. What is printed is what the system
counts as the process's own memory (RSS), in megabytes. It must be below 1000 after the walk and after going
back from the large picture.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES, SIDES = 600, (1600, 1200)
LARGE_SIDES = (10_000, 8_000)
CEILING = 1000
READ_EVERY = 25  # so many pictures are passed by before one is waited for until the model has read it


@pytest.mark.benchmark
def test_memory(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEEDHUE_HOME": str(tmp_path / "home")}
    run = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "pictures")], env=environment, check=True, timeout=900
    )
    assert run.returncode == 0


def rss() -> float:
    """Megabytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def peak() -> float:
    """The most megabytes there ever were."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def make_pictures(folder: Path) -> Path:
    """Photographs, most of them links to a few, and a large one."""
    import cv2
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(PICTURES):
        target = folder / f"{number:04d}.jpg"
        if number < 8:
            rough = random.integers(0, 255, (12, 16, 3), np.uint8)
            cv2.imwrite(str(target), cv2.resize(rough, SIDES, interpolation=cv2.INTER_CUBIC))
        else:
            os.link(folder / f"{number % 8:04d}.jpg", target)
    rough = random.integers(0, 255, (24, 30, 3), np.uint8)
    large = folder.parent / "large" / "large.jpg"
    large.parent.mkdir()
    cv2.imwrite(str(large), cv2.resize(rough, LARGE_SIDES, interpolation=cv2.INTER_CUBIC))
    return large


def main(folder: Path) -> None:
    """Walks and prints."""
    from app.process.allocator import keep_freed_memory

    keep_freed_memory()
    large = make_pictures(folder)
    from PySide6.QtWidgets import QApplication

    from app.appearance.theme import ThemeManager
    from app.project.settings import SettingsStore
    from app.services.window_services import WindowServices
    from app.window.main_window import MainWindow
    from tests.benchmarks.event_loop import wait_for, wait_until

    application = QApplication([])
    services = WindowServices(SettingsStore())
    window = MainWindow(services, ThemeManager(application))
    window.resize(1440, 900)
    window.show()

    def show(path: Path, *, read: bool) -> None:
        if services.pictures.workspace is None or path not in services.pictures.paths:
            services.pictures.open_path(path)
        else:
            services.pictures.open_picture(path)
        wait_until(lambda: services.pictures.current == path)
        if read:
            wait_until_read()

    def wait_until_read() -> None:
        wait_until(lambda: services.session.encoding is not None)
        wait_until(lambda: not services.segmentation.runner.is_busy)

    def tell(what: str, ceiling: float = CEILING) -> None:
        wait_until_read()
        wait_for(0.6)
        now = rss()
        print(f"{what:<36} {now:7.0f} MB   peak {peak():7.0f} MB", flush=True)
        assert now < ceiling, what

    show(folder / "0000.jpg", read=True)
    tell("first picture")
    for number in range(1, PICTURES):
        show(folder / f"{number:04d}.jpg", read=number % READ_EVERY == 0)
        if number % 200 == 199:
            tell(f"{number + 1} pictures")
    show(large, read=True)
    tell("80 megapixels", 1600)  # of which the picture, its halved copies and itself for the screen are 670
    show(folder / "0000.jpg", read=True)
    tell("back to a small one")
    window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
