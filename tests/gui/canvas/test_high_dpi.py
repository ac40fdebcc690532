"""A screen with two device pixels per logical one; Qt reads the factor once, so in its own process."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication
from app.pixels.base_image import prepare_image
from app.canvas.view import CanvasView
from app.document.document import Document
from app.session import Session
from converters.annotation import ImageAnnotation, Instance, Mask
from tests.gui.canvas_scene import to_array

app = QApplication([])
session, image = Session(), np.full((100, 100, 3), 90, np.uint8)
image[:, 50:] = 200
view = CanvasView(session)
view.resize(300, 300)
view.show()
mask = Mask(20, 20, np.ones((31, 60), bool))
annotation = ImageAnnotation("a.png", 100, 100, (Instance("a", "thing", mask),))
session.open_document(Document(annotation), prepare_image(image))
view.actual_size()
view.zoom_by(5)
app.processEvents()
assert view.devicePixelRatioF() == 2.0
assert (view.viewport.width, view.viewport.height, view.zoom) == (600, 600, 5.0)
shown = to_array(view.grab().toImage())
assert shown.shape[:2] == (600, 600)
x, y = (int(v) for v in view.viewport.to_device(20, 51))
assert shown[y, x + 20].tolist() == [90, 90, 90], shown[y, x + 20]
assert shown[y - 1, x + 20].tolist() != [90, 90, 90]
assert shown[y - 10, x - 1].tolist() == [90, 90, 90]
edge = int(view.viewport.to_device(50, 0)[0])
assert shown[y + 20, edge - 1].tolist() == [90, 90, 90]
assert shown[y + 20, edge].tolist() == [200, 200, 200]
point = view.image_to_view(QPointF(40, 30))
back = view.view_to_image(point)
assert abs(back.x() - 40) < 1e-6 and abs(back.y() - 30) < 1e-6
view.close()
print("sharp")
"""


def test_the_canvas_works_in_device_pixels():
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "sharp" in done.stdout
