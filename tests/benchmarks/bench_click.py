"""How long a click takes on a photograph of 12 megapixels: the answer alone, and from the press to the paint.

Run `python -m pytest tests/benchmarks/bench_click.py -m benchmark -o python_files='bench_*.py' -s`.
The window answers in a thread, and what the next click may ask while the pointer rests; a click is measured
as a hand makes it, after the pointer was put where it is and rested there, and right after it was put there.
A hand's pointer comes along a path (Flash & Hogan, Journal of Neuroscience 5, 1985) and rests before the
press: for up to half of the time that pointing takes ("An Investigation of Dwell Time in Cursor Positioning
Movements", Proceedings of the Human Factors and Ergonomics Society), here for a quarter. A turn of the wheel
moves τ.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.appearance.i18n import set_language
from app.appearance.theme import ThemeManager
from app.application import favour_the_window
from app.process.cores import in_passing_thread
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow
from converters.annotation import Seed
from models.networks.loading import load_segmenter
from tests.benchmarks.event_loop import wait_for, wait_until

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SAMPLE = Path(__file__).resolve().parents[2] / "resources" / "samples" / "coffee.jpg"
HEIGHT, WIDTH = 3000, 4000
CLICKS = ("the first", "a negative one", "a positive one more")
ROUNDS, WARM_UP = 40, 4
REST_S = 0.12
PATH_S, MOUSE_HZ = 0.35, 125.0  # a hand's way to its target, and how often a mouse tells where it is
ARRIVALS = ("came as a hand brings it and rested", "was put there and rested", "was put there just then")


def photograph() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) RGB."""
    small = cv2.imread(str(SAMPLE))[..., ::-1]
    return np.ascontiguousarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def three_clicks(draw: np.random.Generator) -> list[Seed]:
    places = zip(draw.uniform(200, WIDTH - 200, 3), draw.uniform(200, HEIGHT - 200, 3), strict=True)
    return [Seed(float(x), float(y), k != 1) for k, (x, y) in enumerate(places)]


def report(title: str, times: list[list[float]]) -> None:
    print(f"\n{title}")
    for name, spent in zip(CLICKS, times, strict=True):
        warm = [1000.0 * t for t in spent[WARM_UP:]]
        print(f"  {name:20} median {median(warm):5.1f} ms   p95 {quantiles(warm, n=20)[-1]:5.1f} ms")


def answer_times() -> list[list[float]]:
    """Seconds of each first, second and third click."""
    encoding = load_segmenter("seednet").encode(photograph())
    draw, times = np.random.default_rng(1), [[], [], []]
    for _ in range(ROUNDS):
        seeds = three_clicks(draw)
        for count, spent in enumerate(times, 1):
            begin = perf_counter()
            encoding.mask(seeds[:count], size=(HEIGHT // 4, WIDTH // 4))
            spent.append(perf_counter() - begin)
    return times


def test_the_answer_alone():
    times = in_passing_thread(answer_times)  # its helpers would slow the window down
    report(f"the answer, for {WIDTH // 4} x {HEIGHT // 4} pixels of the screen", times)


class Window:
    """The whole program with one open picture and the seed tool in the hand."""

    def __init__(self, application, folder):
        set_language("en")
        favour_the_window()
        cv2.imwrite(str(folder / "photo.jpg"), photograph()[..., ::-1])
        self.services = WindowServices(SettingsStore())
        self.theme = ThemeManager(application)
        self.pointer = QPoint(0, 0)
        self.theme.apply("light")
        self.window = MainWindow(self.services, self.theme)
        self.window.resize(1440, 900)
        self.window.show()
        self.services.pictures.open_path(folder)
        wait_until(lambda: self.services.session.encoding is not None)
        self.services.session.set_tool("seed")
        wait_for(1.0)

    def bring_pointer(self, at, arrival):
        """Move the pointer there in one of ARRIVALS."""
        view = self.window.canvas
        if arrival == ARRIVALS[0]:
            start, begin = self.pointer, perf_counter()
            while (share := (perf_counter() - begin) / PATH_S) < 1.0:
                done = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)  # of the least jerk
                QTest.mouseMove(view, start + (at - start) * done)
                wait_for(1.0 / MOUSE_HZ)
        QTest.mouseMove(view, at)
        self.pointer = at
        if arrival != ARRIVALS[2]:
            wait_for(REST_S)

    def click(self, seed, count, arrival):
        """Seconds from the press until the region of so many seeds is painted."""
        view, state = self.window.canvas, self.services.session
        at = QPoint(*(round(v) for v in view.viewport.to_device(seed.x, seed.y)))
        button = Qt.MouseButton.LeftButton if seed.positive else Qt.MouseButton.RightButton
        self.bring_pointer(at, arrival)
        begin = perf_counter()
        QTest.mousePress(view, button, Qt.KeyboardModifier.NoModifier, at)
        wait_until(lambda: len(state.seed_state.seeds) == count)
        QApplication.processEvents()  # paints
        spent = perf_counter() - begin
        QTest.mouseRelease(view, button, Qt.KeyboardModifier.NoModifier, at)
        wait_for(0.05)
        return spent

    def turn(self, steps):
        """Seconds from a turn of the wheel over the last click until the region of the new τ is painted."""
        view, state = self.window.canvas, self.services.session
        at = QPointF(*view.viewport.to_device(state.seed_state.seeds[-1].x, state.seed_state.seeds[-1].y))
        before = state.seed_state.tau
        wheel = QWheelEvent(
            at,
            QPointF(view.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        begin = perf_counter()
        QApplication.sendEvent(view, wheel)
        wait_until(lambda: state.seed_state.tau != before)
        QApplication.processEvents()  # paints
        spent = perf_counter() - begin
        wait_for(0.03)
        return spent

    def close(self):
        self.window.close()
        self.window.deleteLater()
        self.theme.deleteLater()


def test_from_the_press_to_the_paint(qapp, tmp_path):
    window = Window(qapp, tmp_path)
    try:
        for arrival in ARRIVALS:
            draw, times = np.random.default_rng(1), [[], [], []]
            for _ in range(ROUNDS):
                for number, seed in enumerate(three_clicks(draw)):
                    times[number].append(window.click(seed, number + 1, arrival))
                QTest.keyClick(window.window.canvas, Qt.Key.Key_Escape)
                wait_for(0.05)
            report(f"in the window, the pointer {arrival}", times)
    finally:
        window.close()


def test_from_a_turn_of_the_wheel_to_the_paint(qapp, tmp_path):
    window = Window(qapp, tmp_path)
    try:
        draw, times = np.random.default_rng(1), [[], [], []]
        for _ in range(ROUNDS // 4):
            for number, seed in enumerate(three_clicks(draw)):
                window.click(seed, number + 1, ARRIVALS[1])
                times[number] += [window.turn(step) for step in (1, 1, -1, -1, -1, 1)]
            QTest.keyClick(window.window.canvas, Qt.Key.Key_Escape)
            wait_for(0.05)
        report("in the window, a turn of the wheel after the click", times)
    finally:
        window.close()
