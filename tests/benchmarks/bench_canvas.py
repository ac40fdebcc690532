"""What a frame costs on a 12-megapixel picture with 1 000 objects (docs/architecture.md, "Budgets").

Run `python -m pytest tests/benchmarks/bench_canvas.py -m benchmark -s`. The reference is a plain
blit of a window-sized image in the same process: figures are medians, and ratios to it.
"""

from __future__ import annotations

from statistics import median, quantiles
from time import perf_counter, sleep, thread_time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QPainter
from PySide6.QtWidgets import QApplication

from app.canvas.view import CanvasView
from app.document.document import Document
from app.pixels.base_image import prepare_image
from app.pixels.label_image import draw_labels
from app.session import Session
from app.tools.registry import ToolBox
from converters.annotation import ImageAnnotation, Instance, Mask, RecolorOperation
from tests.gui.color_encoding import ColorEncoding

pytestmark = pytest.mark.benchmark

HEIGHT, WIDTH, COUNT = 3000, 4000, 1000
WINDOW = 1600, 900


def photo():
    """Smooth colour with noise: compresses and interpolates like a photograph."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    base = np.stack([x / WIDTH, y / HEIGHT, (x + y) / (WIDTH + HEIGHT)], axis=2) * 200
    return (base + random.integers(0, 40, (HEIGHT, WIDTH, 1))).astype(np.uint8)


def objects(count):
    random = np.random.default_rng(1)
    found = []
    for number in range(count):
        radius = int(random.integers(20, 120))
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        disc = x**2 + y**2 <= radius**2
        x0, y0 = int(random.integers(0, WIDTH - 2 * radius)), int(random.integers(0, HEIGHT - 2 * radius))
        found.append(Instance(f"i{number}", f"label {number % 12}", Mask(x0, y0, disc)))
    return tuple(found)


class Bench:
    def __init__(self, count):
        self.session = Session()
        self.view = CanvasView(self.session)
        self.tools = ToolBox(self.session, self.view).tools
        self.view.resize(*WINDOW)
        self.view.show()
        self.image = photo()
        annotation = ImageAnnotation("photo.png", HEIGHT, WIDTH, objects(count))
        self.session.open_document(Document(annotation), prepare_image(self.image), draw_labels(annotation))
        self.session.set_encoding(ColorEncoding(self.image))
        QApplication.processEvents()

    def mouse(self, kind, x, y, held=Qt.MouseButton.NoButton):
        at = QPointF(self.view.image_to_view(QPointF(x, y)))
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, at, self.view.mapToGlobal(at), button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self.view, event)


def timed(act, repeats=40):
    """Milliseconds of each repetition, painting included: elapsed, and of this thread alone."""
    times = []
    for number in range(repeats):
        start, busy = perf_counter(), thread_time()
        act(number)
        QApplication.processEvents()
        times.append(((perf_counter() - start) * 1000, (thread_time() - busy) * 1000))
    return times


def reference():
    source = QImage(*WINDOW, QImage.Format.Format_RGB32)
    source.fill(Qt.GlobalColor.darkGray)
    target = QImage(*WINDOW, QImage.Format.Format_RGB32)

    def blit(_):
        painter = QPainter(target)
        painter.drawImage(0, 0, source)
        painter.end()

    return median(busy for _, busy in timed(blit))


def report(name, times, unit):
    elapsed, busy = median(each for each, _ in times), median(own for _, own in times)
    p95 = quantiles([each for each, _ in times], n=20)[-1]
    print(
        f"{name:<40} median {elapsed:7.2f} ms   p95 {p95:7.2f} ms   "
        f"thread {busy:7.2f} ms   {busy / unit:6.1f} x blit"
    )


@pytest.fixture(scope="module")
def bench(qapp):
    made = Bench(COUNT)
    yield made
    made.view.close()


@pytest.fixture(scope="module")
def unit(qapp):
    value = reference()
    print(
        f"\nblit of {WINDOW[0]} x {WINDOW[1]}: {value:.2f} ms; {HEIGHT * WIDTH / 1e6:.0f} MP, {COUNT} objects"
    )
    return value


def test_preparing(qapp, unit):
    image, annotation = photo(), ImageAnnotation("a", HEIGHT, WIDTH, objects(COUNT))
    report("prepare_image (loader thread)", timed(lambda _: prepare_image(image), 8), unit)
    report("draw_labels (loader thread)", timed(lambda _: draw_labels(annotation), 8), unit)


@pytest.mark.parametrize("scale", [0.35, 1.0, 4.0])
def test_pan(bench, unit, scale):
    bench.session.set_tool("select")
    bench.view._set_viewport(bench.view.viewport.centered(scale, WIDTH / 2, HEIGHT / 2))
    QApplication.processEvents()

    def pan(k):
        sign = 1 if k % 20 < 10 else -1
        bench.view.pan_by(sign * 17, sign * 9)

    report(f"pan by (17, 9) at {scale:g}x", timed(pan), unit)


@pytest.mark.parametrize("scale", [0.35, 1.0, 4.0])
def test_zoom(bench, unit, scale):
    bench.view._set_viewport(bench.view.viewport.centered(scale, WIDTH / 2, HEIGHT / 2))
    report(
        f"zoom step around {scale:g}x", timed(lambda k: bench.view.zoom_by(1.1 if k % 2 else 1 / 1.1)), unit
    )


@pytest.mark.parametrize("radius", [20, 200])
def test_brush(bench, unit, radius):
    bench.session.set_tool("brush")
    bench.session.set_option("brush_radius", float(radius))
    bench.session.select(("i500",))
    bench.view.fit()
    QApplication.processEvents()
    bench.mouse(QEvent.Type.MouseButtonPress, 1000, 1500, Qt.MouseButton.LeftButton)

    def move(k):
        bench.mouse(QEvent.Type.MouseMove, 1000 + 12 * k, 1500 + 40 * np.sin(k), Qt.MouseButton.LeftButton)

    report(f"brush move, radius {radius}, fitted", timed(move), unit)
    report(
        f"brush release, radius {radius}",
        timed(lambda _: bench.mouse(QEvent.Type.MouseButtonRelease, 1400, 1500), 1) * 2,
        unit,
    )
    bench.session.document.undo()


def test_selecting_and_hovering(bench, unit):
    bench.view.fit()
    bench.session.set_tool("select")
    report("select an object", timed(lambda k: bench.session.select((f"i{k}",))), unit)
    report("hover", timed(lambda k: bench.mouse(QEvent.Type.MouseMove, 500 + 20 * k, 900)), unit)
    report("hide an object", timed(lambda k: bench.session.set_hidden({f"i{k}"})), unit)
    bench.session.set_hidden(())


def test_superpixels(bench, unit):
    """The GUI thread's share; computing runs beside it."""
    layer = bench.view.superpixels
    bench.session.select(())
    bench.view.fit()
    QApplication.processEvents()
    start, gaps = perf_counter(), []
    bench.session.set_tool("superpixel")
    while not layer.is_settled:
        begun = perf_counter()
        QApplication.processEvents()
        gaps.append((perf_counter() - begun) * 1000)
        sleep(0.002)
    took, lag = perf_counter() - start, np.percentile(gaps, 95)
    print(f"superpixels of 12 MP: {took:.2f} s, event loop p95 {lag:.1f} ms")
    report("superpixel hover", timed(lambda k: bench.mouse(QEvent.Type.MouseMove, 500 + 60 * k, 900)), unit)
    bench.mouse(QEvent.Type.MouseButtonPress, 500, 1500, Qt.MouseButton.LeftButton)

    def move(k):
        bench.mouse(QEvent.Type.MouseMove, 500 + 60 * k, 1500 + 40 * np.sin(k), Qt.MouseButton.LeftButton)

    report("superpixel stroke move, fitted", timed(move), unit)
    report(
        "superpixel stroke release",
        timed(lambda _: bench.mouse(QEvent.Type.MouseButtonRelease, 2900, 1500), 1) * 2,
        unit,
    )
    report("pan with the net", timed(lambda k: bench.view.pan_by(7 if k % 2 else -7, 0)), unit)
    disc = objects(1)[0].geometry
    report("snap one object (worker)", timed(lambda _: layer.current.snapped(disc)), unit)
    bench.session.document.undo()
    bench.session.set_tool("select")
    layer.shutdown()


def test_seed_preview(bench, unit):
    """The GUI thread's share of a τ step: asking, and painting the answer (the encoding runs beside)."""
    bench.session.select(())
    bench.view.fit()
    bench.session.set_tool("seed")
    tool = bench.tools["seed"]
    bench.mouse(QEvent.Type.MouseButtonPress, 2000, 1500)
    bench.mouse(QEvent.Type.MouseButtonRelease, 2000, 1500)

    def wait():
        while tool.is_busy:
            QApplication.processEvents()
        QApplication.processEvents()

    wait()
    gui, whole = [], []
    for number in range(25):
        start, begun = perf_counter(), thread_time()
        bench.session.set_option("tau", 0.5 + 0.01 * (number % 10))
        asked, paused = perf_counter(), thread_time()
        while not tool._runner.is_idle:
            sleep(0.001)
        answered, resumed = perf_counter(), thread_time()
        QApplication.processEvents()
        end, done = perf_counter(), thread_time()
        busy = (paused - begun + done - resumed) * 1000
        gui.append(((asked - start + end - answered) * 1000, busy))
        whole.append(((end - start) * 1000, busy))
    report("τ step, GUI thread", gui, unit)
    report("τ step to the screen (colour encoding)", whole, unit)
    bench.view.shutdown()


def test_recoloured(bench, unit):
    document = bench.session.document
    big = document.annotation.instance("i3")
    document.edit(
        "recolour",
        document.annotation.with_instances(
            tuple(
                Instance(i.id, i.label, i.geometry, recolor=RecolorOperation("#2040e0")) if i is big else i
                for i in document.annotation.instances
            )
        ),
    )
    while not bench.view.recolored.is_settled:
        QApplication.processEvents()
    bench.view.fit()
    report("pan with a recoloured object", timed(lambda k: bench.view.pan_by(5 if k % 2 else -5, 0)), unit)
    bench.view.shutdown()
