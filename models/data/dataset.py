"""Annotated pictures as training reads them: COCO folders and labelme folders, decoded when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Box, ImageAnnotation, Mask
from converters.errors import ConverterError
from converters.files.files import read_json
from converters.files.images import IMAGE_SUFFIXES, read_image
from converters.formats.coco.instances import read_coco
from converters.formats.labelme.document import find_image, read_labelme
from converters.shapes.geometry import rasterize
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One object: its mask (a filled box if `has_mask` is False) and its category index."""

    mask: Mask
    category: int
    has_mask: bool = True


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """One picture of a data set; pixels are read when asked for.

    Attributes:
        crowds: regions that hold several objects of a category, not told apart. They are neither to be
            found nor held against what is found there.
    """

    path: Path
    height: int
    width: int
    objects: tuple[AnnotatedObject, ...]
    exhaustive: bool
    crowds: tuple[AnnotatedObject, ...] = ()

    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, upright."""
        return _read_cached(self.path)


@lru_cache(maxsize=64)
def _read_cached(path: Path) -> NDArray[np.uint8]:
    return read_image(path)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that a training does without.

    Attributes:
        path: a picture, or the label file of one.
        problem: what is wrong with it, as it can be shown.
    """

    path: Path
    problem: str

    @classmethod
    def because(cls, error: ConverterError, path: Path) -> SetAside:
        """The file at fault is the error's own if it names one."""
        return cls(error.path or path, error.problem)

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named set of pictures.

    Attributes:
        categories: names, in the order that `AnnotatedObject.category` counts.
        weight: share of the crops drawn from this set, relative to the others.
        set_aside: files that belong to it and could not be read.
    """

    name: str
    pictures: tuple[AnnotatedPicture, ...]
    categories: tuple[str, ...]
    weight: float = 1.0
    set_aside: tuple[SetAside, ...] = ()


def draw_object(objects: Sequence[AnnotatedObject], rng: np.random.Generator) -> AnnotatedObject:
    """A random object, with a preference for large ones (by the square root of their boxes' area), so that
    the many small parts of a scene do not drown the rest."""
    sizes = np.array([o.mask.array.size for o in objects], np.float64) ** 0.5
    return objects[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]


def _picture(
    path: Path, annotation: ImageAnnotation, categories: Sequence[str], *, exhaustive: bool
) -> AnnotatedPicture:
    index = {name: i for i, name in enumerate(categories)}
    objects: list[AnnotatedObject] = []
    crowds: list[AnnotatedObject] = []
    for instance in annotation.instances:
        if not is_region(instance.geometry):
            continue
        mask = rasterize(instance.geometry, annotation.height, annotation.width)
        if not mask.is_empty:
            has_mask = not isinstance(instance.geometry, Box)
            found = crowds if instance.iscrowd else objects
            found.append(AnnotatedObject(mask, index[instance.label], has_mask))
    return AnnotatedPicture(
        path, annotation.height, annotation.width, tuple(objects), exhaustive, tuple(crowds)
    )


def _partial_pictures(document: Path) -> tuple[bool, set[str]]:
    """Whether the whole set, or which of its files, annotate only some of the visible objects."""
    facts = read_json(document)
    whole = bool(facts.get("info", {}).get("partial"))
    return whole, {str(image["file_name"]) for image in facts["images"] if image.get("partial")}


def load_coco_folder(folder: Path) -> Dataset:
    """Read NAME/images + NAME/instances.json; `partial` on the set or on an image is respected."""
    document = folder / "instances.json"
    annotations = read_coco(document)
    partial, partial_files = _partial_pictures(document)
    categories = sorted({i.label for a in annotations for i in a.instances})
    pictures = []
    for annotation in annotations:
        name = Path(annotation.image_path).name
        exhaustive = not partial and name not in partial_files
        pictures.append(_picture(folder / "images" / name, annotation, categories, exhaustive=exhaustive))
    return Dataset(folder.name, tuple(p for p in pictures if p.objects), tuple(categories))


def load_labelme_folder(folder: Path, *, exhaustive: bool = False) -> Dataset:
    """Read every labelme JSON below a folder.

    A person who annotates by hand rarely outlines everything, so the pictures count as partially
    annotated unless told otherwise.
    """
    found: list[tuple[Path, ImageAnnotation]] = []
    left_out: list[SetAside] = []
    for path in sorted(folder.rglob("*.json")):
        annotation = None
        try:
            annotation = read_labelme(path)
            found.append((find_image(path, annotation), annotation))
        except ConverterError as error:
            # Other JSON files live in such folders too; `load_dataset` complains if none fits.
            if annotation is not None or _lies_beside_picture(path):
                left_out.append(SetAside.because(error, path))
    categories = sorted({i.label for _, a in found for i in a.instances})
    pictures = tuple(_picture(p, a, categories, exhaustive=exhaustive) for p, a in found)
    kept = tuple(p for p in pictures if p.objects)
    return Dataset(folder.name, kept, tuple(categories), set_aside=tuple(left_out))


def _lies_beside_picture(label: Path) -> bool:
    """Whether a JSON file is called as a picture in its folder is."""
    return any(label.with_suffix(suffix).is_file() for suffix in ("", *IMAGE_SUFFIXES))


def load_dataset(folder: Path) -> list[Dataset]:
    """Read a data set, or every data set directly below a folder (`*_val` ones are left out).

    Raises:
        ConverterError: nothing in the folder can be read as COCO or labelme annotations.
    """
    if (folder / "instances.json").is_file():
        return [load_coco_folder(folder)]
    children = [
        load_coco_folder(child)
        for child in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if (child / "instances.json").is_file() and not child.name.endswith("_val")
    ]
    if children:
        return children
    labelme = load_labelme_folder(folder) if folder.is_dir() else None
    if labelme is None or not labelme.pictures:
        raise ConverterError(
            "no annotated pictures were found",
            path=folder,
            remedy="Give a folder with images/ and instances.json (COCO), or with labelme JSON files.",
        )
    return [labelme]
