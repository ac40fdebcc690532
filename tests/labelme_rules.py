"""The rules of labelme 7.9's reader, written down independently of the code under test.

labelme 7.9 needs a newer Python than this project, so its rules stand here as a checker of their own;
tests/oracle asks a real, older labelme as well.
"""

from __future__ import annotations

import base64
import io
import json
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from pathlib import Path

TOP_ORDER = ["version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"]
SHAPE_ORDER = ["label", "points", "group_id", "description", "shape_type", "flags", "mask"]
EXACT_COUNTS = {"point": 1, "rectangle": 2, "line": 2, "circle": 2, "mask": 2, "oriented_rectangle": 4}
TYPES = {*EXACT_COUNTS, "polygon", "linestrip", "points"}


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def check_labelme(path: Path) -> dict:
    """Fail with an AssertionError if labelme 7.9 would refuse the file, or formats it otherwise."""
    document = json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse_constant)
    keys = list(document)
    assert keys[:7] == TOP_ORDER, keys
    assert isinstance(document["version"], str)
    check_flags(document["flags"])
    assert isinstance(document["imagePath"], str)
    size = [document["imageHeight"], document["imageWidth"]]
    assert all(n is None or (type(n) is int and n > 0) for n in size), size
    if document["imageData"] is not None:
        with Image.open(io.BytesIO(base64.b64decode(document["imageData"], validate=True))) as picture:
            upright = ImageOps.exif_transpose(picture)
            assert [upright.height, upright.width] == size
    for shape in document["shapes"]:
        check_shape(shape)
    return document


def check_flags(flags: object) -> None:
    assert isinstance(flags, dict)
    assert all(type(value) is bool for value in flags.values()), flags


def check_shape(shape: dict) -> None:
    standard = [key for key in shape if key in (*SHAPE_ORDER, "locked")]
    assert standard == [*SHAPE_ORDER, *(["locked"] if "locked" in shape else [])], list(shape)
    assert list(shape)[-len(standard) :] == standard, "foreign keys come first"
    assert shape.get("locked", True) is True, "locked is written only when true"
    assert isinstance(shape["label"], str)
    assert isinstance(shape["description"], str)
    assert shape["group_id"] is None or type(shape["group_id"]) is int
    check_flags(shape["flags"])
    kind, points = shape["shape_type"], shape["points"]
    assert kind in TYPES, kind
    assert isinstance(points, list)
    assert points
    assert all(len(p) == 2 and all(type(v) in (int, float) and math.isfinite(v) for v in p) for p in points)
    assert len(points) == EXACT_COUNTS.get(kind, len(points))
    if kind != "mask":
        assert shape["mask"] is None
        return
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"], validate=True))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        patch = np.asarray(picture)
    (x1, y1), (x2, y2) = points
    assert patch.shape == (y2 - y1 + 1, x2 - x1 + 1)
    assert set(np.unique(patch)) <= {0, 1}
