"""COCO instances: one JSON file for many pictures, masks as polygons or run-length codes.

What COCO has no key for (group ids, flags, SeedHue's facts, the original form of boxes and circles)
travels under `seedhue` in each annotation, attributes under `attributes` as CVAT writes them; other
programs ignore both. Lines and points have no COCO form and are dropped, and reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from converters.annotation import (
    Box,
    Circle,
    ImageAnnotation,
    Instance,
    Line,
    LineStrip,
    OrientedBox,
    Point,
    PointSet,
    RejectedShape,
)
from converters.coco_segmentation import read_geometry, size_of_codes, write_segmentation
from converters.errors import ConverterError, UnknownFormatError
from converters.files import json_text, read_json, shown, write_atomic
from converters.formats import Format, Picture, WriteOptions, dataset_file, files_with, place_for_dataset
from converters.frozen import FrozenMap, frozen
from converters.labelme_shapes import encode_geometry, split_flags
from converters.report import Report
from converters.seedhue_facts import KEY, facts_of, is_number, read_facts

_ANNOTATION_KEYS = frozenset(
    {"id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd", "attributes", "score", KEY}
)
_IMAGE_KEYS = frozenset({"file_name", "height", "width", KEY})
_OUR_KEYS = frozenset({"group_id", "description", "flags", "locked", "shape", "score_text"})

Categories = Sequence[str] | Mapping[str, int]


def write_coco(
    path: Path | str,
    annotations: Sequence[ImageAnnotation],
    *,
    categories: Categories | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Report:
    """Write one COCO instances file, atomically.

    Masks are exact run-length codes; polygons and boxes stay polygons, circles become masks. Areas
    and bounding boxes are those pycocotools computes from the segmentation; a box keeps its own
    corners. Picture and category ids of a COCO source are kept.

    Args:
        categories: names in the order of their ids from 1 on, or names with ids; an object with
            another label is dropped and reported. Default: every label there is, with the id it had
            in a COCO source; others are numbered after these in alphabetical order.
        should_stop: asked before each picture.

    Returns:
        What was changed or dropped, and why.

    Raises:
        ConverterError: the file cannot be written, a picture's size is unknown, or it was stopped.
    """
    report = Report()
    if categories is None:
        labels = {label for annotation in annotations for label in annotation.labels}
        numbers = _kept_numbers(labels, map(_known_categories, annotations))
    else:
        numbers = category_numbers(annotations, categories)
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for image_id, annotation in zip(_image_ids(map(_known_id, annotations)), annotations, strict=True):
        if should_stop is not None and should_stop():
            raise ConverterError("stopped before anything was written.", path=path)
        images.append({**_image_entry(annotation, path), "id": image_id})
        for entry in encode_annotations(annotation, numbers, report):
            objects.append({"id": len(objects) + 1, "image_id": image_id, **entry})
    write_atomic(path, json_text(_document(images, objects, numbers)))
    return report


def _document(
    images: list[dict[str, Any]], objects: list[dict[str, Any]], numbers: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "info": {"description": "written by SeedHue", "version": "1.0"},
        "licenses": [],
        "images": images,
        "annotations": objects,
        "categories": [{"id": n, "name": name, "supercategory": ""} for name, n in numbers.items()],
    }


def category_numbers(annotations: Sequence[ImageAnnotation], categories: Categories | None) -> dict[str, int]:
    """Category names with their ids: as given, or all labels sorted and numbered from 1."""
    if isinstance(categories, Mapping):
        return dict(categories)
    if categories is None:
        categories = sorted({label for annotation in annotations for label in annotation.labels})
    return {name: number for number, name in enumerate(dict.fromkeys(categories), start=1)}


def encode_annotations(
    annotation: ImageAnnotation, numbers: Mapping[str, Any], report: Report
) -> list[dict[str, Any]]:
    """A picture's COCO annotations, without `id` and `image_id`; losses go into the report."""
    entries: list[dict[str, Any]] = []
    report.pictures += 1
    note_rejected(annotation, report)
    for index, instance in enumerate(annotation.instances):
        note_loss = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if instance.label not in numbers:
            note_loss("dropped", "its label is not in the list of categories")
        elif isinstance(instance.geometry, Line | LineStrip | Point | PointSet):
            note_loss("dropped", "COCO segmentation has no lines and points")
        else:
            shape, note = write_segmentation(instance.geometry, annotation.height, annotation.width)
            if note:
                note_loss("changed", note)
            report.instances += 1
            entries.append({"category_id": numbers[instance.label], **shape, **_facts(instance)})
    return entries


def note_rejected(annotation: ImageAnnotation, report: Report) -> None:
    """Report the shapes that were already unreadable in the source as not carried over."""
    for shape in annotation.rejected:
        reason = f"not readable in the source: {shape.reason}"
        report.add("dropped", reason, path=annotation.image_path, index=shape.index)


def read_coco(path: Path | str, *, report: Report | None = None) -> list[ImageAnnotation]:
    """The pictures of a COCO instances file with their objects, in the file's order.

    A segmentation of one ring stays a polygon; several rings are one object and become one mask,
    filled as pycocotools fills them; run-length codes are exact; without a segmentation the bounding
    box counts. Annotations that make no sense are set aside in their picture's `rejected`; those
    without a picture can only be reported.

    Raises:
        ConverterError: missing, not JSON, cut off, or no COCO file.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise UnknownFormatError('this is no COCO file: it has no list called "images".', path=path)
    names = read_category_names(document)
    report = Report() if report is None else report
    per_image: dict[Any, list[tuple[int, Any]]] = {}
    listed = document.get("annotations")
    for index, raw in enumerate(listed if isinstance(listed, list) else ()):
        image_id = raw.get("image_id") if isinstance(raw, dict) else None
        per_image.setdefault(image_id if isinstance(image_id, int | str) else None, []).append((index, raw))
    found: list[ImageAnnotation] = []
    for index, image in enumerate(document["images"]):
        identity = image.get("id") if isinstance(image, dict) else None
        if not isinstance(identity, int | str) or not isinstance(image.get("file_name"), str):
            report.add("dropped", "the entry under images has no id or no file_name", path=path, index=index)
            continue
        found.append(_annotation_of(image, per_image.pop(identity, []), names))
    for orphans in per_image.values():
        for index, _ in orphans:
            report.add("dropped", "the annotation belongs to no picture of the file", path=path, index=index)
    return found


def read_category_names(document: dict[str, Any]) -> dict[int, str]:
    """Category ids with their names; entries without either are left out."""
    listed = document.get("categories")
    return {
        entry["id"]: entry["name"]
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and type(entry.get("id")) is int and isinstance(entry.get("name"), str)
    }


def decode_annotation(raw: Any, label: str, *, height: int, width: int, fallback_id: str) -> Instance:
    """One COCO annotation as an instance.

    Raises:
        ConverterError: its segmentation and its box make no sense.
    """
    facts = read_facts(raw.get(KEY))
    ours = {key: facts.rest.pop(key) for key in _OUR_KEYS if key in facts.rest}
    odd: dict[str, Any] = {}
    flags = split_flags(ours.get("flags"), odd)
    attributes = raw.get("attributes")
    extra = {} if raw.keys() <= _ANNOTATION_KEYS else {k: raw[k] for k in raw if k not in _ANNOTATION_KEYS}
    if facts.rest:
        extra[KEY] = facts.rest
    if attributes is not None and not isinstance(attributes, dict):
        odd["attributes"] = attributes
    score, group_id, description = raw.get("score"), ours.get("group_id"), ours.get("description")
    return Instance(
        id=facts.id or fallback_id,
        label=label,
        geometry=read_geometry(raw, ours.get("shape"), height, width),
        group_id=group_id if type(group_id) is int else None,
        description=description if isinstance(description, str) else "",
        flags=flags,
        attributes=frozen({**(attributes if isinstance(attributes, dict) else {}), **odd}),
        score=float(score) if is_number(score) else None,
        locked=ours.get("locked") is True,
        iscrowd=raw.get("iscrowd") in (1, True),
        provenance=facts.provenance,
        recolor=facts.recolor,
        extra=frozen(extra),
    )


def _annotation_of(
    image: dict[str, Any], raws: list[tuple[int, Any]], names: dict[int, str]
) -> ImageAnnotation:
    height, width = (
        n if type(n) is int and 0 < n < 1 << 20 else 0 for n in (image.get("height"), image.get("width"))
    )
    if not (height and width):
        height, width = size_of_codes(raws)
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    taken: set[str] = set()
    for index, raw in raws:
        try:
            label = names.get(raw["category_id"]) if type(raw.get("category_id")) is int else None
            if label is None:
                raise ConverterError(f"the category {shown(raw.get('category_id'))} is not defined.")
            fallback = str(raw.get("id", index))[:32]
            instance = decode_annotation(raw, label, height=height, width=width, fallback_id=fallback)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, raw))
            continue
        if instance.id in taken:
            instance = replace(instance, id=f"{instance.id}-{index}")
        taken.add(instance.id)
        instances.append(instance)
    ours = image.get(KEY)
    odd: dict[str, Any] = {}
    flags = split_flags(ours.get("flags") if isinstance(ours, dict) else None, odd)
    rest = {key: value for key, value in image.items() if key not in _IMAGE_KEYS}
    carried = ours.get("extra") if isinstance(ours, dict) else None
    labels = {instance.label for instance in instances}
    if labels:
        rest[KEY] = {"category_ids": {name: n for n, name in names.items() if name in labels}}
    extra = {**(carried if isinstance(carried, dict) else {}), "coco": rest}
    return ImageAnnotation(
        image_path=image["file_name"].replace("\\", "/"),
        height=height,
        width=width,
        instances=tuple(instances),
        flags=flags,
        rejected=tuple(rejected),
        extra=FrozenMap(extra),
    )


def _facts(instance: Instance) -> dict[str, Any]:
    """Every key of an annotation that is not its shape."""
    ours: dict[str, Any] = facts_of(instance)
    ours.pop("iscrowd", None)
    if instance.group_id is not None:
        ours["group_id"] = instance.group_id
    if instance.description:
        ours["description"] = instance.description
    if instance.flags:
        ours["flags"] = dict(instance.flags)
    if instance.locked:
        ours["locked"] = True
    if isinstance(instance.geometry, Box | OrientedBox | Circle):
        kind, points, _ = encode_geometry(instance.geometry)
        ours["shape"] = {"shape_type": kind, "points": points}
    entry: dict[str, Any] = {key: v for key, v in instance.extra.items() if key not in _ANNOTATION_KEYS}
    entry["iscrowd"] = int(instance.iscrowd)
    if instance.attributes:
        entry["attributes"] = dict(instance.attributes)
    if instance.score is not None:
        entry["score"] = instance.score
    entry[KEY] = ours
    return entry


def _image_entry(annotation: ImageAnnotation, path: Path | str) -> dict[str, Any]:
    if not (annotation.height and annotation.width):
        raise ConverterError(
            f"the size of the picture {shown(annotation.image_path)} is unknown.",
            path=path,
            remedy="Put the picture where its annotation file says it is.",
        )
    known = annotation.extra.get("coco")
    entry: dict[str, Any] = (
        {key: v for key, v in known.items() if key not in _IMAGE_KEYS} if isinstance(known, dict) else {}
    )
    entry.update(file_name=annotation.image_path, height=annotation.height, width=annotation.width)
    ours: dict[str, Any] = {}
    if annotation.flags:
        ours["flags"] = dict(annotation.flags)
    if rest := {key: value for key, value in annotation.extra.items() if key != "coco"}:
        ours["extra"] = rest
    return {**entry, KEY: ours} if ours else entry


def _known_id(annotation: ImageAnnotation) -> int | None:
    """The picture's id in a COCO source."""
    known = annotation.extra.get("coco")
    number = known.get("id") if isinstance(known, dict) else None
    return number if type(number) is int else None


def _known_categories(annotation: ImageAnnotation) -> dict[str, int]:
    """Labels with the category ids they had in a COCO source."""
    known = annotation.extra.get("coco")
    ours = known.get(KEY) if isinstance(known, dict) else None
    listed = ours.get("category_ids") if isinstance(ours, dict) else None
    return {k: v for k, v in listed.items() if type(v) is int} if isinstance(listed, dict) else {}


def _kept_numbers(labels: Iterable[str], known: Iterable[dict[str, int]]) -> dict[str, int]:
    """The labels with their ids of a COCO source, in the order of the ids; new ones follow.

    Where sources contradict each other all are numbered from 1 on.
    """
    wanted = sorted(labels)
    pairs = {(label, number) for ids in known for label, number in ids.items()}
    kept = {label: number for label, number in pairs if label in set(wanted)}
    if len(kept) < sum(label in kept for label, _ in pairs) or len(set(kept.values())) < len(kept):
        return category_numbers([], wanted)
    free = count(max(kept.values(), default=0) + 1)
    numbers = {label: kept[label] if label in kept else next(free) for label in wanted}
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def _image_ids(known: Iterable[int | None]) -> list[int]:
    """The ids of a COCO source where every picture has its own, else 1, 2, 3, ..."""
    listed = list(known)
    kept = [number for number in listed if number is not None]
    if len(kept) == len(listed) == len(set(kept)):
        return kept
    return list(range(1, len(listed) + 1))


def _read(path: Path, root: Path, report: Report) -> list[ImageAnnotation]:
    return read_coco(path, report=report)


def _write_picture(picture: Picture, options: WriteOptions, report: Report) -> dict[str, Any]:
    """A picture's entry and annotations, with labels as categories until all of them are known."""
    annotation = place_for_dataset(picture, options, report)
    labels = {label: label for label in annotation.labels}
    entry = _image_entry(annotation, options.target)
    return {
        "split": picture.split,
        "known_id": _known_id(annotation),
        "known_categories": _known_categories(annotation),
        "image": entry,
        "objects": encode_annotations(annotation, labels, report),
    }


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    if options.labels:
        numbers = category_numbers([], options.labels)
    else:
        labels = {o["category_id"] for f in fragments for o in f["objects"]}
        numbers = _kept_numbers(labels, [f["known_categories"] for f in fragments])
    for split in sorted({fragment["split"] for fragment in fragments}) or [""]:
        part = [fragment for fragment in fragments if fragment["split"] == split]
        ids = _image_ids([fragment["known_id"] for fragment in part])
        images: list[dict[str, Any]] = []
        objects: list[dict[str, Any]] = []
        for image_id, fragment in zip(ids, part, strict=True):
            images.append({**fragment["image"], "id": image_id})
            for entry in fragment["objects"]:
                number = numbers[entry["category_id"]]
                objects.append({"id": len(objects) + 1, "image_id": image_id, **entry, "category_id": number})
        write_atomic(
            dataset_file(options, "instances", split), json_text(_document(images, objects, numbers))
        )


FORMAT = Format(
    name="coco",
    title="COCO instances",
    find=files_with(".json"),
    read=_read,
    many=True,
    write=_write_picture,
    finish=_finish,
    file_suffix=".json",
)
