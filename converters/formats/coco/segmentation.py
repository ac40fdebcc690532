"""The `segmentation` of a COCO annotation: rings, run-length codes or a box, and back."""

from __future__ import annotations

from itertools import chain
from typing import Any

from pycocotools import mask as coco_mask

from converters.annotation import Box, Geometry, Mask, Polygon
from converters.errors import ConverterError
from converters.files.budget import MASK_PIXELS, spend
from converters.formats.labelme.shapes import decode_geometry
from converters.formats.reading import are_coordinates, take_points
from converters.shapes.geometry import bounding_box, decode_rle, encode_rle, fill_rings, rasterize
from converters.shapes.kinds import kind_of, outline


def size_of_codes(raws: list[tuple[int, Any]]) -> tuple[int, int]:
    """A picture's size from its run-length codes, where the file does not tell it; else (0, 0)."""
    for _, raw in raws:
        code = raw.get("segmentation")
        size = code.get("size") if isinstance(code, dict) else None
        if (
            isinstance(size, list)
            and len(size) == 2
            and all(type(n) is int and 0 < n < 1 << 20 for n in size)
        ):
            return size[0], size[1]
    return 0, 0


def read_geometry(raw: dict[str, Any], shape: Any, height: int, width: int) -> Geometry:
    """An annotation's shape: the original form if `shape` tells one that still fits, else what COCO holds.

    Raises:
        ConverterError: there is no segmentation and no box, or they are damaged.
    """
    found = _segmentation_of(raw, height, width)
    if isinstance(shape, dict):
        # The original form counts only while the segmentation is still the one made from it.
        try:
            original = decode_geometry(shape, height=height, width=width)
            remade, _ = write_segmentation(original, height, width)
        except (ConverterError, ValueError):
            return found
        if remade["segmentation"] == raw.get("segmentation"):
            return original
    return found


def _segmentation_of(raw: dict[str, Any], height: int, width: int) -> Geometry:
    code = raw.get("segmentation")
    if isinstance(code, dict):
        mask = decode_rle(code)
        if height and width and code["size"] != [height, width]:
            raise ConverterError(f"the RLE was made for a picture of {code['size'][1]} x {code['size'][0]}.")
        return mask
    if isinstance(code, list) and code:
        rings = [code] if all(isinstance(v, int | float) for v in code) else code
        polygons = [_ring(ring) for ring in rings]
        if len(polygons) == 1:
            return polygons[0]
        if not (height and width):
            raise ConverterError("several rings need the picture's size, and it is not told.")
        return _filled(polygons, height, width)
    box = raw.get("bbox")
    if isinstance(box, list) and len(box) == 4 and are_coordinates(box):
        x, y, w, h = map(float, box)
        return Box(x, y, x + w, y + h)
    raise ConverterError("there is neither a segmentation nor a bounding box.")


def _ring(values: Any) -> Polygon:
    if not isinstance(values, list) or len(values) < 6 or len(values) % 2:
        raise ConverterError("a ring of the segmentation is not a list of at least three x, y pairs.")
    if not are_coordinates(values):
        raise ConverterError("a ring of the segmentation holds something else than finite numbers.")
    take_points(len(values) // 2)
    numbers = list(map(float, values))
    return Polygon(tuple(zip(numbers[0::2], numbers[1::2], strict=True)))


def _filled(polygons: list[Polygon], height: int, width: int) -> Mask:
    rings = [list(chain.from_iterable(polygon.points)) for polygon in polygons]
    if not all(_is_near(ring, height, width) for ring in rings):
        raise ConverterError("a ring lies far outside the picture.")
    spend(MASK_PIXELS, 0)  # the time; the pixels are counted where they are made
    code = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))
    return decode_rle({"size": [height, width], "counts": code["counts"]})


def _is_near(ring: list[float], height: int, width: int) -> bool:
    """pycocotools takes memory by the length of a ring's outline, so it gets no far-off ones."""
    reach = 4 * (height + width) + 1000
    total = sum(ring)  # NaN if one is, and the comparisons would not notice
    return total == total and min(ring) >= -reach and max(ring) <= reach


def write_segmentation(geometry: Geometry, height: int, width: int) -> tuple[dict[str, Any], str]:
    """`segmentation`, `area`, `bbox`, and a note when the form had to change (or "")."""
    note = ""
    kind = kind_of(geometry)
    if kind.is_cornered:
        corners = outline(geometry)
        ring = list(map(float, chain.from_iterable(corners)))
        if len(corners) >= 3 and _is_near(ring, height, width):
            code = coco_mask.frPyObjects([ring], height, width)[0]
            box = _exact_box(geometry) if isinstance(geometry, Box) else coco_mask.toBbox(code).tolist()
            return {"segmentation": [ring], "area": float(coco_mask.area(code)), "bbox": box}, note
        note = "a polygon of fewer than three points or far outside the picture becomes a mask"
        mask = (
            fill_rings([corners], height, width) if len(corners) >= 3 else rasterize(geometry, height, width)
        )
    else:
        mask = rasterize(geometry, height, width)
        if not isinstance(geometry, Mask):
            note = f"a {kind.title} becomes a mask"
    if isinstance(geometry, Mask) and mask.area != geometry.area:
        note = "the part of the mask outside the picture is cut off"
    box = [float(mask.x0), float(mask.y0), float(mask.x1 - mask.x0), float(mask.y1 - mask.y0)]
    return {"segmentation": encode_rle(mask, height, width), "area": float(mask.area), "bbox": box}, note


def _exact_box(box: Box) -> list[float]:
    x0, y0, x1, y1 = bounding_box(box)
    return [x0, y0, x1 - x0, y1 - y0]
