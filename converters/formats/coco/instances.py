"""COCO instances: one JSON file for many pictures, masks as polygons or run-length codes.

What COCO has no key for (group ids, flags, SeedHue's facts, the original form of boxes and circles)
travels under `seedhue` in each annotation, attributes under `attributes` as CVAT writes them; other
programs ignore both. Lines and points have no COCO form and are dropped, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.annotation import (
    ImageAnnotation,
    Instance,
    Polygon,
    RejectedShape,
)
from converters.errors import ConverterError, UnknownFormatError
from converters.files.files import json_text, read_json, shown, write_atomic
from converters.formats.coco.dataset import (
    Categories,
    category_numbers,
    is_coco,
    is_panoptic,
    kept_ids,
    kept_numbers,
    known_categories,
    known_entry,
    known_header,
    known_id,
    known_object_id,
    read_category_names,
    read_header,
    remembered,
    written_header,
)
from converters.formats.coco.segmentation import read_geometry, size_of_codes, write_segmentation
from converters.formats.format import (
    Format,
    Picture,
    PictureEntry,
    WriteOptions,
    by_split,
    dataset_file,
    decoded,
    files_with,
    place_for_dataset,
    reader_of,
)
from converters.formats.labelme.shapes import encode_geometry
from converters.formats.own_facts import KEY, facts_of, is_number, read_facts
from converters.formats.reading import picture_side, split_flags
from converters.formats.signs import Signs
from converters.frozen import FrozenMap, frozen
from converters.report import Report
from converters.shapes.kinds import is_region, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

_ANNOTATION_KEYS = frozenset(
    {"id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd", "attributes", "score", KEY}
)
_OUR_KEYS = frozenset({"group_id", "description", "flags", "locked", "shape", "score_text"})


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
    corners. The ids of a COCO source are kept, and so is what it said beside pictures and objects.

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
    numbers = None if categories is None else category_numbers(categories)
    fragments: list[_Fragment] = []
    for annotation in annotations:
        if should_stop is not None and should_stop():
            raise ConverterError("stopped before anything was written.", path=path)
        fragments.append(_fragment_of(annotation, path, report, categories=numbers))
    headers = [fragment.header for fragment in fragments if fragment.header]
    if numbers is None:
        numbers = _numbers_of(fragments, headers)
    write_atomic(path, _document(fragments, numbers, written_header(numbers, headers, report)))
    return report


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A picture's part of the file, as JSON text except for the numbers that depend on the others.

    Attributes:
        image: the entry under images without its id and the opening brace.
        objects: label, id in a COCO source, and entry under annotations without ids and the opening brace.
        known_id, known_categories, header: see coco_dataset.py.
    """

    image: str
    objects: tuple[tuple[str, int | None, str], ...]
    known_id: int | None
    known_categories: dict[str, int]
    header: dict[str, Any]
    split: str = ""


def _fragment_of(
    annotation: ImageAnnotation,
    path: Path | str,
    report: Report,
    *,
    categories: Container[str] | None = None,
    split: str = "",
) -> _Fragment:
    image = json_text(_image_entry(annotation, path))[1:]
    objects: list[tuple[str, int | None, str]] = []
    report.pictures += 1
    report.add_rejected(annotation)
    for index, instance in enumerate(annotation.instances):
        note_loss = partial(report.add, path=annotation.image_path, instance=instance, index=index)
        if categories is not None and instance.label not in categories:
            note_loss("dropped", "its label is not in the list of categories")
        elif not is_region(instance.geometry):
            note_loss("dropped", "COCO segmentation has no lines and points")
        else:
            shape, note = write_segmentation(instance.geometry, annotation.height, annotation.width)
            if note:
                note_loss("changed", note)
            report.instances += 1
            entry = json_text({**shape, **_facts(instance)})[1:]
            objects.append((instance.label, known_object_id(instance), entry))
    known = known_id(annotation), known_categories(annotation), known_header(annotation)
    return _Fragment(image, tuple(objects), *known, split)


def _numbers_of(
    fragments: Sequence[_Fragment],
    headers: Sequence[dict[str, Any]],
    options: WriteOptions | None = None,
) -> dict[str, int]:
    labels = {label for fragment in fragments for label, _, _ in fragment.objects}
    known = [fragment.known_categories for fragment in fragments]
    if options is None:
        return kept_numbers(labels, known, headers)
    return kept_numbers(labels.union(options.declared), known, headers, label_map=options.label_map)


def _document(fragments: Sequence[_Fragment], numbers: Mapping[str, int], header: dict[str, Any]) -> str:
    """The file's text, put together from that of its pictures."""
    images: list[str] = []
    objects: list[str] = []
    ids = kept_ids(fragment.known_id for fragment in fragments)
    object_ids = kept_ids(known for fragment in fragments for _, known, _ in fragment.objects)
    for image_id, fragment in zip(ids, fragments, strict=True):
        images.append(f'{{"id": {image_id}, {fragment.image}')
        for label, _, entry in fragment.objects:
            number = object_ids[len(objects)]
            head = f'"id": {number}, "image_id": {image_id}, "category_id": {numbers[label]}'
            objects.append(f"{{{head}, {entry}")
    parts = [f"{json_text(key)}: {json_text(value)}" for key, value in header.items()]
    parts[-1:-1] = [f'"images": [{", ".join(images)}]', f'"annotations": [{", ".join(objects)}]']
    return f"{{{', '.join(parts)}}}"


def read_coco(path: Path | str, *, report: Report | None = None) -> list[ImageAnnotation]:
    """The pictures of a COCO instances file with their objects, in the file's order.

    A segmentation of one ring stays a polygon; several rings are one object and become one mask,
    filled as pycocotools fills them; run-length codes are exact; without a segmentation the bounding
    box counts. Annotations that make no sense are set aside in their picture's `rejected`; those
    without a picture can only be reported.

    Raises:
        ConverterError: missing, not JSON, cut off, or no COCO file.
    """
    report = Report() if report is None else report
    return decoded(_entries(Path(path), Path(path), report), Path(path), report)


def _entries(path: Path, root: Path, report: Report) -> list[PictureEntry]:
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise UnknownFormatError('this is no COCO file: it has no list called "images".', path=path)
    names = read_category_names(document)
    header: dict[str, Any] | None = read_header(document)
    per_image: dict[Any, list[tuple[int, Any]]] = {}
    listed = document.get("annotations")
    for index, raw in enumerate(listed if isinstance(listed, list) else ()):
        image_id = raw.get("image_id") if isinstance(raw, dict) else None
        per_image.setdefault(image_id if isinstance(image_id, int | str) else None, []).append((index, raw))
    found: list[PictureEntry] = []
    for index, image in enumerate(document["images"]):
        identity = image.get("id") if isinstance(image, dict) else None
        if not isinstance(identity, int | str) or not isinstance(image.get("file_name"), str):
            report.add("dropped", "the entry under images has no id or no file_name", path=path, index=index)
            continue
        decode = partial(_annotation_of, image, per_image.pop(identity, []), names, header)
        found.append(PictureEntry(image["file_name"].replace("\\", "/"), decode))
        header = None
    for orphans in per_image.values():
        for index, _ in orphans:
            report.add("dropped", "the annotation belongs to no picture of the file", path=path, index=index)
    return found


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
    image: dict[str, Any],
    raws: list[tuple[int, Any]],
    names: dict[int, str],
    header: dict[str, Any] | None,
    report: Report,
) -> ImageAnnotation:
    height, width = picture_side(image.get("height")), picture_side(image.get("width"))
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
    carried = ours.get("extra") if isinstance(ours, dict) else None
    labels = {instance.label for instance in instances}
    extra = {
        **(carried if isinstance(carried, dict) else {}),
        "coco": remembered(image, labels, names, header),
    }
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
    if kind_of(instance.geometry).drawn == "closed" and not isinstance(instance.geometry, Polygon):
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
    entry = {**known_entry(annotation), "height": annotation.height, "width": annotation.width}
    ours: dict[str, Any] = {}
    if annotation.flags:
        ours["flags"] = dict(annotation.flags)
    if rest := {key: value for key, value in annotation.extra.items() if key != "coco"}:
        ours["extra"] = rest
    return {**entry, KEY: ours} if ours else entry


def _write_picture(picture: Picture, options: WriteOptions, report: Report) -> _Fragment:
    annotation = place_for_dataset(picture, options, report)
    return _fragment_of(annotation, options.target, report, split=picture.split)


def _finish(options: WriteOptions, fragments: list[Any], report: Report) -> None:
    headers = [fragment.header for fragment in fragments if fragment.header]
    given = category_numbers(options.labels) if options.labels else None
    numbers = given or _numbers_of(fragments, headers, options)
    header = written_header(numbers, headers, report)
    for split, part in by_split(fragments, attrgetter("split")):
        write_atomic(dataset_file(options, "instances", split), _document(part, numbers, header))


FORMATS = (
    Format(
        name="coco",
        title="COCO instances",
        find=files_with(".json"),
        read=reader_of(_entries),
        entries=_entries,
        write=_write_picture,
        finish=_finish,
        file_suffix=".json",
        signs=Signs(
            json=lambda document: is_coco(document) and not is_panoptic(document),
            json_ends=lambda ends: b'"category_id"' in ends and b'"segments_info"' not in ends,
            ends_suffice=True,
        ),
    ),
)
