"""Pascal VOC: an XML file of boxes per picture, masks as two indexed pictures.

Coordinates in the XML count from 1 and include the last pixel, as in the original data set: the box
that covers pixel columns 0 to 9 is xmin 1, xmax 10. Masks go to SegmentationClass and
SegmentationObject, where one pixel belongs to one object: of overlapping objects the later one keeps it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np

from converters.annotation import (
    Box,
    ImageAnnotation,
    Instance,
    Mask,
    RejectedShape,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.budget import MASK_PIXELS, spend
from converters.files.files import make_folder, write_atomic
from converters.files.images import read_index_image
from converters.files.lines import line_list
from converters.files.locate import is_file_inside
from converters.files.palette import indexed_png
from converters.formats.format import Format, Picture, WriteOptions, files_with, known_size, place_image
from converters.formats.own_facts import KEY, all_facts, with_facts
from converters.formats.reading import content_id
from converters.formats.signs import Signs
from converters.formats.xml_files import (
    MIT_TAGS,
    OUTLINE_TAGS,
    add,
    add_facts,
    decimal,
    element_dict,
    facts_in,
    fits_xml,
    number_of,
    pixels_of,
    read_xml,
    text_of,
    xml_bytes,
)
from converters.frozen import FrozenMap
from converters.shapes.geometry import bounding_box, rasterize
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from converters.report import Report

MAX_OBJECTS = 254
_STATES = ("truncated", "difficult", "occluded")
# What is read of an object; RectLabel's shapes are among it. Anything else is kept as it is.
_KNOWN = frozenset(
    {"name", "pose", *_STATES, "bndbox", "attributes", KEY}
    | {"polygon", "rotated_bndbox", "robndbox", "line", "cubic_bezier", "keypoints", "pixels"}
)


def read_voc(path: Path | str) -> ImageAnnotation:
    """One VOC XML file; objects that have pixels in SegmentationObject come as masks, others as boxes.

    Raises:
        ConverterError: missing, not XML, or no VOC annotation.
    """
    root = read_xml(path)
    if root.tag != "annotation":
        raise UnknownFormatError("this is no VOC annotation.", path=path)
    height, width = pixels_of(root.findtext("size/height")), pixels_of(root.findtext("size/width"))
    layers = _object_layers(Path(path), height, width)
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    for index, element in enumerate(root.findall("object")):
        try:
            instance = voc_object(element, index)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, element_dict(element)))
            continue
        if layers is not None and index < MAX_OBJECTS:
            mask = Mask.from_full(layers == index + 1)
            spend(MASK_PIXELS, mask.array.size)
            instance = instance if mask.is_empty else replace(instance, geometry=mask)
        instances.append(instance)
    return ImageAnnotation(
        image_path=text_of(root, "filename"),
        height=height,
        width=width,
        instances=tuple(instances),
        rejected=tuple(rejected),
    )


def voc_object(element: Element, index: int) -> Instance:
    """An `object` element as an instance with its box.

    Raises:
        ConverterError: it has no name, or no box.
    """
    attributes: dict[str, Any] = {}
    for state in _STATES:
        if text_of(element, state) in ("1", "true", "True"):
            attributes[state] = True
    pose = text_of(element, "pose")
    if pose not in ("", "Unspecified"):
        attributes["pose"] = pose
    for attribute in element.findall("attributes/attribute"):
        attributes[text_of(attribute, "name")] = text_of(attribute, "value")
    others = [child for child in element if child.tag not in _KNOWN]
    attributes.update({child.tag: text_of(element, child.tag) for child in others if not len(child)})
    nested = [element_dict(child) for child in others if len(child)]
    instance = Instance(
        id=content_id(element_dict(element), index),
        label=voc_label(element),
        geometry=_box(element),
        attributes=FrozenMap(attributes),
        extra=FrozenMap({"voc": nested} if nested else {}),
    )
    return with_facts(instance, facts_in(element))


def voc_label(element: Element) -> str:
    """The object's name.

    Raises:
        ConverterError: there is none.
    """
    label = text_of(element, "name")
    if not label:
        raise ConverterError("the object has no name.")
    return label


def _box(element: Element) -> Box:
    found = element.find("bndbox")
    if found is None:
        raise ConverterError("the object has no bndbox.")
    left, top = number_of(found, "xmin") - 1, number_of(found, "ymin") - 1
    return Box(left, top, number_of(found, "xmax"), number_of(found, "ymax"))


def voc_root(annotation: ImageAnnotation, folder: str, segmented: bool) -> Element:
    """The head of a VOC file."""
    root = Element("annotation")
    add(root, "folder", folder)
    add(root, "filename", annotation.image_path.rpartition("/")[2])
    add(add(root, "source"), "database", "Unknown")
    size = add(root, "size")
    add(size, "width", annotation.width)
    add(size, "height", annotation.height)
    add(size, "depth", 3)
    add(root, "segmented", int(segmented))
    return root


def add_voc_object(root: Element, instance: Instance) -> Element:
    """An `object` element with name, states and SeedHue's facts; the box is up to the caller."""
    element = add(root, "object")
    add(element, "name", instance.label)
    attributes = dict(instance.attributes)
    pose = attributes.get("pose")
    add(element, "pose", pose if isinstance(pose, str) and pose else "Unspecified")
    for state in _STATES:
        add(element, state, int(attributes.get(state) is True))
    add_facts(element, all_facts(instance))
    return element


def add_bndbox(element: Element, instance: Instance) -> None:
    """The box in VOC's counting."""
    x0, y0, x1, y1 = bounding_box(instance.geometry)
    box = add(element, "bndbox")
    for tag, value in (("xmin", x0 + 1), ("ymin", y0 + 1), ("xmax", x1), ("ymax", y1)):
        add(box, tag, decimal(value))


def _object_layers(path: Path, height: int, width: int) -> NDArray[Any] | None:
    """The SegmentationObject picture that belongs to an XML file, if there is one that fits."""
    parts = list(path.resolve().parts)
    places = [index for index, part in enumerate(parts) if part == "Annotations"]
    if not places:
        return None
    parts[places[-1]] = "SegmentationObject"
    file = Path(*parts).with_suffix(".png")
    if not is_file_inside(file, Path(*parts[: places[-1]])):
        return None
    layers = read_index_image(file)
    return layers if layers.shape == (height, width) else None


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return [read_voc(path)]


def _write(picture: Picture, options: WriteOptions, report: Report) -> tuple[str, str]:
    annotation = picture.annotation
    height, width = known_size(picture)
    target = make_folder(options.target)
    placed = (
        place_image(picture, target / "JPEGImages", report, suffix=".jpg") if options.copy_images else None
    )
    annotation = replace(annotation, image_path=placed or annotation.image_path)
    report.add_rejected(annotation)
    kept: list[Instance] = []
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if not is_region(instance.geometry):
            note("dropped", "VOC has no lines and points")
            continue
        if not fits_xml(instance.label):
            note("changed", "its label holds letters or spaces XML does not keep")
        if not isinstance(instance.geometry, Mask | Box):
            note("changed", "its outline becomes pixels")
        kept.append(instance)
    layers = _paint(kept, annotation, height, width, report)
    root = voc_root(annotation, "JPEGImages", layers is not None)
    for instance in kept:
        add_bndbox(add_voc_object(root, instance), instance)
    _write_file(target / "Annotations" / f"{picture.name}.xml", xml_bytes(root))
    if layers is not None:
        numbers = np.array([0, *(options.labels.index(i.label) + 1 for i in kept)])
        if len(options.labels) <= MAX_OBJECTS:
            classes = indexed_png(numbers[layers].astype(np.uint8))
            _write_file(target / "SegmentationClass" / f"{picture.name}.png", classes)
        _write_file(
            target / "SegmentationObject" / f"{picture.name}.png", indexed_png(layers.astype(np.uint8))
        )
    report.pictures += 1
    report.instances += len(kept)
    return picture.split, picture.name


def _paint(
    kept: list[Instance], annotation: ImageAnnotation, height: int, width: int, report: Report
) -> NDArray[np.int32] | None:
    """The object picture, or None when there are only boxes; pixels that are lost are reported."""
    if all(isinstance(instance.geometry, Box) for instance in kept):
        return None
    layers = np.zeros((height, width), np.int32)
    areas: dict[int, int] = {}
    for number, instance in enumerate(kept, start=1):
        if isinstance(instance.geometry, Box):
            continue
        if number > MAX_OBJECTS:
            reason = f"VOC numbers {MAX_OBJECTS} objects a picture; of this one only the box is kept"
            report.add("simplified", reason, path=annotation.image_path, instance=instance)
            continue
        mask = rasterize(instance.geometry, height, width)
        layers[mask.y0 : mask.y1, mask.x0 : mask.x1][mask.array] = number
        areas[number] = mask.area
    counts = np.bincount(layers.ravel(), minlength=len(kept) + 1)
    for number, area in areas.items():
        if counts[number] < area:
            share = "part" if counts[number] else "all"
            reason = f"{share} of it lies under later objects, and VOC gives each pixel to one object"
            report.add("simplified", reason, path=annotation.image_path, instance=kept[number - 1])
    return layers


def _write_file(path: Path, data: bytes) -> None:
    make_folder(path.parent)
    write_atomic(path, data, durable=False)


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    """The lists of pictures and, beside them, the class names in the order of their numbers."""
    lists = make_folder(options.target / "ImageSets" / "Main")
    names = sorted(fragments)
    for split in sorted({split for split, _ in names}):
        text = line_list(name for part, name in names if part == split)
        write_atomic(lists / f"{split or 'trainval'}.txt", text)
    report.add_broken_labels(options.target / "class_names.txt", options.labels)
    write_atomic(options.target / "class_names.txt", line_list(("_background_", *options.labels)))


FORMATS = (
    Format(
        name="voc",
        title="Pascal VOC",
        find=files_with(".xml", folder="Annotations"),
        read=_read,
        write=_write,
        finish=_finish,
        needs_labels=True,
        signs=Signs(xml=lambda tags: tags[0] == "annotation" and (MIT_TAGS | OUTLINE_TAGS).isdisjoint(tags)),
    ),
)
