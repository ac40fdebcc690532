"""VGG Image Annotator 2: one JSON for many pictures, as a project or as exported annotations."""

from __future__ import annotations

import math
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

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
    Vertex,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import json_inside, json_text, read_json, shown, write_atomic
from converters.formats.format import (
    Format,
    Picture,
    PictureEntry,
    WriteOptions,
    by_split,
    dataset_file,
    files_with,
    labels_to_list,
    outline_note,
    place_for_dataset,
    reader_of,
)
from converters.formats.own_facts import KEY, all_facts, is_number, with_facts
from converters.formats.reading import MAX_COORDINATE, content_id, line_of, read_points, read_shapes, ring_of
from converters.formats.signs import Signs
from converters.frozen import FrozenMap
from converters.shapes.geometry import bounding_box, joined_outline
from converters.shapes.kinds import kind_of, outline
from converters.shapes.rotation import ellipse_polygon

if TYPE_CHECKING:
    from pathlib import Path

    from converters.report import Report

# Region attributes that name the class, in the order of trust.
_LABEL_KEYS = ("label", "class", "name", "category", "type", "object", "object_name")
_SIZE_KEYS = ("seedhue_height", "seedhue_width")


def _entries(path: Path, root: Path, report: Report) -> list[PictureEntry]:
    """The pictures of a VIA 2 project or of VIA's exported JSON (VIA 1's regions by number, too).

    VIA does not prescribe which region attribute is the class: `label`, `class`, `name`, ... are tried,
    then the first attribute with text.

    Raises:
        ConverterError: missing, not JSON, or no VIA file.
    """
    document = read_json(path)
    entries = document.get("_via_img_metadata", document) if isinstance(document, dict) else None
    if not isinstance(entries, dict) or not any(_is_entry(entry) for entry in entries.values()):
        if not (isinstance(document, dict) and document.get("_via_img_metadata") == {}):
            raise UnknownFormatError("this is no VIA file.", path=path)
        return []
    found: list[PictureEntry] = []
    for index, entry in enumerate(entries.values()):
        if _is_entry(entry):
            found.append(PictureEntry(_path_of(entry), partial(_annotation_of, entry)))
        else:
            report.add("dropped", "the entry describes no picture", path=path, index=index)
    return found


def _is_via(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    first = next(iter(document.values()), None)
    return "_via_img_metadata" in document or (
        isinstance(first, dict) and "filename" in first and "regions" in first
    )


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("filename"), str) and "regions" in entry


def _path_of(entry: dict[str, Any]) -> str:
    return str(entry["filename"]).replace("\\", "/")


def _annotation_of(entry: dict[str, Any], report: Report) -> ImageAnnotation:
    regions = entry["regions"]
    listed = list(regions.values()) if isinstance(regions, dict) else regions
    instances, rejected = read_shapes(enumerate(listed if isinstance(listed, list) else ()), _instance)
    attributes = entry.get("file_attributes")
    attributes = dict(attributes) if isinstance(attributes, dict) else {}
    height, width = (_pixels(attributes.pop(key, None)) for key in _SIZE_KEYS)
    return ImageAnnotation(
        image_path=_path_of(entry),
        height=height,
        width=width,
        instances=instances,
        rejected=rejected,
        extra=FrozenMap({"via_file_attributes": attributes} if attributes else {}),
    )


def _pixels(value: Any) -> int:
    return (
        int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 7 else 0
    )


def _instance(raw: Any, index: int) -> Instance:
    shape = raw.get("shape_attributes") if isinstance(raw, dict) else None
    if not isinstance(shape, dict):
        raise ConverterError("the region has no shape.")
    attributes = raw.get("region_attributes")
    attributes = dict(attributes) if isinstance(attributes, dict) else {}
    facts = attributes.pop(KEY, None)
    label = _take_label(attributes)
    instance = Instance(content_id(raw, index), label, _geometry(shape), attributes=FrozenMap(attributes))
    return with_facts(instance, json_inside(facts))


def _take_label(attributes: dict[str, Any]) -> str:
    for key in (*_LABEL_KEYS, *attributes):
        value = attributes.get(key)
        if isinstance(value, dict):  # check boxes: {"cat": true}
            value = next((name for name, on in value.items() if on is True), None)
        if isinstance(value, str) and value.strip():
            del attributes[key]
            return value
    raise ConverterError("no region attribute tells the class.")


def _geometry(shape: dict[str, Any]) -> Geometry:
    def value(name: str) -> float:
        found = shape.get(name)
        if not is_number(found) or abs(found) > MAX_COORDINATE:
            raise ConverterError(f"{name} is {shown(found)}, no number of a picture's size.")
        return float(found)

    match shape.get("name"):
        case "rect":
            x, y = value("x"), value("y")
            return Box(x, y, x + value("width"), y + value("height"))
        case "circle":
            return Circle((value("cx"), value("cy")), (value("cx") + value("r"), value("cy")))
        case "ellipse":
            angle = value("theta") if "theta" in shape else 0.0
            return ellipse_polygon((value("cx"), value("cy")), (value("rx"), value("ry")), angle)
        case "polygon" | "polyline" as kind:
            xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
            if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
                raise ConverterError("all_points_x and all_points_y are no lists of equal length.")
            points = read_points([list(pair) for pair in zip(xs, ys, strict=True)])
            # VIA 1 repeats a polygon's first point at the end.
            return ring_of(points) if kind == "polygon" else line_of(points)
        case "point":
            return Point(value("cx"), value("cy"))
        case other:
            raise ConverterError(f"the shape {shown(other)} is unknown.")


def encode_region(geometry: Geometry) -> tuple[dict[str, Any], str]:
    """VIA's `shape_attributes` and a note on what had to change ("" for nothing).

    Raises:
        ConverterError: VIA cannot have it.
    """
    note = ""
    if isinstance(geometry, Mask):
        joined, rings = joined_outline(geometry)
        if joined is None:
            raise ConverterError("an empty mask has no outline.")
        geometry, note = joined, outline_note(rings)
    kind = kind_of(geometry)
    if isinstance(geometry, Box):
        x0, y0, x1, y1 = bounding_box(geometry)
        return {"name": "rect", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}, note
    if kind.ellipse is not None:
        (x, y), rx, ry = kind.ellipse(geometry)
        if rx == ry:
            return {"name": "circle", "cx": x, "cy": y, "r": rx}, note
        return {"name": "ellipse", "cx": x, "cy": y, "rx": rx, "ry": ry, "theta": 0.0}, note
    points = outline(geometry)
    if kind.drawn == "points":
        if kind.counts != (1, 1):
            raise ConverterError("VIA has no sets of points.")
        return {"name": "point", "cx": points[0][0], "cy": points[0][1]}, note
    if kind.is_region and not isinstance(geometry, Polygon):
        note = f"a {'turned box' if isinstance(geometry, OrientedBox) else kind.title} becomes a polygon"
    return _many("polygon" if kind.is_region else "polyline", points), note


def _many(kind: str, points: tuple[Vertex, ...]) -> dict[str, Any]:
    if not points or not all(math.isfinite(v) for point in points for v in point):
        raise ConverterError("a shape without points.")
    return {"name": kind, "all_points_x": [x for x, _ in points], "all_points_y": [y for _, y in points]}


def _write(picture: Picture, options: WriteOptions, report: Report) -> dict[str, Any]:
    annotation = place_for_dataset(picture, options, report)
    report.add_rejected(annotation)
    regions: list[dict[str, Any]] = []
    for index, instance in enumerate(annotation.instances):
        note_loss = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if not instance.label.strip():
            note_loss("dropped", "VIA needs a label")
            continue
        try:
            shape, note = encode_region(instance.geometry)
        except ConverterError as error:
            note_loss("dropped", error.problem)
            continue
        if note:
            note_loss("changed", note)
        texts = {
            k: v
            for k, v in instance.attributes.items()
            if isinstance(v, str) and k not in (*_LABEL_KEYS, KEY)
        }
        named = {"label": instance.label, **texts, KEY: json_text(all_facts(instance))}
        regions.append({"shape_attributes": shape, "region_attributes": named})
    kept = annotation.extra.get("via_file_attributes")
    sizes = dict(zip(_SIZE_KEYS, (str(annotation.height), str(annotation.width)), strict=True))
    report.pictures += 1
    report.instances += len(regions)
    entry = {
        "filename": annotation.image_path,
        "size": picture.image_file.stat().st_size if picture.image_file is not None else -1,
        "regions": regions,
        "file_attributes": {**(kept if isinstance(kept, dict) else {}), **sizes},
    }
    return {"split": picture.split, "entry": entry, "labels": annotation.labels}


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    for split, part in by_split(fragments, itemgetter("split")):
        entries = {f"{f['entry']['filename']}{f['entry']['size']}": f["entry"] for f in part}
        labels = labels_to_list(options, (each["labels"] for each in part))
        choices = {
            "type": "dropdown",
            "description": "",
            "options": dict.fromkeys(labels, ""),
            "default_options": {},
        }
        document = {
            "_via_settings": {"project": {"name": "SeedHue"}},
            "_via_img_metadata": entries,
            "_via_attributes": {"region": {"label": choices}, "file": {}},
            "_via_data_format_version": "2.0.10",
            "_via_image_id_list": list(entries),
        }
        write_atomic(dataset_file(options, "via", split), json_text(document))


FORMATS = (
    Format(
        name="via",
        title="VGG Image Annotator 2",
        find=files_with(".json"),
        read=reader_of(_entries),
        entries=_entries,
        write=_write,
        finish=_finish,
        file_suffix=".json",
        signs=Signs(
            json=_is_via, json_ends=lambda ends: b'"_via_img_metadata"' in ends or b'"regions"' in ends
        ),
    ),
)
