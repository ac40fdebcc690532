"""Telling formats apart by what files look like inside; file names only where nothing else helps."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from defusedxml import ElementTree

from converters.errors import ConverterError
from converters.files.files import open_file, read_json
from converters.files.images import IMAGE_SUFFIXES
from converters.files.project_mark import is_project_file
from converters.formats.format import walk

if TYPE_CHECKING:
    from pathlib import Path

# How many files of a folder are looked into.
_SAMPLES = 5
_LARGE_JSON_BYTES = 64_000_000
_COCO_BYTES = 500_000
_END_BYTES = 250_000
_YOLO_LINE = re.compile(r"^\s*\d+(\s+-?\d+(\.\d*)?(e-?\d+)?){4,}\s*$", re.IGNORECASE)


def guess_format(path: Path) -> str | None:
    """The name of the format, or None.

    In a folder the most frequent answer of a sample counts, label files before pictures.
    """
    if path.is_file():
        return _of_file(path)
    files = walk(path)
    if any(file.name in ("data.yaml", "data.yml", "dataset.yaml") for file in files):
        return "yolo"
    labelled = [
        file for file in files if file.suffix.lower() in (".json", ".ndjson", ".jsonl", ".xml", ".txt")
    ]
    votes = Counter(filter(None, map(_of_file, _spread(labelled))))
    if votes:
        return votes.most_common(1)[0][0]
    pictures = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    return "masks" if any(file.suffix.lower() == ".png" for file in pictures) else None


def _spread(files: list[Path]) -> list[Path]:
    """A sample from all over the list."""
    step = max(1, len(files) // _SAMPLES)
    return files[::step][:_SAMPLES]


def _of_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if is_project_file(path):
        return None
    try:
        if suffix == ".json":
            size = path.stat().st_size
            marked = _of_json_ends(path) if size > _COCO_BYTES else None
            if size > _LARGE_JSON_BYTES or marked in ("coco", "coco-panoptic"):
                return marked  # not worth being parsed twice
            return of_json(read_json(path))
        if suffix in (".ndjson", ".jsonl"):
            return "labelbox"
        if suffix == ".xml":
            return _of_xml(path)
        if suffix in (".yaml", ".yml"):
            return "yolo"
        if suffix == ".txt":
            return _of_text(path)
    except (ConverterError, OSError):
        return None
    return "masks" if suffix in IMAGE_SUFFIXES else None


def of_json(value: Any) -> str | None:
    """The format of a JSON document."""
    if isinstance(value, list):
        return "label-studio" if any(isinstance(v, dict) and "data" in v for v in value[:5]) else None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("shapes"), list):
        return "xanylabeling" if _is_xanylabeling(value) else "labelme"
    if isinstance(value.get("images"), list):
        listed = value.get("annotations")
        panoptic = isinstance(listed, list) and any(
            isinstance(a, dict) and "segments_info" in a for a in listed[:5]
        )
        return "coco-panoptic" if panoptic else "coco"
    if isinstance(value.get("info"), dict) and isinstance(value.get("objects"), list):
        return "isat" if "ISAT" in str(value["info"].get("description", "ISAT")) else None
    if "_via_img_metadata" in value:
        return "via"
    if isinstance(value.get("objects"), list) and "filename" in value:
        return "rectlabel"
    if "data_row" in value:
        return "labelbox"
    if "data" in value and ("annotations" in value or "completions" in value):
        return "label-studio"
    first = next(iter(value.values()), None)
    return "via" if isinstance(first, dict) and "filename" in first and "regions" in first else None


def _is_xanylabeling(value: dict[str, Any]) -> bool:
    """X-AnyLabeling adds keys labelme does not have; a `rotation` gives it away, too."""
    marks = {"difficult", "kie_linking", "direction"}
    shapes = [shape for shape in value["shapes"][:50] if isinstance(shape, dict)]
    return any(marks & shape.keys() or shape.get("shape_type") == "rotation" for shape in shapes)


def _of_json_ends(path: Path) -> str | None:
    """The format by what stands at the beginning and at the end."""
    with open_file(path) as stream:
        head = stream.read(_END_BYTES)
        stream.seek(-min(_END_BYTES, path.stat().st_size), 2)
        tail = stream.read()
    both = head + tail
    for mark, name in (
        (b'"shapes"', "labelme"),
        (b'"segments_info"', "coco-panoptic"),
        (b'"category_id"', "coco"),
        (b'"_via_img_metadata"', "via"),
        (b'"regions"', "via"),
        (b'"result"', "label-studio"),
    ):
        if mark in both:
            return name
    return None


def _of_xml(path: Path) -> str | None:
    with open_file(path) as stream:
        tags: list[str] = []
        try:
            for _, element in ElementTree.iterparse(stream, events=("start",), forbid_dtd=True):
                tags.append(element.tag)
                if len(tags) > 400:
                    break
        except Exception:  # whatever is wrong with it, the reader will say
            if not tags:
                return None
    if not tags or tags[0] not in ("annotation", "annotations"):
        return None
    if tags[0] == "annotations":
        return "cvat"
    if "pt" in tags or "sourceImage" in tags or "imagesize" in tags:
        return "labelme-xml"
    return "rectlabel" if "polygon" in tags or "pixel" in tags or "cubic_bezier" in tags else "voc"


def _of_text(path: Path) -> str | None:
    with open_file(path) as stream:
        lines = stream.read(20_000).decode("utf-8", "replace").splitlines()[:20]
    lines = [line for line in lines if line.strip()]
    return "yolo" if lines and all(map(_YOLO_LINE.match, lines[:-1] or lines)) else None
