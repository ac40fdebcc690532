"""The zoom protocol, with a segmenter that sees the better the less it encodes."""

import cv2
import numpy as np
import pytest

from converters.annotation import ImageAnnotation, Instance, Mask
from converters.files.images import write_image
from converters.formats.coco.instances import write_coco
from models.data.dataset import load_dataset
from models.evaluation.zoom import VIEW_HEIGHT, VIEW_WIDTH, canvases, evaluate_zoom, view_around
from models.grid.encoding import GridAnswer, GridEncoding
from models.grid.frame import GridFrame
from models.segmenter import Segmenter


class LikeTheSeed(GridEncoding):
    """Takes every cell whose redness is that of the clicked one."""

    feature_bytes = 0

    def __init__(self, image, frame):
        super().__init__(frame, image.shape[:2], "coarse")
        rows, columns = frame.grid_size
        red = frame.prepare(image)[: rows * frame.stride, : columns * frame.stride, 0]
        self._red = cv2.resize(red, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)

    def answer_cell(self, row, column):
        distance = np.abs(self._red - self._red[row, column])
        return GridAnswer(np.clip(1.0 - distance / 150.0, 0.0, 1.0).astype(np.float32), 0.5, 1.0)

    def instances(self, min_score=0.5, max_count=100):
        return []


class CoarseSegmenter(Segmenter):
    """A grid of 64 cells over whatever is encoded."""

    name = version = "coarse"

    def encode(self, image, region=None, should_stop=None):
        height, width = image.shape[:2]
        frame = GridFrame.fit(region or (0, 0, width, height), long_side=256, stride=4)
        return LikeTheSeed(image, frame)


@pytest.fixture
def dataset(tmp_path):
    """Five pictures of 96 x 128, each with a small red disc and one that is not small."""
    (tmp_path / "images").mkdir()
    annotations = []
    ys, xs = np.mgrid[:96, :128]
    for number in range(5):
        small = (xs - 30) ** 2 + (ys - 40) ** 2 < 5**2
        large = (xs - 90) ** 2 + (ys - 50) ** 2 < 20**2
        image = np.zeros((96, 128, 3), np.uint8)
        image[small | large] = (250, 20, 20)
        write_image(tmp_path / "images" / f"{number}.png", image)
        discs = tuple(Instance(str(i), "disc", Mask.from_full(m)) for i, m in enumerate((small, large)))
        annotations.append(ImageAnnotation(f"{number}.png", 96, 128, discs))
    write_coco(tmp_path / "instances.json", annotations)
    return load_dataset(tmp_path)[0]


def test_four_pictures_share_a_canvas_and_only_small_objects_count(dataset):
    first, second = canvases(dataset, height=300, width=400)
    assert first.pixels.shape == second.pixels.shape == (300, 400, 3)
    assert len(first.objects) == 4
    assert len(second.objects) == 1
    for (x0, y0, x1, y1), mask in first.objects:
        assert mask.shape == (y1 - y0, x1 - x0)
        assert (first.pixels[y0:y1, x0:x1, 0][mask] > 100).mean() > 0.95
    assert (second.pixels[200:] == 127).all()


def test_a_view_has_the_screens_size_and_stays_in_the_picture():
    for x, y in ((0.0, 0.0), (2000.0, 1500.0), (3999.5, 2999.5)):
        x0, y0, x1, y1 = view_around(x, y, 3000, 4000)
        assert (x1 - x0, y1 - y0) == (VIEW_WIDTH, VIEW_HEIGHT)
        assert x0 <= x < x1
        assert y0 <= y < y1
    assert view_around(10.0, 10.0, 200, 300) == (0, 0, 300, 200)


def test_encoding_the_view_finds_small_objects_better(dataset):
    progress = []
    report = evaluate_zoom(CoarseSegmenter(), dataset, on_progress=lambda *done: progress.append(done))
    assert (report.canvases, report.objects) == (2, 5)
    assert progress == [(1, 2), (2, 2)]
    assert report.view_iou > 0.8
    assert report.whole_iou < report.view_iou - 0.2
