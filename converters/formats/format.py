"""What a format is to the converter: how its files are found, read and written.

Each format's own module offers `FORMATS`; `registry.py` lists the modules, `convert.py` drives them.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from converters.annotation import ImageAnnotation
from converters.errors import ConverterError
from converters.files.budget import spending
from converters.files.files import make_folder, natural_sort_key, read_bytes, write_atomic
from converters.files.images import (
    IMAGE_SUFFIXES,
    decode_image,
    decode_size,
    encode_image,
    read_image,
    read_orientation,
    read_size,
)
from converters.files.locate import is_file_inside, locate_picture
from converters.files.project_mark import is_project_file
from converters.formats.reading import require_size
from converters.formats.signs import Signs
from converters.report import Report

_RESERVED = re.compile(r'[\x00-\x1f\x7f\x85\u2028\u2029<>:"|?*]')
_MAX_NAME_BYTES = 180
_DATA_SUFFIXES = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"GI": ".gif", b"BM": ".bmp", b"RI": ".webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One annotated picture on its way from one format to another.

    Attributes:
        name: where it goes below the target: a relative path without suffix, unique in a conversion.
        image_file: the picture's file, None if it was not found.
        split: "train" or "val", or "" when the target is not split.
    """

    annotation: ImageAnnotation
    name: str
    image_file: Path | None = None
    split: str = ""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a writer is told besides the pictures.

    Attributes:
        target: the file or the folder to write.
        labels: all labels in their order, when the format says `needs_labels` or the user gave them.
        label_map: new labels by old ones, as the pictures have them already.
        declared: labels the source lists, whether an object has them or not, as the label map has them.
        copy_images: pictures are copied into the target; otherwise they are referred to.
        info: json-to-dataset also writes `info.yaml`.
    """

    target: Path
    labels: tuple[str, ...] = ()
    label_map: Mapping[str, str] = field(default_factory=dict)
    declared: tuple[str, ...] = ()
    copy_images: bool = True
    info: bool = True


@dataclass(frozen=True, slots=True)
class PictureEntry:
    """A picture as a file of many lists it, not decoded yet.

    Attributes:
        image_path: as the file names it.
        decode: makes the annotation, perhaps in another process: a module's function, or a partial of one.
            What it raises as ConverterError means that nothing can be made of the entry.
    """

    image_path: str
    decode: Callable[[Report], ImageAnnotation]


F = TypeVar("F")
FindFiles: TypeAlias = Callable[[Path], list[Path]]
ReadFile: TypeAlias = Callable[[Path, Path, Report], list[ImageAnnotation]]
ListPictures: TypeAlias = Callable[[Path, Path, Report], list[PictureEntry]]
WritePicture: TypeAlias = Callable[[Picture, WriteOptions, Report], Any]
Finish: TypeAlias = Callable[[WriteOptions, list[Any], Report], None]


@dataclass(frozen=True, slots=True)
class Format:
    """One format of annotation files.

    Attributes:
        name: as on the command line.
        title: as in a dialog.
        find: the label files of a source (a file or a folder, searched with its sub-folders).
        read: (label file, source root, report) to its pictures; what cannot be carried is reported.
        entries: the same without decoding them, where one file speaks of many pictures: so the pictures
            can be handed out to processes.
        declared: all labels a source lists beside its objects, in the order of their numbers.
        write: one picture; may run in another process. What it returns goes to `finish`.
        finish: called once at the end with all that `write` returned, in order.
        needs_labels: `write` must know all labels of the whole source first.
        file_suffix: the target may be one file with this suffix ("" when only a folder will do).
        signs: what gives its files away; a format that has none must be named.
    """

    name: str
    title: str
    find: FindFiles | None = None
    read: ReadFile | None = None
    entries: ListPictures | None = None
    declared: Callable[[Path], list[str]] | None = None
    write: WritePicture | None = None
    finish: Finish | None = None
    needs_labels: bool = False
    file_suffix: str = ""
    signs: Signs = field(default_factory=Signs)


def decoded(entries: Iterable[PictureEntry], path: Path, report: Report) -> list[ImageAnnotation]:
    """The annotations of a file's entries; those of which nothing can be made are reported."""
    found: list[ImageAnnotation] = []
    for entry in entries:
        try:
            with spending(path):
                found.append(entry.decode(report))
        except ConverterError as error:
            report.add("dropped", error.problem, path=entry.image_path)
    return found


def reader_of(entries: ListPictures) -> ReadFile:
    """The `read` of a format that has `entries`."""

    def read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
        return decoded(entries(path, root, report), path, report)

    return read


def files_with(*suffixes: str, folder: str | None = None) -> FindFiles:
    """A `find` that lists the files with one of the suffixes, in natural order.

    Args:
        folder: only files in folders of this name, if the source has any such.
    """

    def find(source: Path) -> list[Path]:
        if source.is_file():
            return [source]
        found = [path for path in walk(source) if path.suffix.lower() in suffixes]
        inside = [path for path in found if folder is not None and path.parent.name == folder]
        return inside or found

    return find


def walk(folder: Path) -> list[Path]:
    """Every file below a folder in natural order; hidden ones, links to folders and SeedHue's project files
    are passed over."""
    found: list[Path] = []
    for base, folders, files in os.walk(folder):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_sort_key)
        found += [
            Path(base, name) for name in sorted(files, key=natural_sort_key) if not name.startswith(".")
        ]
    return [path for path in found if not is_project_file(path)]


def safe_name(text: str) -> str:
    """A foreign file name without its suffix as a relative path that stays inside any folder."""
    parts = [_safe_part(part) for part in text.replace("\\", "/").split("/")]
    parts = [part for part in parts if part not in ("", ".", "..")]
    if not parts:
        return "picture"
    stem, suffix = os.path.splitext(parts[-1])
    if suffix.lower() in IMAGE_SUFFIXES:
        parts[-1] = stem or "picture"
    return "/".join(parts[-8:])


def _safe_part(part: str) -> str:
    cleaned = _RESERVED.sub("_", unicodedata.normalize("NFC", part)).strip().rstrip(".")
    while len(cleaned.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
        cleaned = cleaned[:-1]
    return cleaned.encode("utf-8", "replace").decode("utf-8")


class PictureFinder:
    """Finds pictures by what label files call them, with an index of the whole source as last resort.

    The index is made at the first picture that is not where it should be; a name counts only if just
    one picture below the source has it.
    """

    def __init__(self, source: Path) -> None:
        self._root = source if source.is_dir() else source.parent.parent
        self._search = source if source.is_dir() else source.parent
        self._index: dict[str, Path | None] | None = None

    def find(self, label_file: Path, name: str) -> Path:
        """The picture's file.

        Raises:
            ConverterError: it is nowhere below the source.
        """
        if label_file.is_dir():  # a format without label files: names are seen from the folder
            label_file = label_file / "labels"
        try:
            return locate_picture(label_file, name, root=self._root)
        except ConverterError:
            if self._index is None:
                self._index = {}
                for path in walk(self._search):
                    if path.suffix.lower() in IMAGE_SUFFIXES and is_file_inside(path, self._root):
                        self._index[path.name] = None if path.name in self._index else path
            found = self._index.get(name.replace("\\", "/").rpartition("/")[2])
            if found is None:
                raise
            return found

    def attach(self, annotation: ImageAnnotation, label_file: Path) -> tuple[ImageAnnotation, Path | None]:
        """The annotation with its picture's size, and the picture's file if there is one.

        Raises:
            ConverterError: the picture cannot be read or has another size than the labels say.
        """
        try:
            image_file = self.find(label_file, annotation.image_path)
        except ConverterError:
            if annotation.image_data is None:
                return annotation, None
            height, width = decode_size(annotation.image_data, path=label_file)
            return require_size(annotation, height, width, path=label_file), None
        height, width = read_size(image_file)
        return require_size(annotation, height, width, path=label_file), image_file


def load_pixels(picture: Picture) -> Any:
    """The picture upright, (H, W, 3) uint8 RGB.

    Raises:
        ConverterError: it was not found, or cannot be read.
    """
    if picture.image_file is not None:
        return read_image(picture.image_file)
    if picture.annotation.image_data is not None:
        return decode_image(picture.annotation.image_data, path=picture.annotation.image_path)
    raise ConverterError(
        "its picture was not found.",
        path=picture.annotation.image_path,
        remedy="Put the picture beside its label file.",
    )


def place_image(picture: Picture, folder: Path, report: Report, *, suffix: str | None = None) -> str | None:
    """Copy the picture below a folder under its conversion name; returns its path relative to that folder.

    A picture that is upright already is copied byte for byte; one with an EXIF turn is written upright,
    so that programs which ignore EXIF see what the labels mean.

    Args:
        suffix: the format to write (".jpg"), whatever the source has. Default: the source's own.

    Returns:
        None when there is no picture to copy; that is reported.
    """
    data = picture.annotation.image_data
    source = picture.image_file
    if source is None and data is None:
        report.add(
            "dropped",
            "the picture was not found and is not in the target",
            path=picture.annotation.image_path,
        )
        return None
    own = source.suffix.lower() if source is not None else _DATA_SUFFIXES.get((data or b"")[:2], ".png")
    wanted = own if suffix is None else suffix
    target = folder / f"{picture.name}{wanted}"
    make_folder(target.parent)
    turned = source is not None and read_orientation(source) != 1
    if turned or _other_format(own, wanted):
        write_atomic(target, encode_image(load_pixels(picture), wanted), durable=False)
    else:
        copied = data if source is None and data is not None else read_bytes(source or "")
        write_atomic(target, copied, durable=False)
    return target.relative_to(folder).as_posix()


def _other_format(own: str, wanted: str) -> bool:
    jpeg = (".jpg", ".jpeg", ".jfif")
    return own != wanted and not (own in jpeg and wanted in jpeg)


def image_reference(picture: Picture, base: Path) -> str:
    """How a label file in `base` names the picture that stays where it is."""
    if picture.image_file is None:
        return picture.annotation.image_path
    try:
        return Path(os.path.relpath(picture.image_file, base)).as_posix()
    except ValueError:  # another drive on Windows
        return picture.image_file.as_posix()


def known_size(picture: Picture) -> tuple[int, int]:
    """(height, width).

    Raises:
        ConverterError: neither the labels nor the picture tell it.
    """
    annotation = picture.annotation
    if annotation.height and annotation.width:
        return annotation.height, annotation.width
    raise ConverterError(
        "the picture's size is unknown: its label file does not tell it and the picture was not found.",
        path=annotation.image_path,
        remedy="Put the picture beside its label file.",
    )


def label_numbers(labels: Iterable[str]) -> dict[str, int]:
    """Labels with consecutive numbers from 0 in the given order."""
    return {label: number for number, label in enumerate(dict.fromkeys(labels))}


def outline_note(rings: int) -> str:
    """The note on a mask that becomes the polygon `joined_outline` makes."""
    return "a mask becomes its outline" + (", parts and holes joined by cuts" if rings > 1 else "")


def labels_to_list(options: WriteOptions, found: Iterable[Iterable[str]]) -> Sequence[str]:
    """What a format lists as its labels: those it was given, else those found and declared, by name."""
    return options.labels or sorted({*options.declared}.union(*found))


def by_split(fragments: Iterable[F], split_of: Callable[[F], str]) -> list[tuple[str, list[F]]]:
    """The fragments of each split, in the order of their names; without any, one empty part."""
    parts: dict[str, list[F]] = {}
    for fragment in fragments:
        parts.setdefault(split_of(fragment), []).append(fragment)
    return sorted(parts.items()) or [("", [])]


def place_for_dataset(picture: Picture, options: WriteOptions, report: Report) -> ImageAnnotation:
    """The annotation with the picture's path as a dataset file names it, the picture copied if asked.

    With a folder as target pictures go to `images/` in it; next to a single file they stay where they
    are and are referred to from there.
    """
    in_folder = options.target.suffix == "" or options.target.is_dir()
    if options.copy_images and in_folder:
        name = place_image(picture, options.target / "images" / picture.split, report)
        path = name and "/".join(filter(None, ("images", picture.split, name)))
    else:
        path = image_reference(picture, options.target if in_folder else options.target.parent)
    return replace(picture.annotation, image_path=path or picture.annotation.image_path)


def dataset_file(options: WriteOptions, stem: str, split: str, suffix: str = ".json") -> Path:
    """The file a dataset format writes: the target itself, or `stem` in the target folder; with the split."""
    target = options.target
    if target.suffix == "" or target.is_dir():
        make_folder(target)
        target = target / f"{stem}{suffix}"
    else:
        make_folder(target.parent)
    return target.with_name(f"{target.stem}_{split}{target.suffix}") if split else target
