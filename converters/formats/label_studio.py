"""Label Studio JSON: brush masks (its own run-length code), polygons, boxes, ellipses, key points.

Positions are percent of the picture; its size stands in every result.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from converters.annotation import (
    Box,
    Circle,
    Geometry,
    ImageAnnotation,
    Instance,
    Mask,
    OrientedBox,
    Point,
    Polygon,
    RejectedShape,
    Vertex,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.budget import MASK_PIXELS, Budget, spend
from converters.files.files import read_json, shown
from converters.formats.format import Format, PictureEntry, files_with, reader_of
from converters.formats.own_facts import is_number
from converters.formats.reading import own_id, take_points
from converters.formats.signs import Signs
from converters.frozen import FrozenMap
from converters.shapes.rotation import ellipse_polygon, turned_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from converters.report import Report

_SHAPES = {
    "rectanglelabels": "rectangle",
    "polygonlabels": "polygon",
    "brushlabels": "brush",
    "ellipselabels": "ellipse",
    "keypointlabels": "keypoint",
}
_BRUSH_PIXELS = Budget("pixels", 1 << 26)
_ANSWERS = {"annotations", "completions"}


def _entries(path: Path, root: Path, report: Report) -> list[PictureEntry]:
    """The tasks of an export, each a picture; of several people's annotations the objects of all.

    Results that are no regions (choices, relations) become attributes of the picture in `extra`;
    cancelled annotations are passed over and reported.

    Raises:
        ConverterError: missing, not JSON, or no Label Studio export.
    """
    document = read_json(path)
    tasks = document if isinstance(document, list) else [document]
    found: list[PictureEntry] = []
    for index, task in enumerate(tasks):
        if isinstance(task, dict) and isinstance(task.get("data"), dict):
            name = _picture_name(task["data"])
            found.append(PictureEntry(name, partial(_annotation_of, task, name)))
        else:
            report.add("dropped", "the entry is no task of Label Studio", path=path, index=index)
    if not found:
        raise UnknownFormatError("this is no Label Studio export.", path=path)
    return found


def _is_export(document: Any) -> bool:
    if isinstance(document, list):
        return any(isinstance(task, dict) and "data" in task for task in document[:5])
    return isinstance(document, dict) and "data" in document and bool(_ANSWERS & document.keys())


def _annotation_of(task: dict[str, Any], name: str, report: Report) -> ImageAnnotation:
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    others: list[Any] = []
    height = width = 0
    for index, raw in enumerate(_results(task, name, report)):
        if not isinstance(raw, dict) or raw.get("type") not in (*_SHAPES, *_SHAPES.values()):
            others.append(raw)
            continue
        try:
            height, width = _size(raw)
            instances.append(_instance(raw, index, height, width))
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, raw))
    extra = {"label_studio_results": others} if others else {}
    return ImageAnnotation(
        name, height, width, tuple(instances), rejected=tuple(rejected), extra=FrozenMap(extra)
    )


def _results(task: dict[str, Any], name: str, report: Report) -> list[Any]:
    listed = task.get("annotations", task.get("completions"))
    found: list[Any] = []
    for annotation in listed if isinstance(listed, list) else ():
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            continue
        if annotation.get("was_cancelled") is True:
            report.add("dropped", "an annotation that was cancelled", path=name)
            continue
        found += annotation["result"]
    return found


def _picture_name(data: dict[str, Any]) -> str:
    """The picture's file name from the address under `image` (or the first address there is)."""
    values = [data.get("image"), data.get("img"), *data.values()]
    address = next((value for value in values if isinstance(value, str) and value), "")
    try:
        parts = urlsplit(address)
    except ValueError:
        return PurePosixPath(address).name
    local = parse_qs(parts.query).get("d")  # local files are served as /data/local-files/?d=PATH
    name = PurePosixPath(unquote(local[0] if local else parts.path)).name
    # Uploads carry a random prefix: 1a2b3c4d-photo.jpg
    prefix, dash, rest = name.partition("-")
    uploaded = "/upload/" in address and dash and len(prefix) == 8 and rest
    return rest if uploaded else name


def _size(raw: dict[str, Any]) -> tuple[int, int]:
    height, width = raw.get("original_height"), raw.get("original_width")
    if (
        type(height) is not int
        or type(width) is not int
        or not (0 < height < 1 << 20 and 0 < width < 1 << 20)
    ):
        raise ConverterError("the result does not tell the picture's size.")
    return height, width


def _instance(raw: dict[str, Any], index: int, height: int, width: int) -> Instance:
    value = raw.get("value")
    if not isinstance(value, dict):
        raise ConverterError("the result has no value.")
    kind = _SHAPES.get(raw["type"], raw["type"])
    labels = value.get(f"{kind}labels", value.get("labels"))
    label = labels[0] if isinstance(labels, list) and labels else None
    if not isinstance(label, str):
        raise ConverterError("the result has no label.")
    identity = raw.get("id")
    score = raw.get("score")
    more = {"labels": labels} if isinstance(labels, list) and len(labels) > 1 else {}
    return Instance(
        id=own_id(identity, raw, index),
        label=label,
        geometry=_geometry(kind, value, height, width),
        score=float(score) if is_number(score) else None,
        attributes=FrozenMap(more),
    )


def _geometry(kind: str, value: dict[str, Any], height: int, width: int) -> Geometry:
    def share(name: str, whole: int) -> float:
        found = value.get(name)
        if not is_number(found) or abs(found) > 10_000:
            raise ConverterError(f"{name} is {shown(found)}, no percentage.")
        return float(found) * whole / 100

    if kind == "brush":
        return Mask.from_full(decode_brush(value.get("rle"), height, width))
    if kind == "polygon":
        points = value.get("points")
        if not isinstance(points, list) or len(points) < 3:
            raise ConverterError("a polygon of fewer than three points.")
        take_points(len(points))
        return Polygon(tuple(_point(pair, height, width) for pair in points))
    x, y = share("x", width), share("y", height)
    if kind == "keypoint":
        return Point(x, y)
    turn = value.get("rotation", 0)
    angle = math.radians(turn) if is_number(turn) else 0.0
    if kind == "ellipse":
        rx, ry = share("radiusX", width), share("radiusY", height)
        return (
            Circle((x, y), (x + rx, y)) if math.isclose(rx, ry) else ellipse_polygon((x, y), (rx, ry), angle)
        )
    w, h = share("width", width), share("height", height)
    if angle == 0:
        return Box(x, y, x + w, y + h)
    # Label Studio turns a rectangle about its top left corner.
    corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    a, b, c, d = (turned_about(corner, (x, y), angle) for corner in corners)
    return OrientedBox((a, b, c, d))


def _point(pair: Any, height: int, width: int) -> Vertex:
    if (
        not isinstance(pair, list)
        or len(pair) != 2
        or not all(is_number(v) and abs(v) <= 10_000 for v in pair)
    ):
        raise ConverterError("a point of the polygon is no pair of percentages.")
    return pair[0] * width / 100, pair[1] * height / 100


def decode_brush(code: Any, height: int, width: int) -> NDArray[np.bool_]:
    """(H, W) bool from Label Studio's brush code; its opacity channel tells what is painted.

    The code is a stream of bits in bytes: 32 bits number of values (4 a pixel, RGBA), 5 bits word size
    minus one, four times 4 bits run-length sizes minus one; then blocks: 1 bit whether a value
    is repeated, 2 bits which size, the length minus one, and the value or the values.

    Raises:
        ConverterError: it is damaged, or made for a picture of another size.
    """
    if not isinstance(code, list) or not all(type(n) is int and 0 <= n <= 255 for n in code):
        raise ConverterError("the brush's rle is no list of bytes.")
    _BRUSH_PIXELS.check(height * width, asks=f"a brush of {width} x {height} has")
    spend(MASK_PIXELS, height * width)
    bits = _Bits(bytes(code))
    total = bits.take(32)
    if total != 4 * height * width:
        raise ConverterError("the brush was painted on a picture of another size.")
    word = bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    values = np.zeros(total, np.uint8)
    place = 0
    while place < total:
        repeated = bits.take(1)
        length = bits.take(sizes[bits.take(2)]) + 1
        if place + length > total:
            raise ConverterError("the brush's rle is damaged.")
        if repeated:
            values[place : place + length] = bits.take(word) & 255
        else:
            values[place : place + length] = bits.take_many(word, length)
        place += length
    return values.reshape(height, width, 4)[:, :, 3] > 0


class _Bits:
    """A stream of bits, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._data = data
        self._place = 0

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        end = self._place + count
        if end > 8 * len(self._data):
            raise ConverterError("the brush's rle is cut off.")
        first, last = self._place // 8, (end + 7) // 8
        number = int.from_bytes(self._data[first:last], "big") >> (8 * last - end)
        self._place = end
        return number & ((1 << count) - 1)

    def take_many(self, width: int, count: int) -> NDArray[np.uint8]:
        """The next `count` numbers of `width` bits, cut to 8."""
        end = self._place + width * count
        if end > self._bits.size:
            raise ConverterError("the brush's rle is cut off.")
        rows = self._bits[self._place : end].reshape(count, width)
        self._place = end
        return rows[:, -8:] @ (1 << np.arange(min(8, width) - 1, -1, -1)).astype(np.uint8)


FORMATS = (
    Format(
        name="label-studio",
        title="Label Studio JSON",
        find=files_with(".json"),
        read=reader_of(_entries),
        entries=_entries,
        signs=Signs(json=_is_export, json_ends=lambda ends: b'"result"' in ends),
    ),
)
