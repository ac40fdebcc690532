"""pycocotools judges every COCO file: it loads it, sees our masks and scores them perfect."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from converters.annotation import ImageAnnotation, Instance, Mask, Polygon
from converters.formats.coco.instances import write_coco
from tests.annotation_strategies import annotations, boxes, masks, polygons

# pycocotools' own decoder has not yet learned numpy 2's copy keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def load(path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotation=annotations(masks))
def test_masks_are_the_same_masks_to_pycocotools(tmp_path, annotation):
    write_coco(tmp_path / "a.json", [annotation])
    coco = load(tmp_path / "a.json")
    assert len(coco.anns) == len(annotation.instances)
    for entry, instance in zip(coco.anns.values(), annotation.instances, strict=True):
        full = coco.annToMask(entry).astype(bool)
        assert np.array_equal(full, instance.geometry.to_full(annotation.height, annotation.width))
        code = coco.annToRLE(entry)
        assert entry["area"] == coco_mask.area(code)
        assert entry["bbox"] == coco_mask.toBbox(code).tolist()
        assert coco.cats[entry["category_id"]]["name"] == instance.label


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotation=annotations(lambda h, w: st.one_of(polygons(h, w), boxes(h, w))))
def test_areas_and_boxes_of_polygons_are_pycocotools_own(tmp_path, annotation):
    write_coco(tmp_path / "a.json", [annotation])
    coco = load(tmp_path / "a.json")
    for entry, instance in zip(coco.anns.values(), annotation.instances, strict=True):
        code = coco.annToRLE(entry)
        assert entry["area"] == coco_mask.area(code)
        if isinstance(instance.geometry, Polygon):
            assert entry["bbox"] == coco_mask.toBbox(code).tolist()


def blob(seed: int) -> Mask:
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:120, :160]
    y, x, r = rng.integers(20, 100), rng.integers(20, 140), rng.integers(6, 19)
    full = (yy - y) ** 2 + (xx - x) ** 2 < r * r
    full[y - 2 : y + 3, x - 2 : x + 3] = False
    return Mask.from_full(full)


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_the_truth_against_itself_scores_one(tmp_path, kind):
    pictures = [
        ImageAnnotation(
            f"{n}.png",
            120,
            160,
            tuple(
                Instance(f"{n}-{k}", "cat" if k % 2 else "dog", blob(10 * n + k), iscrowd=k == 5)
                for k in range(6)
            ),
        )
        for n in range(4)
    ]
    write_coco(tmp_path / "truth.json", pictures)
    truth = load(tmp_path / "truth.json")
    found = [
        {
            "image_id": a["image_id"],
            "category_id": a["category_id"],
            "segmentation": a["segmentation"],
            "bbox": a["bbox"],
            "score": 1.0,
        }
        for a in truth.anns.values()
        if not a["iscrowd"]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
