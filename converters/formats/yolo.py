"""YOLO: a text file per picture, a line per object, coordinates as shares of the picture's size.

Two kinds of lines: `class cx cy w h` (detect) and `class x1 y1 x2 y2 ...` (segment). A mask becomes its
outline along the pixels' edges, holes and further parts joined to it by cuts of no width, so that the
even-odd rule gives back every pixel. Numbers have ten decimals: 1e-5 pixel at 100 000 pixels.
"""

from __future__ import annotations

import math
import os
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.annotation import (
    Box,
    Geometry,
    ImageAnnotation,
    Instance,
    Polygon,
    RejectedShape,
    Vertex,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import make_folder, natural_sort_key, read_text, write_atomic
from converters.files.images import IMAGE_SUFFIXES, read_size
from converters.files.lines import line_list, lines_of
from converters.files.locate import locate_picture
from converters.files.yaml_files import read_yaml, yaml_text
from converters.formats.format import (
    Format,
    Picture,
    WriteOptions,
    known_size,
    label_numbers,
    place_image,
    walk,
)
from converters.formats.own_facts import has_facts
from converters.formats.reading import content_id, take_points
from converters.formats.signs import Signs
from converters.shapes.geometry import bounding_box, joined_outline, rasterize
from converters.shapes.kinds import is_region, kind_of, outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converters.report import Report

_LIST_FILES = frozenset(
    {"classes.txt", "train.txt", "val.txt", "test.txt", "trainval.txt", "labels.txt", "readme.txt"}
)
_YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_LINE = re.compile(r"^\s*\d+(\s+-?\d+(\.\d*)?(e-?\d+)?){4,}\s*$", re.IGNORECASE)
# More numbers than this are some damage, and no list of names.
_MAX_CLASSES = 100_000


def _are_lines(lines: Sequence[str]) -> bool:
    """Whether a text is a label file by its first lines; the last one may be cut off."""
    return bool(lines) and all(map(_LINE.match, lines[:-1] or lines))


def find_yolo(source: Path) -> list[Path]:
    """Label files, and pictures that have none (they are pictures without objects)."""
    if source.is_file() and source.suffix.lower() == ".txt":
        return [source]
    folder = source.parent if source.is_file() else source
    files = walk(folder)
    labels = [f for f in files if f.suffix.lower() == ".txt" and f.name.lower() not in _LIST_FILES]
    labels = [f for f in labels if "labels" in f.relative_to(folder).parts] or labels
    named = {_picture_key(f) for f in labels}
    pictures = [f for f in files if f.suffix.lower() in IMAGE_SUFFIXES and _picture_key(f) not in named]
    return sorted([*labels, *pictures], key=natural_sort_key)


def _picture_key(file: Path) -> Path:
    parts = list(file.parts)
    if "labels" in parts:  # the last one: the data set itself may lie in a folder of that name
        parts[len(parts) - 1 - parts[::-1].index("labels")] = "images"
    return Path(*parts).with_suffix("")


def read_yolo(path: Path | str, names: dict[int, str]) -> ImageAnnotation:
    """One label file; the picture is found in `images` beside `labels`, or beside the file.

    Args:
        names: class names by number; a number without a name becomes "class_N".

    Raises:
        ConverterError: the picture, whose size the numbers need, is missing; the file is no text.
    """
    file = Path(path)
    if file.suffix.lower() in IMAGE_SUFFIXES:
        height, width = read_size(file)
        return ImageAnnotation(file.name, height, width)
    image_file = _image_of(file)
    height, width = read_size(image_file)
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    lines = [line for line in lines_of(read_text(file)) if line.strip()]
    for index, line in enumerate(lines):
        try:
            number, geometry, score = _parse_line(line, height, width)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, line[:2000]))
            continue
        label = names.get(number, f"class_{number}")
        instances.append(Instance(content_id(line, index), label, geometry, score=score))
    if lines and not instances and not any(character.isdigit() for character in lines[0][:1]):
        raise UnknownFormatError("this is no YOLO label file.", path=file)
    relative = _relative(image_file, file.parent)
    return ImageAnnotation(relative, height, width, tuple(instances), rejected=tuple(rejected))


def _relative(target: Path, base: Path) -> str:
    return Path(os.path.relpath(target, base)).as_posix()


def _image_of(label_file: Path) -> Path:
    key = _picture_key(label_file)
    for suffix in sorted(IMAGE_SUFFIXES):
        for each in (suffix, suffix.upper()):
            candidate = key.with_name(key.name + each)
            if candidate.is_file():
                return candidate
    return locate_picture(label_file, "")


def _parse_line(line: str, height: int, width: int) -> tuple[int, Geometry, float | None]:
    words = line.split()
    try:
        number = int(words[0])
        values = [float(word) for word in words[1:]]
    except ValueError as error:
        raise ConverterError("the line holds something else than numbers.") from error
    if number < 0 or number > 1_000_000 or not all(math.isfinite(v) and abs(v) <= 100 for v in values):
        raise ConverterError("the line holds numbers outside any picture.")
    score = None
    if len(values) == 5 or (len(values) > 6 and len(values) % 2):  # predictions end with their confidence
        score = values.pop()
    if len(values) == 4:
        cx, cy, w, h = values
        corners = ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
        return number, Box(*corners), score
    if len(values) < 6:
        raise ConverterError(f"a line has a class and 4, or 6 and more, numbers; here are {len(values)}.")
    take_points(len(values) // 2)
    points = zip(values[0::2], values[1::2], strict=True)
    return number, Polygon(tuple((x * width, y * height) for x, y in points)), score


def class_names(label_file: Path, root: Path) -> dict[int, str]:
    """Class names from data.yaml or classes.txt, looked for from the label file up to the source.

    Raises:
        ConverterError: the data.yaml found cannot be read.
    """
    top = root if root.is_dir() else root.parent
    folders = [label_file.parent, *label_file.parent.parents]
    if top in folders:
        folders = folders[: folders.index(top) + 2]
    for folder in folders[:8]:
        for name in _YAML_NAMES:
            if (folder / name).is_file():
                return _yaml_names(folder / name)
        for name in ("classes.txt", "obj.names"):
            if (folder / name).is_file():
                lines = lines_of(read_text(folder / name))
                return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    return {}


def _yaml_names(path: Path) -> dict[int, str]:
    return _cached_yaml_names(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _cached_yaml_names(path: Path, _changed: int) -> dict[int, str]:
    document = read_yaml(path)
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names) if isinstance(name, str | int | float)}
    if isinstance(names, dict):
        return {n: str(v) for n, v in names.items() if type(n) is int and isinstance(v, str | int | float)}
    return {}


def _declared(source: Path) -> list[str]:
    """The names of all classes there are numbers for."""
    folder = source if source.is_dir() else source.parent
    try:
        names = class_names(folder / "labels.txt", source)
    except ConverterError:
        return []  # the reader tells
    count = max(names, default=-1) + 1
    return [names.get(n, f"class_{n}") for n in range(count)] if count <= _MAX_CLASSES else []


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return [read_yolo(path, class_names(path, root))]


def _write(
    kind: Literal["detect", "segment"], picture: Picture, options: WriteOptions, report: Report
) -> str:
    annotation = picture.annotation
    height, width = known_size(picture)
    if options.copy_images:
        place_image(picture, options.target / "images" / picture.split, report)
    report.add_rejected(annotation)
    numbers = label_numbers(options.labels)
    lines: list[str] = []
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        values = _values(kind, instance.geometry, height, width, note)
        if values is not None:
            lines.append(" ".join([str(numbers[instance.label]), *map(_share, values)]))
            if has_facts(instance):
                note(
                    "changed",
                    "YOLO keeps label and shape only; group, score, attributes and the like are lost",
                )
    file = options.target / "labels" / picture.split / f"{picture.name}.txt"
    make_folder(file.parent)
    write_atomic(file, line_list(lines))
    report.pictures += 1
    report.instances += len(lines)
    return picture.split


def _values(kind: str, geometry: Geometry, height: int, width: int, note: Any) -> list[float] | None:
    """The numbers of a line, or None when the object is dropped; `note` is told what changes."""
    if not is_region(geometry):
        note("dropped", "YOLO has no lines and points")
        return None
    if kind == "detect":
        if not isinstance(geometry, Box):
            note("simplified", "only its bounding box is kept")
        points: tuple[Vertex, ...] = (bounding_box(geometry)[:2], bounding_box(geometry)[2:])
    else:
        ring = _ring(geometry, height, width, note)
        if ring is None:
            return None
        points = ring
    inside = [(min(max(x, 0.0), width) / width, min(max(y, 0.0), height) / height) for x, y in points]
    if any(not (0 <= x <= width and 0 <= y <= height) for x, y in points):
        note("simplified", "the part outside the picture is cut off, YOLO does not take it")
    if kind == "segment":
        return [value for point in inside for value in point]
    (x0, y0), (x1, y1) = inside
    if x0 == x1 or y0 == y1:
        note("dropped", "it has no extent inside the picture")
        return None
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def _ring(geometry: Geometry, height: int, width: int, note: Any) -> tuple[Vertex, ...] | None:
    if not kind_of(geometry).is_cornered:
        joined, rings = joined_outline(rasterize(geometry, height, width))
        if joined is None:
            note("dropped", "it has no pixels inside the picture")
            return None
        note("changed", "a mask becomes its outline" + (", parts and holes joined" if rings > 1 else ""))
        return joined.points
    if isinstance(geometry, Box):
        note("changed", "a box becomes a polygon")
    if isinstance(geometry, Polygon) and len(geometry.points) < 3:
        note("dropped", "a polygon of fewer than three points")
        return None
    return outline(geometry)


def _share(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") or "0"


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    """data.yaml, in the form Ultralytics reads."""
    parts = {split: f"images/{split}" if split else "images" for split in set(fragments)} or {"": "images"}
    lines = ["path: ."]
    lines.append(f"train: {parts.get('train', parts.get('', 'images/train'))}")
    lines.append(f"val: {parts.get('val', parts.get('', 'images/val'))}")
    lines.append("names:")
    lines += [f"  {number}: {yaml_text(label)}" for number, label in enumerate(options.labels)]
    make_folder(options.target)
    write_atomic(
        options.target / "data.yaml",
        "\n".join(lines if options.labels else [*lines[:-1], "names: {}"]) + "\n",
    )


FORMATS = (
    Format(
        name="yolo",
        title="YOLO segment",
        find=find_yolo,
        read=_read,
        declared=_declared,
        write=partial(_write, "segment"),
        finish=_finish,
        needs_labels=True,
        signs=Signs(
            text=_are_lines,
            folder_files=frozenset({"data.yaml", "data.yml", "dataset.yaml"}),
            single=frozenset({".yaml", ".yml"}),
        ),
    ),
    Format(
        name="yolo-detect",
        title="YOLO detect",
        find=find_yolo,
        read=_read,
        declared=_declared,
        write=partial(_write, "detect"),
        finish=_finish,
        needs_labels=True,
    ),
)
