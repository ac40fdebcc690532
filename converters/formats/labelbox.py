"""Labelbox exports: NDJSON (a data row per line) and the older JSON list; boxes, polygons, lines, points.

Masks are links to Labelbox's server in these files. Nothing is fetched: such objects are set aside with
their link, so that they can be downloaded and added.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from converters.annotation import (
    Box,
    Geometry,
    ImageAnnotation,
    Instance,
    Point,
    Vertex,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import parse_json, read_text
from converters.files.lines import lines_of
from converters.formats.format import Format, PictureEntry, files_with, reader_of
from converters.formats.reading import (
    line_of,
    own_id,
    picture_side,
    read_label,
    read_points,
    read_shapes,
    ring_of,
)
from converters.formats.signs import Signs
from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from converters.report import Report


def _entries(path: Path, root: Path, report: Report) -> list[PictureEntry]:
    """The pictures of an export; a row of which nothing can be made is reported.

    Of several labels of one data row (by several people) all objects are taken.

    Raises:
        ConverterError: missing, no JSON on any line, or no Labelbox export.
    """
    found: list[PictureEntry] = []
    for index, row in enumerate(_rows(path, report)):
        if isinstance(row, dict) and isinstance(row.get("data_row"), dict):
            name = _name_of(row["data_row"].get("external_id"), row["data_row"].get("row_data"))
            found.append(PictureEntry(name, partial(_of_row, row, name)))
        elif isinstance(row, dict) and "Label" in row:
            name = _name_of(row.get("External ID"), row.get("Labeled Data"))
            found.append(PictureEntry(name, partial(_of_old_row, row, name)))
        else:
            report.add("dropped", "the row is no data row of Labelbox", path=path, index=index)
    if not found:
        raise UnknownFormatError("this is no Labelbox export.", path=path)
    return found


def _is_row(document: Any) -> bool:
    return isinstance(document, dict) and "data_row" in document


def _rows(path: Path | str, report: Report) -> list[Any]:
    text = read_text(path)
    if text.lstrip().startswith("["):
        rows = parse_json(text, path=path)
        return rows if isinstance(rows, list) else []
    rows = []
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        try:
            rows.append(parse_json(line))
        except ConverterError as error:
            report.add("dropped", f"the line cannot be read: {error.problem}", path=path, index=number)
    return rows


def _of_row(row: dict[str, Any], name: str, report: Report) -> ImageAnnotation:
    media = row.get("media_attributes")
    media = media if isinstance(media, dict) else {}
    height, width = picture_side(media.get("height")), picture_side(media.get("width"))
    instances, rejected = read_shapes(enumerate(_objects_of(row.get("projects"))), _object)
    return ImageAnnotation(name, height, width, instances, rejected=rejected)


def _objects_of(projects: Any) -> list[Any]:
    found: list[Any] = []
    for project in projects.values() if isinstance(projects, dict) else ():
        labels = project.get("labels") if isinstance(project, dict) else None
        for label in labels if isinstance(labels, list) else ():
            annotations = label.get("annotations") if isinstance(label, dict) else None
            objects = annotations.get("objects") if isinstance(annotations, dict) else None
            found += objects if isinstance(objects, list) else []
    return found


def _object(raw: Any, index: int) -> Instance:
    if not isinstance(raw, dict):
        raise ConverterError("the object is no JSON object.")
    identity = raw.get("feature_id") or raw.get("featureId")
    return Instance(
        id=own_id(identity, raw, index),
        label=read_label(raw.get("name") or raw.get("title") or raw.get("value")),
        geometry=_geometry(raw),
        attributes=FrozenMap(_classifications(raw.get("classifications"))),
    )


def _geometry(raw: dict[str, Any]) -> Geometry:
    box = raw.get("bounding_box") or raw.get("bbox")
    if isinstance(box, dict):
        (left, top), (width, height) = read_points(
            [[box.get("left"), box.get("top")], [box.get("width"), box.get("height")]]
        )
        return Box(left, top, left + width, top + height)
    if isinstance(raw.get("polygon"), list):
        points = _points(raw["polygon"])
        if len(points) < 3:
            raise ConverterError("a polygon of fewer than three points.")
        return ring_of(points)
    if isinstance(raw.get("line"), list):
        return line_of(_points(raw["line"]))
    if isinstance(raw.get("point"), dict):
        ((x, y),) = _points([raw["point"]])
        return Point(x, y)
    if any(key in raw for key in ("mask", "composite_mask", "instanceURI")):
        raise ConverterError("its mask lies on Labelbox's server; nothing is fetched from there.")
    raise ConverterError("the object has no shape that is known here.")


def _points(listed: list[Any]) -> tuple[Vertex, ...]:
    return read_points([[p.get("x"), p.get("y")] if isinstance(p, dict) else p for p in listed])


def _classifications(listed: Any) -> dict[str, Any]:
    """Answers by question; nested ones are kept as they are."""
    found: dict[str, Any] = {}
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("name") or entry.get("title"), str):
            continue
        answer = next((entry[key] for key in entry if "answer" in key), None)
        named = answer.get("name") if isinstance(answer, dict) else None
        found[entry.get("name") or entry["title"]] = named if isinstance(named, str) else answer
    return found


def _of_old_row(row: dict[str, Any], name: str, report: Report) -> ImageAnnotation:
    label = row["Label"]
    objects = label.get("objects") if isinstance(label, dict) else None
    instances, rejected = read_shapes(enumerate(objects if isinstance(objects, list) else []), _object)
    return ImageAnnotation(name, 0, 0, instances, rejected=rejected)


def _name_of(external_id: Any, address: Any) -> str:
    """The picture's name: as the user called it, else the last part of its address."""
    if isinstance(external_id, str) and external_id.strip():
        return external_id.replace("\\", "/")
    try:
        return PurePosixPath(urlsplit(address).path).name if isinstance(address, str) else ""
    except ValueError:  # an address that is none
        return ""


FORMATS = (
    Format(
        name="labelbox",
        title="Labelbox NDJSON",
        find=files_with(".ndjson", ".jsonl", ".json"),
        read=reader_of(_entries),
        entries=_entries,
        signs=Signs(json=_is_row, suffixes=frozenset({".ndjson", ".jsonl"})),
    ),
)
