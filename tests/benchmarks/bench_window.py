"""What the GUI thread pays in the whole window, on a 12-megapixel picture with 1 000 objects.

Run `python -m pytest tests/benchmarks/bench_window.py -m benchmark -o python_files='bench_*.py' -s`.
Edits are measured from the call until everything is painted; saving and switching, which run in
threads, by the longest gap between two beats of the event loop. Elapsed times include waiting for
a busy machine and for the interpreter lock, "thread" is what this thread alone has computed.
"""

from __future__ import annotations

from statistics import median, quantiles
from time import perf_counter, thread_time

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication

from app.appearance.i18n import set_language
from app.appearance.theme import ThemeManager
from app.application import favour_the_window
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow
from converters.annotation import ImageAnnotation, Instance, Mask, Provenance, Seed
from converters.formats.labelme.document import write_labelme
from tests.benchmarks.event_loop import wait_for, wait_until
from tests.gui.window.color_segmenter import color_engine

pytestmark = pytest.mark.benchmark

HEIGHT, WIDTH, COUNT = 3000, 4000, 1000
SIZE = 1440, 900
BEAT_MS = 1


def disc(random, identity):
    radius = int(random.integers(20, 120))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    x0, y0 = int(random.integers(0, WIDTH - 2 * radius)), int(random.integers(0, HEIGHT - 2 * radius))
    grown = Provenance("seeds", (Seed(x0 + radius, y0 + radius),), 0.5, 1, "seednet-1")
    return Instance(
        identity, f"label {radius % 12}", Mask(x0, y0, x**2 + y**2 <= radius**2), provenance=grown
    )


def crowded_folder(folder, pictures=2):
    """Photographs, each with its thousand objects."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    base = np.stack([x / WIDTH, y / HEIGHT, (x + y) / (WIDTH + HEIGHT)], axis=2) * 200
    for number in range(pictures):
        noise = random.integers(0, 40, (HEIGHT, WIDTH, 1))
        path = folder / f"photo{number}.jpg"
        cv2.imwrite(str(path), (base + noise).astype(np.uint8))
        instances = tuple(disc(random, f"{number}-{place}") for place in range(COUNT))
        write_labelme(path.with_suffix(".json"), ImageAnnotation(path.name, HEIGHT, WIDTH, instances))


class Heart(QObject):
    """Beats in the event loop and notes the longest time between two beats."""

    def __init__(self):
        super().__init__()
        self.gaps = []
        self._last = perf_counter(), thread_time()
        self._timer = QTimer(self)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def __enter__(self):
        self.gaps = []
        self._last = perf_counter(), thread_time()
        self._timer.start()
        return self

    def __exit__(self, *_):
        self._beat()
        self._timer.stop()

    @Slot()
    def _beat(self):
        now = perf_counter(), thread_time()
        self.gaps.append(((now[0] - self._last[0]) * 1000, (now[1] - self._last[1]) * 1000))
        self._last = now

    @property
    def longest(self):
        """The longest gap in milliseconds, and the most this thread computed between two beats."""
        return max(elapsed for elapsed, _ in self.gaps), max(own for _, own in self.gaps)


class Bench:
    def __init__(self, application, folder):
        set_language("en")
        favour_the_window()
        self.random = np.random.default_rng(7)
        self.services = WindowServices(SettingsStore(), engine=color_engine())
        self.theme = ThemeManager(application)
        self.theme.apply("light")
        self.window = MainWindow(self.services, self.theme)
        self.window.resize(*SIZE)
        self.window.show()
        self.folder = folder
        self.services.pictures.open_path(folder)
        wait_until(lambda: self.services.session.encoding is not None)
        self.rest()

    @property
    def session(self):
        return self.services.session

    @property
    def document(self):
        return self.services.session.document

    def rest(self):
        """Until nothing is modified and nothing runs."""
        saving, pictures = self.services.saving, self.services.pictures
        wait_until(
            lambda: (
                saving.state == "saved"
                and not saving.runner.is_busy
                and not pictures.runner.is_busy
                and not self.services.segmentation.runner.is_busy
            )
        )
        wait_for(0.2)

    def close(self):
        self.window.close()
        self.window.deleteLater()
        self.theme.deleteLater()


def timed(act, repeats=30, between=lambda: None):
    times = []
    for number in range(repeats):
        between()
        start, busy = perf_counter(), thread_time()
        act(number)
        QApplication.processEvents()
        times.append(((perf_counter() - start) * 1000, (thread_time() - busy) * 1000))
    return times


def report(name, times):
    elapsed, busy = [each for each, _ in times], [own for _, own in times]
    p95 = quantiles(elapsed, n=20)[-1] if len(times) > 1 else elapsed[0]
    print(f"{name:<44} median {median(elapsed):7.2f} ms   p95 {p95:7.2f} ms   thread {median(busy):7.2f} ms")


def test_window(qapp, tmp_path):
    crowded_folder(tmp_path)
    print(f"\n{HEIGHT * WIDTH / 1e6:.0f} MP, {COUNT} objects, window of {SIZE[0]} x {SIZE[1]}")
    bench = Bench(qapp, tmp_path)
    try:
        measure_edits(bench)
        measure_autosave(bench)
        measure_switching(bench)
    finally:
        bench.close()


def measure_edits(bench):
    bench.session.set_tool("select")
    bench.services.saving.set_autosave(False)
    report("add an object", timed(lambda k: bench.document.add(disc(bench.random, f"new {k}"))))
    report("undo it", timed(lambda _: bench.window.actions_by_id["undo"].trigger()))
    report("redo it", timed(lambda _: bench.window.actions_by_id["redo"].trigger()))
    ids = [instance.id for instance in bench.document.annotation.instances]
    report("select one", timed(lambda k: bench.session.select((ids[k],))))
    report("delete one from the middle", timed(lambda k: bench.document.remove([ids[500 + k]])))
    report("undo that", timed(lambda _: bench.window.actions_by_id["undo"].trigger()))
    report("relabel one", timed(lambda k: bench.document.relabel([ids[k]], f"label {k % 5}")))
    report(
        "select all",
        timed(
            lambda _: bench.window.actions_by_id["select_all"].trigger(),
            between=lambda: (bench.session.select(()), QApplication.processEvents()),
        ),
    )
    report(
        "select none",
        timed(
            lambda _: bench.session.select(()),
            between=lambda: (bench.session.select(ids), QApplication.processEvents()),
        ),
    )
    bench.services.saving.set_autosave(True)
    bench.services.saving.save_now(always=True)
    bench.rest()


def measure_autosave(bench):
    gaps = []
    for number in range(6):
        bench.document.relabel([bench.document.annotation.instances[number].id], f"saved {number}")
        QApplication.processEvents()
        with Heart() as heart:
            wait_until(lambda: bench.services.saving.state == "saved")
        gaps.append(heart.longest)
        wait_for(0.1)
    report("longest gap of the event loop at autosave", gaps)


def measure_switching(bench):
    gaps = []
    for number in range(6):
        bench.rest()
        image = bench.session.image
        with Heart() as heart:
            command = "previous_picture" if number % 2 else "next_picture"
            bench.window.actions_by_id[command].trigger()
            wait_until(lambda image=image: bench.session.image not in (None, image))
            wait_for(0.3)
        gaps.append(heart.longest)
    report("longest gap when another picture comes", gaps)
