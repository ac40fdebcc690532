"""COCO panoptic: a JSON of segments and a picture of segment ids for each picture.

The ids stand in RGB PNGs as r + 256 g + 65536 b, in a folder named like the JSON. Every pixel belongs to
one segment at most: of overlapping objects the later one keeps it, and that is reported.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.annotation import (
    ImageAnnotation,
    Instance,
    Mask,
    Polygon,
    RejectedShape,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.budget import MASK_PIXELS, spend
from converters.files.files import json_text, make_folder, read_json, safe_join, shown, write_atomic
from converters.files.images import encode_png, read_index_image
from converters.formats.coco.dataset import (
    category_numbers,
    is_coco,
    is_panoptic,
    kept_ids,
    kept_numbers,
    known_categories,
    known_entry,
    known_header,
    known_id,
    read_category_names,
    read_header,
    remembered,
    written_header,
)
from converters.formats.format import (
    Format,
    Picture,
    PictureEntry,
    WriteOptions,
    by_split,
    dataset_file,
    files_with,
    known_size,
    place_for_dataset,
    reader_of,
)
from converters.formats.labelme.to_dataset import paint
from converters.formats.own_facts import KEY, all_facts, with_facts
from converters.formats.reading import picture_side
from converters.formats.signs import Signs
from converters.frozen import FrozenMap
from converters.shapes.geometry import rasterize
from converters.shapes.kinds import is_region

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from converters.report import Report


def _entries(file: Path, root: Path, report: Report) -> list[PictureEntry]:
    """The pictures of a panoptic JSON, each segment a mask; `isthing` comes as an attribute.

    Raises:
        ConverterError: missing, not JSON, or no panoptic file.
    """
    document = read_json(file)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(k), list) for k in ("images", "annotations")
    ):
        raise UnknownFormatError("this is no COCO panoptic file.", path=file)
    names = read_category_names(document)
    first: dict[str, Any] | None = (header := read_header(document))
    things = {entry["id"]: entry.get("isthing") in (1, True) for entry in header["categories"]}
    segments: dict[Any, dict[str, Any]] = {}
    known = {image.get("id") for image in document["images"] if isinstance(image, dict) and _has_id(image)}
    for index, entry in enumerate(document["annotations"]):
        identity = entry.get("image_id") if isinstance(entry, dict) else None
        if not isinstance(identity, int | str) or identity not in known:
            report.add("dropped", "the annotation belongs to no picture of the file", path=file, index=index)
        elif identity in segments:
            report.add("dropped", "the picture has an annotation already", path=file, index=index)
        else:
            segments[identity] = entry
    found: list[PictureEntry] = []
    for index, image in enumerate(document["images"]):
        if not isinstance(image, dict) or not _has_id(image) or not isinstance(image.get("file_name"), str):
            report.add("dropped", "the entry under images has no id or no file_name", path=file, index=index)
            continue
        entry = segments.get(image["id"], {"segments_info": []})
        decode = partial(_annotation_of, image, entry, names, things, file, first)
        found.append(PictureEntry(_path_of(image), decode))
        first = None
    return found


def _has_id(image: dict[str, Any]) -> bool:
    return isinstance(image.get("id"), int | str)


def _path_of(image: dict[str, Any]) -> str:
    return str(image["file_name"]).replace("\\", "/")


def _annotation_of(
    image: dict[str, Any],
    entry: dict[str, Any],
    names: Mapping[int, str],
    things: Mapping[int, bool],
    file: Path,
    header: dict[str, Any] | None,
    report: Report,
) -> ImageAnnotation:
    segments = entry.get("segments_info")
    segments = segments if isinstance(segments, list) else []
    name = _path_of(image)
    height, width = picture_side(image.get("height")), picture_side(image.get("width"))
    if not segments:
        return ImageAnnotation(name, height, width, extra=_extra(image, (), names, header))
    ids = read_index_image(_id_picture(entry.get("file_name"), file))
    if height and width and ids.shape != (height, width):
        raise ConverterError(f"the picture of its segments is {ids.shape[1]} x {ids.shape[0]} pixels.")
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    taken: set[str] = set()
    for index, raw in enumerate(segments):
        try:
            instance = _segment(raw, index, ids, names, things)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, raw))
            continue
        if instance.id in taken:
            instance = replace(instance, id=f"{instance.id}-{index}")
        taken.add(instance.id)
        instances.append(instance)
    return ImageAnnotation(
        image_path=name,
        height=ids.shape[0],
        width=ids.shape[1],
        instances=tuple(instances),
        rejected=tuple(rejected),
        extra=_extra(image, instances, names, header),
    )


def _extra(
    image: dict[str, Any],
    instances: Iterable[Instance],
    names: Mapping[int, str],
    header: dict[str, Any] | None,
) -> FrozenMap[Any]:
    labels = {instance.label for instance in instances}
    return FrozenMap({"coco": remembered(image, labels, dict(names), header)})


def _id_picture(name: Any, file: Path) -> Path:
    """The PNG of ids: in the folder called like the JSON, or beside it."""
    if not isinstance(name, str):
        raise ConverterError("the annotation names no picture of its segments.")
    folders = [file.with_suffix(""), file.parent, file.parent / "panoptic"]
    for folder in folders:
        candidate = safe_join(folder, name)
        if candidate.is_file():
            return candidate
    raise ConverterError(f"the picture of its segments {shown(name)} is not to be found.", path=file)


def _segment(
    raw: Any, index: int, ids: np.ndarray[Any, Any], names: Mapping[int, str], things: Mapping[int, bool]
) -> Instance:
    number = raw.get("id") if isinstance(raw, dict) else None
    category = raw.get("category_id") if isinstance(raw, dict) else None
    if type(number) is not int or type(category) is not int or category not in names:
        raise ConverterError("the segment has no id, or its category is not defined.")
    mask = Mask.from_full(ids == number)
    spend(MASK_PIXELS, mask.array.size)
    if mask.is_empty:
        raise ConverterError("the segment has no pixels in its picture.")
    instance = Instance(
        id=str(number),
        label=names[category],
        geometry=mask,
        iscrowd=raw.get("iscrowd") in (1, True),
        attributes=FrozenMap({} if things.get(category, True) else {"isthing": False}),
    )
    return with_facts(instance, raw.get(KEY))


def _write(picture: Picture, options: WriteOptions, report: Report) -> dict[str, Any]:
    height, width = known_size(picture)
    annotation = place_for_dataset(picture, options, report)
    report.add_rejected(annotation)
    kept: list[Instance] = []
    masks: list[Mask] = []
    for index, instance in enumerate(annotation.instances):
        note = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if not is_region(instance.geometry):
            note("dropped", "panoptic segmentation has no lines and points")
            continue
        mask = rasterize(
            instance.geometry,
            height,
            width,
            rule="labelme" if isinstance(instance.geometry, Polygon) else "centers",
        )
        if not isinstance(instance.geometry, Mask):
            note("changed", "its outline becomes pixels")
        kept.append(instance)
        masks.append(mask)
    ids = paint(masks, range(1, len(masks) + 1), height, width)
    counts = np.bincount(ids.ravel(), minlength=len(masks) + 1)
    segments: list[dict[str, Any]] = []
    for number, (instance, mask) in enumerate(zip(kept, masks, strict=True), start=1):
        area = int(counts[number])
        if area < mask.area:
            action, share = ("simplified", "part") if area else ("dropped", "all")
            reason = f"{share} of it lies under later objects, and a pixel has one segment"
            report.add(action, reason, path=annotation.image_path, instance=instance)  # type: ignore[arg-type]
        if not area:
            if not mask.area:
                report.add("dropped", "it has no pixels", path=annotation.image_path, instance=instance)
            continue
        shape = Mask.from_full(ids[mask.y0 : mask.y1, mask.x0 : mask.x1] == number)
        box = [mask.x0 + shape.x0, mask.y0 + shape.y0, shape.x1 - shape.x0, shape.y1 - shape.y0]
        segments.append(
            {
                "id": number,
                "category_id": instance.label,
                "area": area,
                "bbox": box,
                "iscrowd": int(instance.iscrowd),
                KEY: all_facts(instance),
            }
        )
    rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], axis=2).astype(np.uint8)
    file = dataset_file(options, "panoptic", picture.split).with_suffix("") / f"{picture.name}.png"
    make_folder(file.parent)
    write_atomic(file, encode_png(rgb), durable=False)
    report.pictures += 1
    report.instances += len(segments)
    return {
        "split": picture.split,
        "image": {**known_entry(annotation), "height": height, "width": width},
        "annotation": {"file_name": f"{picture.name}.png", "segments_info": segments},
        "known_id": known_id(annotation),
        "known_categories": known_categories(annotation),
        "header": known_header(annotation),
    }


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    every = [s for fragment in fragments for s in fragment["annotation"]["segments_info"]]
    labels = {s["category_id"] for s in every}
    headers = [fragment["header"] for fragment in fragments if fragment["header"]]
    if options.labels:
        numbers = category_numbers(options.labels)
    else:
        known = [fragment["known_categories"] for fragment in fragments]
        declared = labels.union(options.declared)
        numbers = kept_numbers(declared, known, headers, label_map=options.label_map)
    stuff = {s["category_id"] for s in every if s[KEY].get("attributes", {}).get("isthing") is False}
    header = written_header(numbers, headers, report)
    for category in header["categories"]:
        if category["name"] in labels or "isthing" not in category:
            category["isthing"] = int(category["name"] not in stuff)
    for split, part in by_split(fragments, itemgetter("split")):
        images, annotations = [], []
        for number, fragment in zip(kept_ids(each["known_id"] for each in part), part, strict=True):
            images.append({"id": number, **fragment["image"]})
            segments = [
                {**s, "category_id": numbers[s["category_id"]]}
                for s in fragment["annotation"]["segments_info"]
            ]
            annotations.append({"image_id": number, **fragment["annotation"], "segments_info": segments})
        document = {**header, "images": images, "annotations": annotations}
        write_atomic(dataset_file(options, "panoptic", split), json_text(document))


FORMATS = (
    Format(
        name="coco-panoptic",
        title="COCO panoptic",
        find=files_with(".json"),
        read=reader_of(_entries),
        entries=_entries,
        write=_write,
        finish=_finish,
        file_suffix=".json",
        signs=Signs(
            json=lambda document: is_coco(document) and is_panoptic(document),
            json_ends=lambda ends: b'"segments_info"' in ends,
            ends_suffice=True,
        ),
    ),
)
