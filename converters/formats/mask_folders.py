"""Folders of mask pictures: one PNG per object, one binary PNG per picture, or one of class numbers.

Read, a mask file belongs to the picture of the same name (also with an ending such as `_mask`), to the
picture its folder is named after, or to the one its name begins with. A picture of two values is one
mask; of several small numbers, one mask per number, named by `labels.txt` (or `class_names.txt`,
`label_names.txt`), a name per line from number 0 on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from converters.annotation import ImageAnnotation, Instance, Mask, RejectedShape
from converters.errors import ConverterError, UnknownFormatError
from converters.files.budget import MASK_PIXELS, spend
from converters.files.files import json_text, make_folder, read_json, read_text, write_atomic
from converters.files.images import IMAGE_SUFFIXES, encode_png, read_index_image
from converters.files.lines import line_list, lines_of
from converters.files.palette import indexed_png
from converters.formats.format import (
    Format,
    Picture,
    PictureEntry,
    WriteOptions,
    known_size,
    place_image,
    reader_of,
    safe_name,
    walk,
)
from converters.formats.labelme.to_dataset import paint
from converters.formats.own_facts import all_facts, with_facts
from converters.formats.reading import content_id
from converters.formats.signs import Signs
from converters.shapes.geometry import rasterize

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from converters.report import Report

_MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")
_MASK_FOLDERS = frozenset(
    {
        "masks",
        "mask",
        "labels",
        "label",
        "gt",
        "instances",
        "annotations",
        "segmentationclass",
        "segmentationobject",
    }
)
_PICTURE_FOLDERS = frozenset({"images", "image", "imgs", "img", "jpegimages", "photos"})
_PLAIN_FOLDERS = _MASK_FOLDERS | _PICTURE_FOLDERS
_ENDINGS = re.compile(r"[_\-. ]?(masks?|labels?|gt|seg|segmentation|matte|instances?)$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[_\-. ]+")
_NUMBER = re.compile(r"^\d+[_\-. ]*|[_\-. ]*\d+$")
_NAME_FILES = ("labels.txt", "class_names.txt", "label_names.txt", "classes.txt")
_OBJECTS = "objects.json"
# A grey picture of more values than this is a soft mask, not a map of class numbers.
_MAX_CLASSES = 256
_MAX_RGB_COLORS = 4096
_STRIP_PIXELS = 1 << 22


def _entries(folder: Path, root: Path, report: Report) -> list[PictureEntry]:
    """The pictures of a folder with the masks found for them; masks without a picture stand alone.

    Raises:
        ConverterError: there is no mask picture in the folder.
    """
    files_here = [folder] if folder.is_file() else walk(folder)
    base = folder if folder.is_dir() else folder.parent
    pictures, masks = _sorted_files(files_here, base)
    if not masks and not any(file.name == _OBJECTS for file in files_here):
        raise UnknownFormatError("there is no mask picture here.", path=folder)
    names = _class_names(base)
    by_key = {_key(picture, base): picture for picture in pictures}
    found: dict[str, list[Path]] = {key: [] for key in by_key}
    for file in masks:
        found.setdefault(_picture_of(file, base, by_key), []).append(file)
    entries: list[PictureEntry] = []
    for key, files in found.items():
        image_path = by_key[key].relative_to(base).as_posix() if key in by_key else key
        decode = partial(_annotation_of, key.rpartition("/")[2], image_path, files, names)
        entries.append(PictureEntry(image_path, decode))
    return entries


def _key(file: Path, base: Path) -> str:
    """A file's place without suffix and without the folders that only say what is in them."""
    folders = [part for part in file.relative_to(base).parent.parts if part.lower() not in _PLAIN_FOLDERS]
    return "/".join([*folders, file.stem])


def _sorted_files(files: list[Path], base: Path) -> tuple[list[Path], list[Path]]:
    """(pictures, masks): by folder names where those tell, else PNGs beside other pictures are masks."""
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    marked = [
        f
        for f in images
        if {part.lower() for part in f.relative_to(base).parts[:-1]} & _MASK_FOLDERS
        or _ENDINGS.search(f.stem)
    ]
    masks = [file for file in marked if file.suffix.lower() in _MASK_SUFFIXES]
    if not masks and not any(file.parent.name.lower() in _PICTURE_FOLDERS for file in images):
        masks = [file for file in images if file.suffix.lower() in _MASK_SUFFIXES]
    taken = set(masks)
    return [file for file in images if file not in taken], masks


def _picture_of(file: Path, base: Path, by_key: dict[str, Path]) -> str:
    """The key of the picture a mask belongs to."""
    key = _key(file, base)
    folder, _, stem = key.rpartition("/")
    if key in by_key:
        return key
    if folder in by_key or (file.parent / _OBJECTS).is_file():
        return folder
    bare = _ENDINGS.sub("", stem)
    begins = [bare, *(stem[: match.start()] for match in reversed(list(_SEPARATORS.finditer(stem))))]
    for begin in filter(None, begins):
        candidate = f"{folder}/{begin}".lstrip("/")
        if candidate in by_key:
            return candidate
    return f"{folder}/{bare or stem}".lstrip("/")


def _class_names(root: Path) -> list[str]:
    for name in _NAME_FILES:
        if (root / name).is_file():
            return [line.strip() for line in lines_of(read_text(root / name, max_bytes=10_000_000))]
    return []


def _annotation_of(
    stem: str, image_path: str, files: list[Path], names: list[str], report: Report
) -> ImageAnnotation:
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    size = (0, 0)
    for index, file in enumerate(files):
        try:
            values = read_index_image(file)
            if size not in ((0, 0), values.shape):
                raise ConverterError(f"the mask has another size than the others of {image_path}.", path=file)
            size = (int(values.shape[0]), int(values.shape[1]))
            instances += _instances_of(values, file, stem, names, report)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, file.name))
    unique = {instance.id: instance for instance in instances}
    return ImageAnnotation(image_path, *size, tuple(unique.values()), rejected=tuple(rejected))


def _instances_of(
    values: NDArray[Any], file: Path, stem: str, names: list[str], report: Report
) -> list[Instance]:
    noted = _noted(file)
    rows = _rows_of_numbers(values)
    numbers = sorted(rows)
    if noted is not None or (file.stem != stem and not _ENDINGS.search(file.stem) and len(numbers) == 1):
        label = _label_of(file, stem)
        single = Instance(content_id(file.name, 0), label, _mask_of(values))
        return [single if noted is None else with_facts(replace(single, label=noted[0]), noted[1])]
    if len(numbers) <= 1 and (not numbers or numbers[0] in (1, 255, 0xFFFFFF, 0xFFFF)):
        label = names[1] if len(names) == 2 else _folder_label(file)
        return [Instance(content_id(file.name, 0), label, _mask_of(values))] if numbers else []
    if len(numbers) > _MAX_CLASSES and values.max() <= 0xFFFF:
        report.add("simplified", "a soft mask is cut at half its brightest value", path=file)
        soft = values >= (int(values.max()) + 1) // 2
        return [Instance(content_id(file.name, 0), _folder_label(file), _mask_of(soft))]
    if len(numbers) > _MAX_RGB_COLORS:
        raise ConverterError("this is a photo or a soft mask in colour, not a mask.", path=file)
    return [
        Instance(
            content_id([file.name, number], number),
            _class_label(number, names),
            _mask_of(values[slice(*rows[number])] == number, top=rows[number][0]),
        )
        for number in numbers
        if not (number == 255 and len(numbers) > 1 and len(names) <= 255)  # 255 is VOC's border
    ]


def _rows_of_numbers(values: NDArray[Any]) -> dict[int, tuple[int, int]]:
    """Each number but 0 with the half-open rows outside of which it is not; in colour, no more numbers than
    make clear that it is no mask. Looked for by strips: a large picture is never sorted as a whole."""
    found: dict[int, tuple[int, int]] = {}
    step = max(1, _STRIP_PIXELS // max(1, values.shape[1]))
    for top in range(0, len(values), step):
        strip = values[top : top + step]
        few = strip.dtype.itemsize <= 2
        numbers = np.flatnonzero(np.bincount(strip.ravel())) if few else np.unique(strip)
        for number in numbers.tolist():
            if number:
                found[number] = found.get(number, (top, 0))[0], top + len(strip)
        if not few and len(found) > _MAX_RGB_COLORS:
            break
    return found


def _mask_of(pixels: NDArray[Any], *, top: int = 0) -> Mask:
    mask = Mask.from_full(pixels)
    spend(MASK_PIXELS, mask.array.size)
    return Mask(mask.x0, mask.y0 + top, mask.array)


def _class_label(number: int, names: list[str]) -> str:
    if number < len(names) and names[number]:
        return names[number]
    if number > 0xFFFF:
        return f"#{number & 255:02x}{number >> 8 & 255:02x}{number >> 16 & 255:02x}"
    return f"class_{number}"


def _folder_label(file: Path) -> str:
    name = file.parent.name
    return "object" if name.lower() in _MASK_FOLDERS or not name else name


def _label_of(file: Path, stem: str) -> str:
    """What is left of a mask's name without the picture's name and numbers."""
    rest = file.stem[len(stem) :] if file.stem.startswith(stem) else file.stem
    rest = _NUMBER.sub("", rest.strip("_-. ")).strip("_-. ")
    return rest or _folder_label(file) if file.parent.name != stem else rest or "object"


def _noted(file: Path) -> tuple[str, Any] | None:
    """Label and facts from the `objects.json` beside masks that this program wrote."""
    notes = file.parent / _OBJECTS
    if not notes.is_file():
        return None
    document = read_json(notes)
    entry = document.get(file.name) if isinstance(document, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
        return None
    return entry["label"], entry.get("facts")


def _write(
    kind: Literal["each", "binary", "classes"], picture: Picture, options: WriteOptions, report: Report
) -> None:
    annotation = picture.annotation
    height, width = known_size(picture)
    base = options.target / picture.split
    if options.copy_images:
        place_image(picture, base / "images", report)
    report.add_rejected(annotation)
    masks: list[Mask] = []
    kept: list[Instance] = []
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        mask = rasterize(instance.geometry, height, width)
        if mask.is_empty:
            note("dropped", "it has no pixels inside the picture")
            continue
        if not isinstance(instance.geometry, Mask):
            note("changed", "its outline becomes pixels")
        if kind == "binary":
            note("simplified", "all objects of a picture become one mask without labels")
        elif kind == "classes":
            note("simplified", "objects of one class become one area, later ones cover earlier ones")
        kept.append(instance)
        masks.append(mask)
    report.pictures += 1
    report.instances += len(kept)
    file = base / "masks" / f"{picture.name}.png"
    make_folder(file.parent)
    if kind == "binary":
        write_atomic(
            file,
            encode_png((paint(masks, [1] * len(masks), height, width) * 255).astype(np.uint8)),
            durable=False,
        )
    elif kind == "classes":
        numbers = [options.labels.index(instance.label) + 1 for instance in kept]
        if len(options.labels) > 254:
            raise ConverterError(f"{len(options.labels)} labels; a mask of class numbers holds 254.")
        write_atomic(file, indexed_png(paint(masks, numbers, height, width).astype(np.uint8)))
    else:
        _write_each(file.with_suffix(""), kept, masks, (height, width))


def _write_each(folder: Path, kept: list[Instance], masks: list[Mask], size: tuple[int, int]) -> None:
    make_folder(folder)
    notes: dict[str, Any] = {}
    for index, (instance, mask) in enumerate(zip(kept, masks, strict=True), start=1):
        label = safe_name(instance.label.replace("/", "_").replace("\\", "_"))[:60]
        name = f"{index:04d}_{label}.png"
        write_atomic(folder / name, encode_png(mask.to_full(*size).astype(np.uint8) * 255))
        notes[name] = {"label": instance.label, "facts": all_facts(instance)}
    write_atomic(folder / _OBJECTS, json_text(notes, indent=1))


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    report.add_broken_labels(options.target / "labels.txt", options.labels)
    write_atomic(options.target / "labels.txt", line_list(("_background_", *options.labels)))


def _find(source: Path) -> list[Path]:
    return [source]


FORMATS = (
    Format(
        name="masks",
        title="Masks, one PNG per object",
        find=_find,
        read=reader_of(_entries),
        entries=_entries,
        write=partial(_write, "each"),
        signs=Signs(single=IMAGE_SUFFIXES, bare=frozenset({".png"})),
    ),
    Format(name="masks-binary", title="Masks, one binary PNG per picture", write=partial(_write, "binary")),
    Format(
        name="masks-indexed",
        title="Masks of class numbers",
        write=partial(_write, "classes"),
        finish=_finish,
        needs_labels=True,
    ),
)
