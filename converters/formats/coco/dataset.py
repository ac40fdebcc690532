"""What a COCO file says beside its pictures and objects: ids, categories, licences, information.

The common form is about one picture, so a reader notes here what the file says: with every picture its own
id and the ids of its categories, with the first one the rest. A writer puts it together again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from converters.formats.own_facts import KEY

if TYPE_CHECKING:
    from converters.annotation import ImageAnnotation, Instance
    from converters.report import Report

Categories: TypeAlias = Sequence[str] | Mapping[str, int]
# Labels with the ids they had, for each picture.
KnownIds: TypeAlias = Iterable[Mapping[str, int]]

_IMAGE_KEYS = frozenset({"file_name", "height", "width", KEY})
_OUR_INFO = {"description": "written by SeedHue", "version": "1.0"}
_PLAIN = {"supercategory": ""}


def is_coco(document: Any) -> bool:
    """Whether a JSON document has COCO's list of pictures, and is not labelme's with foreign keys."""
    if not isinstance(document, dict) or isinstance(document.get("shapes"), list):
        return False
    return isinstance(document.get("images"), list)


def is_panoptic(document: dict[str, Any]) -> bool:
    """Whether a COCO document's annotations are pictures with segments."""
    listed = document.get("annotations")
    return isinstance(listed, list) and any(
        isinstance(each, dict) and "segments_info" in each for each in listed[:5]
    )


def read_category_names(document: dict[str, Any]) -> dict[int, str]:
    """Category ids with their names; entries without either are left out."""
    return {entry["id"]: entry["name"] for entry in _category_entries(document.get("categories"))}


def _category_entries(listed: Any) -> list[dict[str, Any]]:
    return [
        entry
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and type(entry.get("id")) is int and isinstance(entry.get("name"), str)
    ]


def read_header(document: dict[str, Any]) -> dict[str, Any]:
    """Everything but pictures and objects."""
    header = {key: v for key, v in document.items() if key not in ("images", "annotations", "categories")}
    return {**header, "categories": _category_entries(document.get("categories"))}


def remembered(
    image: dict[str, Any],
    labels: Iterable[str],
    names: Mapping[int, str],
    header: dict[str, Any] | None,
) -> dict[str, Any]:
    """What a picture keeps of its file: its own entry, the ids of its labels, and, if it is the first one,
    the header. What a writer would write anyway is left out."""
    kept = {key: value for key, value in image.items() if key not in _IMAGE_KEYS}
    used = set(labels)
    ids = {name: number for number, name in names.items() if name in used}
    ours: dict[str, Any] = {"category_ids": ids} if ids else {}
    if header is not None:
        rest = {key: value for key, value in header.items() if value and value != _OUR_INFO}
        plain = [{"id": number, "name": name, **_PLAIN} for name, number in ids.items()]
        rest["categories"] = [entry for entry in header["categories"] if entry not in plain]
        if rest := {key: value for key, value in rest.items() if value}:
            ours["dataset"] = rest
    return {**kept, KEY: ours} if ours else kept


def known_id(annotation: ImageAnnotation) -> int | None:
    """The picture's id in a COCO source."""
    number = _coco(annotation).get("id")
    return number if type(number) is int else None


def known_entry(annotation: ImageAnnotation) -> dict[str, Any]:
    """The picture's entry under images as in a COCO source, without id and size, with its present name."""
    kept = {key: v for key, v in _coco(annotation).items() if key not in (*_IMAGE_KEYS, "id")}
    return {**kept, "file_name": annotation.image_path}


def known_categories(annotation: ImageAnnotation) -> dict[str, int]:
    """The picture's labels with the category ids they had in a COCO source."""
    listed = _ours(annotation).get("category_ids")
    return {k: v for k, v in listed.items() if type(v) is int} if isinstance(listed, dict) else {}


def known_header(annotation: ImageAnnotation) -> dict[str, Any]:
    """What `read_header` found, if this was the source's first picture."""
    header = _ours(annotation).get("dataset")
    if not isinstance(header, dict):
        return {}
    return {**header, "categories": _category_entries(header.get("categories"))}


def _coco(annotation: ImageAnnotation) -> dict[str, Any]:
    known = annotation.extra.get("coco")
    return known if isinstance(known, dict) else {}


def _ours(annotation: ImageAnnotation) -> dict[str, Any]:
    ours = _coco(annotation).get(KEY)
    return ours if isinstance(ours, dict) else {}


def known_object_id(instance: Instance) -> int | None:
    """The id the object had in a COCO source: its id in the common form if that is a whole number.

    pycocotools takes an annotation with id 0 for none, so that is not kept.
    """
    text = instance.id
    return (int(text) or None) if text.isascii() and text.isdigit() and len(text) < 19 else None


def kept_ids(known: Iterable[int | None]) -> list[int]:
    """The ids of a COCO source where every picture or object has its own, else 1, 2, 3, ..."""
    listed = list(known)
    kept = [number for number in listed if number is not None]
    if len(kept) == len(listed) == len(set(kept)):
        return kept
    return list(range(1, len(listed) + 1))


def category_numbers(categories: Categories) -> dict[str, int]:
    """Category names with their ids: as given, or numbered from 1."""
    if isinstance(categories, Mapping):
        return dict(categories)
    return {name: number for number, name in enumerate(dict.fromkeys(categories), start=1)}


def kept_numbers(
    labels: Iterable[str],
    known: KnownIds,
    headers: Iterable[dict[str, Any]] = (),
    *,
    label_map: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """The labels with their ids of a COCO source, in the order of the ids; new ones follow.

    The categories of the headers are there even if no object has them. Where sources contradict each
    other all are numbered from 1 on.

    Args:
        label_map: new names by old ones, as the labels have them already.
    """
    label_map = label_map or {}
    declared = [(entry["name"], entry["id"]) for header in headers for entry in header.get("categories", ())]
    wanted = {*labels, *filter(None, (label_map.get(name, name) for name, _ in declared))}
    pairs = {pair for ids in known for pair in ids.items()} | set(declared)
    pairs = {(label, n) for label, n in pairs if label in wanted and label not in label_map}
    kept = dict(pairs)
    if len({label for label, _ in pairs}) < len(pairs) or len({n for _, n in pairs}) < len(pairs):
        return category_numbers(sorted(wanted))
    free = count(max(kept.values(), default=0) + 1)
    numbers = {label: kept[label] if label in kept else next(free) for label in sorted(wanted)}
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def written_header(
    numbers: Mapping[str, int], headers: Sequence[dict[str, Any]], report: Report
) -> dict[str, Any]:
    """The header of a file with these categories. What several sources say differently is left out and
    reported."""
    header: dict[str, Any] = {"info": _OUR_INFO, "licenses": []}
    headers = [found for found in headers if found]
    for key in dict.fromkeys(key for found in headers for key in found if key != "categories"):
        values = [found[key] for found in headers if key in found]
        if all(value == values[0] for value in values):
            header[key] = values[0]
        else:
            report.add("dropped", f"the sources' entries under {key} differ", path=key)
    details = {entry["name"]: entry for found in headers for entry in found.get("categories", ())}
    header["categories"] = [
        {**_PLAIN, **details.get(name, {}), "id": number, "name": name} for name, number in numbers.items()
    ]
    return header
