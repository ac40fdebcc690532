"""RectLabel: VOC-like XML with polygons, lines, curves, points and pixel masks, and its plain JSON.

In the XML, boxes count pixels from 1 as in Pascal VOC; the points of polygons and lines are taken as they
stand. A mask is a PNG `NAME_pixelsN.png` beside the XML.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import compress, count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np

from converters.annotation import (
    Box,
    Geometry,
    ImageAnnotation,
    Instance,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    Vertex,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import json_text, make_folder, read_json, shown, write_atomic
from converters.files.images import encode_png
from converters.files.locate import is_file_inside
from converters.formats.format import (
    Format,
    Picture,
    WriteOptions,
    files_with,
    known_size,
    outline_note,
    place_image,
)
from converters.formats.own_facts import KEY, all_facts, with_facts
from converters.formats.reading import (
    box_of_corners,
    content_id,
    dots_of,
    line_of,
    mask_from_picture,
    picture_side,
    read_label,
    read_points,
    read_shapes,
    take_points,
)
from converters.formats.signs import Signs
from converters.formats.voc import add_bndbox, add_voc_object, voc_object, voc_root
from converters.formats.xml_files import (
    MIT_TAGS,
    OUTLINE_TAGS,
    add,
    decimal,
    element_dict,
    fits_xml,
    number,
    pixels_of,
    read_xml,
    text_of,
    xml_bytes,
)
from converters.frozen import FrozenMap
from converters.shapes.geometry import joined_outline, rasterize
from converters.shapes.kinds import MAX_POINTS, kind_of, outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converters.report import Report
    from converters.shapes.kinds import Drawn

_CURVE_STEPS = 8
_TAGS: dict[Drawn, str] = {"closed": "polygon", "open": "line", "points": "keypoints"}


def read_rectlabel(path: Path | str) -> ImageAnnotation:
    """One XML or JSON file. Curves become polygons of eight points a piece.

    Raises:
        ConverterError: missing, damaged, or no RectLabel file.
    """
    file = Path(path)
    return _of_json(file) if file.suffix.lower() == ".json" else _of_xml(file)


def _of_xml(file: Path) -> ImageAnnotation:
    root = read_xml(file)
    if root.tag != "annotation":
        raise UnknownFormatError("this is no RectLabel file.", path=file)
    instances, rejected = read_shapes(
        enumerate(root.findall("object")), partial(_xml_instance, file=file), element_dict
    )
    return ImageAnnotation(
        image_path=text_of(root, "filename"),
        height=pixels_of(root.findtext("size/height")),
        width=pixels_of(root.findtext("size/width")),
        instances=instances,
        rejected=rejected,
    )


def _xml_instance(element: Element, index: int, file: Path) -> Instance:
    geometry = _xml_geometry(element, file)
    if geometry is None:
        return voc_object(element, index)
    stand_in = Element("bndbox")
    for tag in ("xmin", "ymin", "xmax", "ymax"):
        add(stand_in, tag, 0)
    had_box = element.find("bndbox") is not None
    if not had_box:
        element.append(stand_in)
    instance = voc_object(element, index)
    if not had_box:
        element.remove(stand_in)
    keypoints = element.find("keypoints")
    seen = _visibility(keypoints) if keypoints is not None and isinstance(geometry, Point | PointSet) else []
    if set(seen) - {2}:
        visibility = [each for each in seen if each]
        instance = replace(instance, attributes=FrozenMap({"visibility": visibility, **instance.attributes}))
    return replace(instance, geometry=geometry)


def _xml_geometry(element: Element, file: Path) -> Geometry | None:
    """The shape, or None when the object has only a box."""
    if (found := element.find("polygon")) is not None:
        points = _numbered(found)
        return Polygon(points)
    if (found := element.find("rotated_bndbox")) is not None or (
        found := element.find("robndbox")
    ) is not None:
        points = _numbered(found)
        if len(points) != 4:
            raise ConverterError("a turned box has four corners.")
        return box_of_corners(points)
    if (found := element.find("line")) is not None:
        return line_of(_numbered(found))
    if (found := element.find("cubic_bezier")) is not None:
        return Polygon(_curve(_numbered(found), _numbered(found, "_c1"), _numbered(found, "_c2")))
    if (found := element.find("keypoints")) is not None:
        points = tuple(compress(_numbered(found), _visibility(found)))
        if not points:
            raise ConverterError("none of its key points is set.")
        return dots_of(points)
    if (found := element.find("pixels")) is not None:
        mask_id = text_of(found, "id")
        if not (mask_id.isascii() and mask_id.isdigit() and len(mask_id) < 9):
            raise ConverterError("the pixels have no number.")
        picture = file.with_name(f"{file.stem}_pixels{mask_id}.png")
        if not is_file_inside(picture, file.parent):
            raise ConverterError(f"the mask {picture.name} is not to be found.")
        return mask_from_picture(picture)
    return None


def _numbered(element: Element, ending: str = "") -> tuple[Vertex, ...]:
    """x1, y1, x2, y2, ..., each tag with the ending."""
    texts = {child.tag: child.text for child in element}
    points: list[Vertex] = []
    for n in takewhile(lambda n: f"x{n}{ending}" in texts, range(1, MAX_POINTS)):
        x, y = f"x{n}{ending}", f"y{n}{ending}"
        points.append((number(texts[x], x), number(texts.get(y), y)))
    if not points:
        raise ConverterError(f"the {element.tag} has no points.")
    take_points(len(points))
    return tuple(points)


def _visibility(keypoints: Element) -> list[int]:
    """v1, v2, ... of the points: 0 not set, 1 occluded, 2 visible, which is also what is not told."""
    texts = {child.tag: (child.text or "").strip() for child in keypoints}
    points = takewhile(lambda n: f"x{n}" in texts, count(1))
    return [{"0": 0, "1": 1}.get(texts.get(f"v{n}", ""), 2) for n in points]


def _curve(
    anchors: tuple[Vertex, ...], before: tuple[Vertex, ...], after: tuple[Vertex, ...]
) -> tuple[Vertex, ...]:
    """A closed chain of cubic curves as points on it. Each anchor has two handles; which of them belongs to
    which neighbour is told by the distances."""
    handles = list(zip(before, after, strict=True))
    if len(handles) != len(anchors):
        raise ConverterError("a point of the curve lacks its handles.")
    points: list[Vertex] = []
    for n, start in enumerate(anchors):
        end, leaving, coming = anchors[(n + 1) % len(anchors)], handles[n], handles[(n + 1) % len(anchors)]
        first = min(leaving, key=lambda h: _square(h, end))
        second = min(coming, key=lambda h: _square(h, start))
        curve = start, first, second, end
        points += [_on_curve(curve, step / _CURVE_STEPS) for step in range(_CURVE_STEPS)]
    return tuple(points)


def _square(a: Vertex, b: Vertex) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def _on_curve(control: tuple[Vertex, Vertex, Vertex, Vertex], t: float) -> Vertex:
    u = 1 - t
    weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
    x, y = (sum(w * point[axis] for w, point in zip(weights, control, strict=True)) for axis in (0, 1))
    return x, y


def _is_json(document: Any) -> bool:
    if not isinstance(document, dict) or isinstance(document.get("info"), dict):
        return False
    return isinstance(document.get("objects"), list) and "filename" in document


def _is_xml(tags: Sequence[str]) -> bool:
    return tags[0] == "annotation" and not OUTLINE_TAGS.isdisjoint(tags) and MIT_TAGS.isdisjoint(tags)


def _of_json(file: Path) -> ImageAnnotation:
    document = read_json(file)
    if not isinstance(document, dict) or not isinstance(document.get("objects"), list):
        raise UnknownFormatError("this is no RectLabel JSON.", path=file)
    size = document.get("image_w_h")
    width, height = (
        size
        if isinstance(size, list) and len(size) == 2
        else (document.get("image_w"), document.get("image_h"))
    )
    instances, rejected = read_shapes(enumerate(document["objects"]), _json_instance)
    name = document.get("filename")
    return ImageAnnotation(
        image_path=name.replace("\\", "/") if isinstance(name, str) else "",
        height=picture_side(height),
        width=picture_side(width),
        instances=instances,
        rejected=rejected,
    )


def _json_instance(raw: Any, index: int) -> Instance:
    if not isinstance(raw, dict):
        raise ConverterError("the object is no JSON object.")
    instance = Instance(content_id(raw, index), read_label(raw.get("label")), _json_geometry(raw))
    return with_facts(instance, raw.get(KEY))


def _json_geometry(raw: dict[str, Any]) -> Geometry:
    for key in ("polygon", "line", "keypoints", "rotated_box", "cubic_bezier"):
        if key in raw:
            values = raw[key]
            if key == "keypoints" and isinstance(values, list) and _are_triples(values) and KEY not in raw:
                values = [v for n, v in enumerate(values) if n % 3 < 2 and values[n - n % 3 + 2]]
            if not isinstance(values, list) or len(values) % 2 or not values:
                raise ConverterError(f"{key} is no list of x, y pairs.")
            points = read_points([list(pair) for pair in zip(values[0::2], values[1::2], strict=True)])
            if key == "polygon":
                return Polygon(points)
            if key == "cubic_bezier":
                return Polygon(_curve(points[0::3], points[1::3], points[2::3]))
            if key == "rotated_box" and len(points) == 4:
                return box_of_corners(points)
            if key == "keypoints":
                return dots_of(points)
            return line_of(points)
    box = raw.get("x_y_w_h")
    if not isinstance(box, list) or len(box) != 4:
        raise ConverterError(f"the object has no shape that is known here: {shown(sorted(map(str, raw)))}.")
    (x, y), (w, h) = read_points([box[:2], box[2:]])
    return Box(x, y, x + w, y + h)


def _are_triples(values: list[Any]) -> bool:
    """Whether every third number is a visibility (0, 1 or 2), as RectLabel writes key points."""
    return len(values) % 3 == 0 and all(type(v) is int and 0 <= v <= 2 for v in values[2::3])


def _write_xml(picture: Picture, options: WriteOptions, report: Report) -> None:
    annotation, folder = _start(picture, options, report)
    height, width = known_size(picture)
    root = voc_root(annotation, "images", any(isinstance(i.geometry, Mask) for i in annotation.instances))
    file = folder / f"{picture.name}.xml"
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if not fits_xml(instance.label):
            note("changed", "its label holds letters or spaces XML does not keep")
        element = add_voc_object(root, instance)
        geometry = instance.geometry
        kind = kind_of(geometry)
        if isinstance(geometry, Box):
            add_bndbox(element, instance)
        elif isinstance(geometry, OrientedBox):
            _add_points(element, "rotated_bndbox", geometry.points)
        elif kind.is_cornered or not kind.is_region:
            visible = kind.drawn == "points"
            _add_points(element, _TAGS[kind.drawn], outline(geometry), visible=visible)
        else:
            if not isinstance(geometry, Mask):
                note("changed", f"a {kind.title} becomes a mask")
            add(add(element, "pixels"), "id", index)
            full = rasterize(geometry, height, width).to_full(height, width)
            png = encode_png(full.astype(np.uint8) * 255)
            write_atomic(file.with_name(f"{file.stem}_pixels{index}.png"), png)
        report.instances += 1
    write_atomic(file, xml_bytes(root))


def _write_json(picture: Picture, options: WriteOptions, report: Report) -> None:
    annotation, folder = _start(picture, options, report)
    height, width = known_size(picture)
    objects: list[dict[str, Any]] = []
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        shape = _json_shape(instance.geometry, height, width, note)
        if shape is not None:
            objects.append({"label": instance.label, **shape, KEY: all_facts(instance)})
    name = annotation.image_path.rpartition("/")[2]
    document = {"filename": name, "folder": "images", "image_w_h": [width, height], "objects": objects}
    write_atomic(folder / f"{picture.name}.json", json_text(document, indent=2))
    report.instances += len(objects)


def _json_shape(geometry: Geometry, height: int, width: int, note: Any) -> dict[str, Any] | None:
    kind = kind_of(geometry)
    if isinstance(geometry, Box):
        x0, y0, x1, y1 = geometry.x0, geometry.y0, geometry.x1, geometry.y1
        return {"x_y_w_h": [min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)]}
    if isinstance(geometry, OrientedBox):
        return {"rotated_box": _flat(geometry.points)}
    if kind.is_cornered or not kind.is_region:
        return {_TAGS[kind.drawn]: _flat(outline(geometry))}
    joined, rings = joined_outline(rasterize(geometry, height, width))
    if joined is None:
        note("dropped", "it has no pixels inside the picture")
        return None
    note("changed", outline_note(rings))
    return {"polygon": _flat(joined.points)}


def _flat(points: tuple[Vertex, ...]) -> list[float]:
    return [value for point in points for value in point]


def _add_points(element: Element, tag: str, points: tuple[Vertex, ...], *, visible: bool = False) -> None:
    parent = add(element, tag)
    for index, (x, y) in enumerate(points, start=1):
        add(parent, f"x{index}", decimal(x))
        add(parent, f"y{index}", decimal(y))
        if visible:
            add(parent, f"v{index}", 2)


def _start(picture: Picture, options: WriteOptions, report: Report) -> tuple[ImageAnnotation, Path]:
    """The annotation with its placed picture, and the folder for its label file."""
    base = options.target / picture.split
    placed = place_image(picture, base / "images", report) if options.copy_images else None
    annotation = replace(picture.annotation, image_path=placed or picture.annotation.image_path)
    report.add_rejected(annotation)
    report.pictures += 1
    make_folder((base / "annotations" / picture.name).parent)
    return annotation, base / "annotations"


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return [read_rectlabel(path)]


FORMATS = (
    Format(
        name="rectlabel",
        title="RectLabel XML",
        find=files_with(".xml", ".json"),
        read=_read,
        write=_write_xml,
        signs=Signs(json=_is_json, xml=_is_xml),
    ),
    Format(
        name="rectlabel-json",
        title="RectLabel JSON",
        find=files_with(".json"),
        read=_read,
        write=_write_json,
    ),
)
