"""CVAT for images 1.1: one XML for many pictures, with every shape but cuboids and skeletons.

Masks keep every pixel. Circles are ellipses with equal radii. Whatever CVAT has no place for travels in an
attribute called `seedhue`.
"""

from __future__ import annotations

import math
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np

from converters.annotation import (
    Box,
    Circle,
    Geometry,
    ImageAnnotation,
    Instance,
    Mask,
    OrientedBox,
    Polygon,
    Vertex,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.budget import MASK_PIXELS, spend
from converters.files.files import json_inside, write_atomic
from converters.formats.format import (
    Format,
    Picture,
    PictureEntry,
    WriteOptions,
    by_split,
    dataset_file,
    files_with,
    known_size,
    labels_to_list,
    place_for_dataset,
    reader_of,
)
from converters.formats.own_facts import KEY, all_facts, with_facts
from converters.formats.reading import content_id, dots_of, line_of, read_shapes, take_points
from converters.formats.signs import Signs
from converters.formats.xml_files import (
    add,
    decimal,
    element_dict,
    facts_text,
    fits_xml,
    number,
    pixels_of,
    read_xml,
    xml_bytes,
    xml_letters,
)
from converters.frozen import FrozenMap
from converters.shapes.geometry import bounding_box
from converters.shapes.kinds import kind_of, outline
from converters.shapes.rotation import corners_of, ellipse_polygon, rectangle_of

if TYPE_CHECKING:
    from pathlib import Path

    from converters.report import Report
    from converters.shapes.kinds import Drawn

_TAGS: dict[Drawn, str] = {"closed": "polygon", "open": "polyline", "points": "points"}


def _entries(path: Path, root: Path, report: Report) -> list[PictureEntry]:
    """The pictures of a CVAT XML; tags become image flags, cuboids and skeletons are set aside.

    Raises:
        ConverterError: missing, not XML, no CVAT file, or one of a video.
    """
    document = read_xml(path)
    if document.tag != "annotations":
        raise UnknownFormatError("this is no CVAT file.", path=path)
    if document.find("track") is not None:
        raise ConverterError("this is CVAT for video.", path=path, remedy="Export it as CVAT for images.")
    return [
        PictureEntry(_path_of(image), partial(_annotation_of, image)) for image in document.findall("image")
    ]


def _path_of(image: Element) -> str:
    return image.get("name", "").replace("\\", "/")


def _annotation_of(image: Element, report: Report) -> ImageAnnotation:
    elements = list(enumerate(image))
    tags = FrozenMap({element.get("label", ""): True for _, element in elements if element.tag == "tag"})
    shapes = ((index, element) for index, element in elements if element.tag != "tag")
    instances, rejected = read_shapes(shapes, _instance, element_dict)
    return ImageAnnotation(
        image_path=_path_of(image),
        height=pixels_of(image.get("height")),
        width=pixels_of(image.get("width")),
        instances=instances,
        flags=tags,
        rejected=rejected,
    )


def _instance(element: Element, index: int) -> Instance:
    label = element.get("label")
    if label is None:
        raise ConverterError("the shape has no label.")
    attributes: dict[str, Any] = {a.get("name", ""): a.text or "" for a in element.findall("attribute")}
    facts = attributes.pop(KEY, None)
    if element.get("occluded") == "1":
        attributes["occluded"] = True
    group = element.get("group_id", "")
    instance = Instance(
        id=content_id(element_dict(element), index),
        label=label,
        geometry=_geometry(element),
        group_id=int(group) if group.isascii() and group.isdigit() and len(group) < 19 else None,
        attributes=FrozenMap(attributes),
    )
    return with_facts(instance, json_inside(facts))


def _geometry(element: Element) -> Geometry:
    def value(name: str) -> float:
        return number(element.get(name), name)

    match element.tag:
        case "box":
            box = Box(value("xtl"), value("ytl"), value("xbr"), value("ybr"))
            angle = number(element.get("rotation", "0"), "rotation")
            return corners_of(box, math.radians(angle)) if angle % 360 else box
        case "polygon":
            return Polygon(_points(element, 3))
        case "polyline":
            return line_of(_points(element, 2))
        case "points":
            return dots_of(_points(element, 1))
        case "ellipse":
            center, rx, ry = (value("cx"), value("cy")), value("rx"), value("ry")
            if rx == ry:
                return Circle(center, (center[0] + rx, center[1]))
            return ellipse_polygon(
                center, (rx, ry), math.radians(number(element.get("rotation", "0"), "rotation"))
            )
        case "mask":
            return _mask(element)
    raise ConverterError(f"CVAT's shape {element.tag!r} has no counterpart here.")


def _points(element: Element, least: int) -> tuple[Vertex, ...]:
    pairs = [pair.split(",") for pair in element.get("points", "").split(";") if pair.strip()]
    take_points(len(pairs))
    if len(pairs) < least or any(len(pair) != 2 for pair in pairs):
        raise ConverterError(f"the points of the {element.tag} are no list of at least {least} pairs.")
    return tuple((number(x, "points"), number(y, "points")) for x, y in pairs)


def _mask(element: Element) -> Mask:
    """Runs row by row inside the box, background first."""
    left, top, width, height = (
        int(number(element.get(name), name)) for name in ("left", "top", "width", "height")
    )
    try:
        runs = np.array([int(run) for run in element.get("rle", "").split(",")], np.int64)
    except (ValueError, OverflowError) as error:
        raise ConverterError("the mask's rle holds something else than whole numbers.") from error
    if width <= 0 or height <= 0:
        raise ConverterError("the mask has no size of this world.")
    spend(MASK_PIXELS, width * height)
    if (runs < 0).any() or (runs > width * height).any() or int(runs.sum()) != width * height:
        raise ConverterError("the mask's runs do not add up to its size.")
    flat = np.repeat(np.arange(runs.size) % 2 == 1, runs)
    return Mask(left, top, flat.reshape(height, width))


def mask_runs(mask: Mask) -> list[int]:
    """Lengths of runs row by row, background first, of a tight mask."""
    flat = mask.array.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def _write(picture: Picture, options: WriteOptions, report: Report) -> dict[str, Any]:
    height, width = known_size(picture)
    annotation = place_for_dataset(picture, options, report)
    report.add_rejected(annotation)
    image = Element("image")
    kept = 0
    for flag, value in annotation.flags.items():
        if value:
            add(image, "tag", None, label=flag, source="manual")
        else:
            report.add("dropped", "CVAT has no picture flag that is off", path=annotation.image_path)
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if not fits_xml(instance.label):
            note("changed", "its label holds letters XML does not keep")
        try:
            element = _shape(image, instance.geometry)
        except ConverterError as error:
            note("dropped", error.problem)
            continue
        element.set("label", xml_letters(instance.label))
        element.set("occluded", str(int(instance.attributes.get("occluded") is True)))
        element.set("source", "manual" if instance.provenance.kind == "hand" else "semi-auto")
        element.set("z_order", str(index))
        if instance.group_id is not None:
            element.set("group_id", str(instance.group_id))
        for name, value in instance.attributes.items():
            if isinstance(value, str) and name != KEY and fits_xml(name) and fits_xml(value):
                add(element, "attribute", value, name=name)
        add(element, "attribute", facts_text(all_facts(instance)), name=KEY)
        kept += 1
    report.pictures += 1
    report.instances += kept
    return {
        "split": picture.split,
        "name": annotation.image_path,
        "size": (width, height),
        "image": image,
        "labels": annotation.labels,
    }


def _shape(image: Element, geometry: Geometry) -> Element:
    """The element of a shape, without its label.

    Raises:
        ConverterError: CVAT cannot have it.
    """
    kind = kind_of(geometry)
    if isinstance(geometry, Mask):
        return _add_mask(image, geometry)
    if isinstance(geometry, Box):
        return _add_box(image, geometry)
    if isinstance(geometry, OrientedBox):
        box, angle = rectangle_of(geometry)
        if box is not None:
            element = _add_box(image, box)
            element.set("rotation", decimal(math.degrees(angle)))
            return element
    if kind.ellipse is not None:
        (cx, cy), rx, ry = kind.ellipse(geometry)
        place = {"cx": decimal(cx), "cy": decimal(cy), "rx": decimal(rx), "ry": decimal(ry)}
        return add(image, "ellipse", None, **place)
    points = outline(geometry)
    if kind.is_region and len(points) < 3:
        raise ConverterError("a polygon of fewer than three points has no place in CVAT.")
    return add(image, _TAGS[kind.drawn], None, points=_joined(points))


def _add_mask(image: Element, geometry: Mask) -> Element:
    mask = geometry.cropped()
    if mask.is_empty:
        raise ConverterError("an empty mask has no place in CVAT.")
    height, width = mask.array.shape
    place = {"left": str(mask.x0), "top": str(mask.y0), "width": str(width), "height": str(height)}
    return add(image, "mask", None, rle=", ".join(map(str, mask_runs(mask))), **place)


def _add_box(image: Element, box: Box) -> Element:
    x0, y0, x1, y1 = map(decimal, bounding_box(box))
    return add(image, "box", None, xtl=x0, ytl=y0, xbr=x1, ybr=y1)


def _joined(points: tuple[Vertex, ...]) -> str:
    return ";".join(f"{decimal(x)},{decimal(y)}" for x, y in points)


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    for split, part in by_split(fragments, itemgetter("split")):
        root = Element("annotations")
        add(root, "version", "1.1")
        task = add(add(root, "meta"), "task")
        add(task, "name", "SeedHue")
        add(task, "size", len(part))
        add(task, "mode", "annotation")
        labels = add(task, "labels")
        for name in labels_to_list(options, (each["labels"] for each in part)):
            label = add(labels, "label")
            add(label, "name", name)
            attribute = add(add(label, "attributes"), "attribute")
            for tag, text in (
                ("name", KEY),
                ("mutable", "False"),
                ("input_type", "text"),
                ("default_value", ""),
            ):
                add(attribute, tag, text)
        for number_, fragment in enumerate(part):
            width, height = fragment["size"]
            image = add(
                root,
                "image",
                None,
                id=str(number_),
                name=fragment["name"],
                width=str(width),
                height=str(height),
            )
            image.extend(fragment["image"])
        write_atomic(dataset_file(options, "annotations", split, ".xml"), xml_bytes(root))


FORMATS = (
    Format(
        name="cvat",
        title="CVAT for images XML",
        find=files_with(".xml"),
        read=reader_of(_entries),
        entries=_entries,
        write=_write,
        finish=_finish,
        file_suffix=".xml",
        signs=Signs(xml=lambda tags: tags[0] == "annotations"),
    ),
)
